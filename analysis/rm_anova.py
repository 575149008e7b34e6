"""Sensitivity on the means: repeated-measures ANOVA with Greenhouse–Geisser, and paired t-tests."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analysis.distributions import f_tail, t_quantile, t_tail
from analysis.friedman import DECIMALS

NOTHING_LEFT = 1e-12
"""A sum of squares below this share of the whole is a rounding error of zero."""


@dataclass(frozen=True)
class RmAnova:
    """One factor, every participant in every condition; figures are None where ``note`` says why.

    Attributes:
        f, df1, df2, p: without correction.
        epsilon_gg: Greenhouse & Geisser's (1959) epsilon, 1 for two conditions.
        p_gg: with both degrees of freedom times epsilon.
        eta2_g: generalised eta squared (Olejnik & Algina 2003).
    """

    n: int
    f: float | None = None
    df1: int | None = None
    df2: int | None = None
    p: float | None = None
    epsilon_gg: float | None = None
    p_gg: float | None = None
    eta2_g: float | None = None
    note: str = ""


@dataclass(frozen=True)
class PairedT:
    """Paired t-test of first minus second; figures are None where ``note`` says why."""

    n: int
    mean_difference: float | None = None
    t: float | None = None
    df: int | None = None
    p: float | None = None
    ci: tuple[float, float] | None = None
    cohen_dz: float | None = None
    note: str = ""


def rm_anova(values: npt.ArrayLike) -> RmAnova:
    """Repeated-measures ANOVA of one within factor (R: afex::aov_ez; statsmodels has no epsilon).

    Args:
        values: (n, k) complete ratings, one row a participant.
    """
    matrix = np.asarray(values, dtype=float)
    n, k = matrix.shape
    empty = RmAnova(n)
    if k < 2:
        return replace(empty, note="one condition only: nothing to compare")
    if n < 2:
        return replace(empty, note="fewer than two participants answered in every condition")
    of_condition = matrix.mean(axis=0) - matrix.mean()
    of_participant = matrix.mean(axis=1) - matrix.mean()
    left = matrix - matrix.mean() - of_condition - of_participant[:, None]
    effect, subject = n * float((of_condition**2).sum()), k * float((of_participant**2).sum())
    error = float((left**2).sum())
    total = effect + subject + error
    if error <= NOTHING_LEFT * float(matrix.size + (matrix**2).sum()):
        note = "all participants differ alike between the conditions: nothing is left to compare with"
        return replace(empty, note=note)
    df1, df2 = k - 1, (k - 1) * (n - 1)
    f = (effect / df1) / (error / df2)
    epsilon = _greenhouse_geisser(matrix)
    return RmAnova(
        n,
        f,
        df1,
        df2,
        f_tail(f, df1, df2),
        epsilon,
        f_tail(f, epsilon * df1, epsilon * df2),
        effect / total,
    )


def _greenhouse_geisser(matrix: npt.NDArray[np.float64]) -> float:
    k = matrix.shape[1]
    centre = np.eye(k) - 1 / k
    covariance = centre @ np.cov(matrix, rowvar=False) @ centre
    return float(np.trace(covariance) ** 2 / ((k - 1) * (covariance**2).sum()))


def paired_t(differences: npt.ArrayLike, level: float = 0.95) -> PairedT:
    """Paired t-test with its interval and Cohen's d_z (R: t.test(paired = TRUE)).

    Args:
        differences: (n,) first minus second rating of each participant.
    """
    d = np.asarray(differences, dtype=float)
    n = d.size
    if n == 0:
        return PairedT(0, note="nobody answered in both conditions")
    mean = math.fsum(d) / n
    if n < 2:
        return PairedT(n, mean, note="fewer than two participants answered in both conditions")
    if float(np.ptp(np.round(d, DECIMALS))) == 0:
        return PairedT(n, mean, note="all differences are equal")
    middle = float(d.mean())
    error = math.sqrt(float(((d - middle) ** 2).mean()) * (n / (n - 1)) / n)
    t, tail = middle / error, (1 - level) / 2
    low, high = (t_quantile(share, n - 1) * error + middle for share in (tail, 1 - tail))
    return PairedT(n, mean, t, n - 1, 2 * t_tail(abs(t), n - 1), (low, high), mean / float(d.std(ddof=1)))
