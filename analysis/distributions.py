"""Tail areas, quantiles and midranks: what scipy.stats computes, from scipy.special alone.

Importing scipy.stats takes a tenth of a whole report; its distributions call the very functions below, so that every
figure is the same to the last bit (tests/analysis/test_distributions.py compares them).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]


def normal_tail(z: float) -> float:
    """P(Z > z) (R: pnorm(z, lower.tail = FALSE))."""
    return float(special.ndtr(-z))


def chi2_tail(x: float, df: float) -> float:
    """P(X > x) of chi-square (R: pchisq(x, df, lower.tail = FALSE)); 1 below zero, where rounding may lead."""
    return float(special.chdtrc(df, max(x, 0.0)))


def f_tail(x: float, df1: float, df2: float) -> float:
    """P(X > x) of F (R: pf(x, df1, df2, lower.tail = FALSE)); 1 below zero, where rounding may lead."""
    return float(special.fdtrc(df1, df2, max(x, 0.0)))


def f_quantile(p: float, df1: float, df2: float) -> float:
    """R: qf(p, df1, df2)."""
    return float(special.fdtri(df1, df2, p))


def t_tail(x: float, df: float) -> float:
    """P(T > x) of Student's t (R: pt(x, df, lower.tail = FALSE))."""
    return float(special.stdtr(df, -x))


def t_quantile(p: float, df: float) -> float:
    """R: qt(p, df)."""
    return float(special.stdtrit(df, p))


def midranks(values: npt.ArrayLike) -> Floats:
    """(..., n) ranks 1 to n along the last axis, equal values sharing their mean rank (R: rank; no NaN)."""
    x = np.asarray(values, dtype=float)
    order = np.argsort(x, axis=-1, kind="stable")
    ordered = np.take_along_axis(x, order, axis=-1)
    new = np.ones(x.shape, dtype=bool)  # where a run of equal values begins
    new[..., 1:] = ordered[..., :-1] != ordered[..., 1:]
    starts = np.flatnonzero(new)
    sizes = np.diff(starts, append=x.size)
    run_means = starts % max(x.shape[-1], 1) + (sizes + 1) / 2
    ranks = np.empty(x.shape)
    np.put_along_axis(ranks, order, np.repeat(run_means, sizes).reshape(x.shape), axis=-1)
    return ranks


def tie_term(values: npt.ArrayLike) -> float:
    """Sum of t³ − t over the numbers t of equal values."""
    sizes = np.unique(np.asarray(values, dtype=float), return_counts=True)[1].astype(float)
    return float((sizes**3 - sizes).sum())
