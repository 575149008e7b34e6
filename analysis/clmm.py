"""Cumulative link mixed model of one item: do the conditions differ, on the scale's own ordinal terms?

Uses incomplete cases, unlike Friedman's test. No library on the package index fits it (statsmodels'
OrderedModel has no random effects), so that the likelihood is our own: see clmm_likelihood.
Validated against R 4.2.2, ordinal::clmm(nAGQ = 10): tests/reference/.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize

from analysis.clmm_likelihood import Answers, Parameters, answers_of, log_likelihood
from analysis.distributions import chi2_tail, f_tail
from analysis.friedman import Floats

INFINITE = 12.0
"""A log odds ratio beyond this says that the estimate runs to infinity: some answers never occur together."""
FAR, GAP = 30.0, 8.0
"""Where the search ends that would run to infinity: logits, and logarithms of gaps between thresholds."""
NO_SPREAD = 1e-6
"""A standard deviation between participants below this is a rounding error of zero."""
POLISH_STEPS = 6
STEP = 1e-5

Objective = Callable[[Floats], tuple[float, Floats]]


@dataclass(frozen=True)
class Clmm:
    """Likelihood-ratio test of the conditions; figures are None where ``note`` says why.

    Attributes:
        n: participants with at least one answer.
        lr, df, p: against the model without conditions, chi-square.
        df2, p_f: lr / df read from F with df and df2 degrees of freedom, answers − participants − df: chi-square takes
            few people for many and rejects too often (docs/size-and-power.md). None where df2 is below 1.
        thresholds: (levels − 1,) cut points.
        beta: log odds ratios of a higher answer, one per condition after the first.
        se: their standard errors (inverse observed information); empty where it is singular.
        sigma: standard deviation between participants, in logits.
        log_likelihood: of the model with conditions.
    """

    n: int
    lr: float | None = None
    df: int | None = None
    p: float | None = None
    df2: int | None = None
    p_f: float | None = None
    thresholds: tuple[float, ...] = ()
    beta: tuple[float, ...] = ()
    se: tuple[float, ...] = ()
    sigma: float | None = None
    log_likelihood: float | None = None
    note: str = ""


def clmm(values: npt.ArrayLike) -> Clmm:
    """Fit the model with and without conditions (R: ordinal::clmm(rating ~ condition + (1|participant))).

    Args:
        values: (n, k) ratings, NaN where nothing was answered.
    """
    matrix = np.asarray(values, dtype=float)
    n = int((~np.isnan(matrix)).any(axis=1).sum()) if matrix.size else 0
    matrix = matrix[:, ~np.isnan(matrix).all(axis=0)]
    if n < 2 or matrix.shape[1] < 2:
        return Clmm(n, note="fewer than two participants, or fewer than two conditions with answers")
    answers = answers_of(matrix)
    if answers.levels < 2:
        return Clmm(n, note="all answers are equal")
    if (answers.codes >= 0).sum(axis=1).max() < 2:
        return Clmm(n, note="nobody answered in two conditions: nothing is repeated")
    null, start = _fit(answers, _start(answers), False)
    full, found = _fit(answers, start, True)
    at = _unpack(found, answers, True)
    lr, df = max(0.0, 2 * (full - null)), matrix.shape[1] - 1
    df2 = int((~np.isnan(matrix)).sum()) - n - df
    extreme = max(abs(at.sigma), float(np.abs(at.beta).max()), float(np.abs(at.thresholds).max()) / 2)
    note = "an estimate runs to infinity: the likelihood ratio is its limit" if extreme > INFINITE else ""
    return Clmm(
        n,
        lr,
        df,
        chi2_tail(lr, df),
        df2 if df2 > 0 else None,
        f_tail(lr / df, df, df2) if df2 > 0 else None,
        tuple(map(float, at.thresholds)),
        tuple(map(float, at.beta[1:])),
        _standard_errors(_objective(answers, True), found, df),
        abs(at.sigma) if abs(at.sigma) > NO_SPREAD else 0.0,
        full,
        note,
    )


def _start(answers: Answers) -> Floats:
    """Thresholds from the pooled answers, no difference, sigma 1."""
    given = answers.codes >= 0
    weights = np.broadcast_to(answers.weights[:, None], given.shape)[given]
    shares = np.bincount(answers.codes[given], weights, answers.levels) / weights.sum()
    below = shares.cumsum()[:-1]
    cuts = np.log(below / (1 - below))
    return np.concatenate([cuts[:1], np.log(np.diff(cuts)), [1.0]])


def _unpack(x: Floats, answers: Answers, with_conditions: bool) -> Parameters:
    """x: first threshold, logarithms of the gaps to the next ones, sigma, then beta."""
    cuts = answers.levels - 1
    thresholds = np.concatenate([x[:1], x[0] + np.exp(x[1:cuts]).cumsum()])
    beta = np.zeros(answers.codes.shape[1])
    if with_conditions:
        beta[1:] = x[cuts + 1 :]
    return Parameters(thresholds, beta, float(x[cuts]))


def _objective(answers: Answers, with_conditions: bool) -> Objective:
    """Negative log-likelihood and its gradient in x."""

    def negative(x: Floats) -> tuple[float, Floats]:
        value, slope = log_likelihood(answers, _unpack(x, answers, with_conditions))
        from_here = slope.thresholds[::-1].cumsum()[::-1]  # a gap moves every threshold above it
        cuts = np.concatenate([from_here[:1], from_here[1:] * np.exp(x[1 : answers.levels - 1])])
        beta = slope.beta[1:] if with_conditions else slope.beta[:0]
        return -value, -np.concatenate([cuts, [slope.sigma], beta])

    return negative


def _fit(answers: Answers, start: Floats, with_conditions: bool) -> tuple[float, Floats]:
    """Log-likelihood at the optimum and the optimum: L-BFGS-B, then Newton's method to its end."""
    negative = _objective(answers, with_conditions)
    first = np.concatenate([start, np.zeros(answers.codes.shape[1] - 1)]) if with_conditions else start
    bounds = [(-FAR, FAR), *[(-GAP, GAP)] * (answers.levels - 2), *[(-FAR, FAR)] * (first.size - answers.levels + 1)]
    found = optimize.minimize(
        negative, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"gtol": 1e-7, "ftol": 1e-14}
    )
    x, best = np.asarray(found.x, dtype=float), float(found.fun)
    information = _hessian(negative, x)
    for _ in range(POLISH_STEPS):
        step = np.linalg.lstsq(information, _slope(negative, x), rcond=1e-12)[0]
        value = negative(x - step)[0]
        if not value <= best + 1e-12 or np.abs(step).max() > 1:  # flat towards infinity: stay
            break
        x, best = x - step, value
        if np.abs(step).max() < 1e-8:
            break
    return -best, x


def _slope(negative: Objective, x: Floats) -> Floats:
    """(p,) derivatives of the quadrature itself, whose optimum is R's; Fisher's identity is 1e-5 beside it."""
    wide = 10 * STEP
    return np.array([(negative(x + wide * e)[0] - negative(x - wide * e)[0]) / (2 * wide) for e in np.eye(x.size)])


def _hessian(negative: Objective, x: Floats) -> Floats:
    """(p, p) second derivatives from central differences of the gradient."""
    rows = [(negative(x + STEP * unit)[1] - negative(x - STEP * unit)[1]) / (2 * STEP) for unit in np.eye(x.size)]
    matrix = np.array(rows)
    return (matrix + matrix.T) / 2


def _standard_errors(negative: Objective, x: Floats, number: int) -> tuple[float, ...]:
    """Of the last ``number`` parameters; none where the information is singular."""
    information = _hessian(negative, x)
    if np.linalg.eigvalsh(information)[0] <= 1e-6:
        return ()
    return tuple(float(value) for value in np.sqrt(np.diag(np.linalg.inv(information)))[-number:])
