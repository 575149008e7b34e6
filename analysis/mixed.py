"""Linear mixed model with a random intercept per participant: REML and Satterthwaite's F tests.

statsmodels' MixedLM has no degrees of freedom for small samples. With one random intercept everything
is a sum over participants and the fit is a root in one variable, the ratio of the two variances.
Validated against R 4.2.2 (lme4::lmer, lmerTest::anova): tests/reference/.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize

from analysis.distributions import f_tail
from analysis.friedman import Floats, Ints

LARGEST_RATIO = 1e8


@dataclass(frozen=True)
class Effect:
    """F test of one term given all others (type III); figures are None where ``note`` says why."""

    f: float | None = None
    df1: int | None = None
    df2: float | None = None
    p: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Sums:
    """What the likelihood needs of the rows: totals, and sums within each participant.

    Attributes:
        xx, xy, yy: X'X (p, p), X'y (p,), y'y.
        x: (participants, p) sums of the rows of X; y: (participants,) sums; sizes: (participants,) rows.
    """

    xx: Floats
    xy: Floats
    yy: float
    x: Floats
    y: Floats
    sizes: Floats
    rows: int


@dataclass(frozen=True)
class Mixed:
    """A fitted model.

    Attributes:
        beta: (p,) coefficients.
        sigma2: residual variance; ratio: variance between participants over it.
        inverse: (p, p) with covariance of beta = sigma2 * inverse.
        slope: (p, p) derivative of X'H⁻¹X in the ratio.
        information: (2, 2) second derivatives of the REML deviance in the ratio and sigma2.
        degrees: rows minus coefficients.
    """

    beta: Floats
    sigma2: float
    ratio: float
    inverse: Floats
    slope: Floats
    information: Floats
    degrees: int


def dummies(levels: Sequence[object]) -> Floats:
    """(rows, distinct − 1) indicator columns, the first level (in sorted order) left away."""
    codes, names = _coded(levels)
    order = np.argsort(np.argsort(names))
    return (order[codes][:, None] == np.arange(1, max(len(names), 1))).astype(float)


def _coded(values: Sequence[object]) -> tuple[Ints, npt.NDArray[np.str_]]:
    """(rows,) numbers of the distinct texts, in the order met, and the texts."""
    codes, distinct = pd.factorize(np.asarray(values, dtype=object), use_na_sentinel=False)
    same, names = pd.factorize(np.array([str(value) for value in distinct], dtype=object))  # 1 and "1" are one
    return same[codes], np.asarray(names, dtype=str)


def effects(
    y: npt.ArrayLike, participants: Sequence[object], terms: dict[str, Floats], asked: Sequence[str] | None = None
) -> dict[str, Effect]:
    """F test of each term (or of those asked for): lmer(y ~ terms + (1 | participant)), type III.

    Args:
        y: (rows,) ratings.
        participants: (rows,) who gave them.
        terms: name -> (rows, columns) columns of the design; the intercept is added.
    """
    wanted = list(terms if asked is None else asked)
    values = np.asarray(y, dtype=float)
    design = np.hstack([np.ones((values.size, 1)), *terms.values()])
    if values.size <= design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1]:
        return dict.fromkeys(wanted, Effect(note="too few answers to tell the terms of the model apart"))
    if float(np.ptp(values)) == 0:
        return dict.fromkeys(wanted, Effect(note="all answers are equal"))
    fitted = fit(_sums(values, design, _coded(participants)[0]))
    if fitted is None:
        return dict.fromkeys(wanted, Effect(note="the model explains every answer: nothing is left to compare with"))
    ends = 1 + np.cumsum([columns.shape[1] for columns in terms.values()])
    starts = dict(zip(terms, zip([1, *ends[:-1]], ends, strict=True), strict=True))
    return {name: _f_test(fitted, np.arange(*starts[name])) for name in wanted}


def _sums(y: Floats, x: Floats, codes: Ints) -> Sums:
    people = int(codes.max()) + 1
    within = _within(x, codes, people)
    sizes = np.bincount(codes, minlength=people).astype(float)
    return Sums(x.T @ x, x.T @ y, float(y @ y), within, _within(y[:, None], codes, people)[:, 0], sizes, y.size)


def _within(columns: Floats, codes: Ints, people: int) -> Floats:
    """(people, columns) sums of each participant's rows."""
    return np.column_stack([np.bincount(codes, column, people) for column in columns.T]).astype(float)


def fit(sums: Sums) -> Mixed | None:
    """REML fit (R: lme4::lmer); None where no residual variance is left."""

    def score(ratio: float) -> float:
        return _at(sums, ratio)[0]

    if _at(sums, 0.0)[1].sigma2 <= 1e-12 * sums.yy / sums.rows:
        return None
    if score(0.0) >= 0:
        return _at(sums, 0.0)[1]
    high = 1.0
    while score(high) < 0:
        high *= 4
        if high > LARGEST_RATIO:
            return None
    ratio = optimize.brentq(score, 0.0, high, xtol=1e-14, rtol=1e-14)
    return _at(sums, float(ratio))[1]


def _at(sums: Sums, ratio: float) -> tuple[float, Mixed]:
    """Derivative of the profiled REML deviance in the ratio, and the model at this ratio.

    With H = I + ratio ZZ': its inverse takes ratio / (1 + size ratio) times the participant's sum off.
    """
    shrink = 1 / (1 + sums.sizes * ratio)
    a = sums.xx - (sums.x * (ratio * shrink)[:, None]).T @ sums.x
    inverse: Floats = np.asarray(np.linalg.inv(a), dtype=float)
    beta = inverse @ (sums.xy - sums.x.T @ (ratio * shrink * sums.y))
    quadratic = sums.yy - float(ratio * shrink @ sums.y**2) - float(beta @ (a @ beta))
    degrees = sums.rows - sums.xx.shape[0]
    sigma2 = quadratic / degrees
    pull = (sums.y - sums.x @ beta) * shrink  # (participants,) Z'H⁻¹ times the residual
    slope = -(sums.x * shrink[:, None] ** 2).T @ sums.x
    bend = 2 * (sums.x * (sums.sizes * shrink**3)[:, None]).T @ sums.x
    score = float(sums.sizes @ shrink) + float(np.trace(inverse @ slope)) - float(pull @ pull) / sigma2
    carried = sums.x.T @ (shrink * pull)
    second = 2 * (float(sums.sizes * shrink @ pull**2) - float(carried @ inverse @ carried))
    weighted = inverse @ slope
    in_ratio = (
        -float((sums.sizes * shrink) @ (sums.sizes * shrink))
        + float(np.trace(inverse @ bend))
        - float(np.trace(weighted @ weighted))
        + second / sigma2
    )
    mixed = float(pull @ pull) / sigma2**2
    information = np.array([[in_ratio, mixed], [mixed, degrees / sigma2**2]])
    return score, Mixed(beta, sigma2, ratio, inverse, slope, information, degrees)


def _f_test(model: Mixed, columns: Ints) -> Effect:
    """Satterthwaite's F (Fai & Cornelius 1996; R: lmerTest::anova(ddf = "Satterthwaite"))."""
    covariance = model.sigma2 * model.inverse
    values, vectors = np.linalg.eigh(covariance[np.ix_(columns, columns)])
    directions = np.zeros((columns.size, covariance.shape[0]))
    directions[:, columns] = vectors.T
    f = float(((directions @ model.beta) ** 2 / values).mean())
    df1 = int(columns.size)
    df2 = _combined([_degrees(model, direction, covariance) for direction in directions])
    return Effect(f, df1, df2, f_tail(f, df1, df2))


def _degrees(model: Mixed, direction: Floats, covariance: Floats) -> float:
    """Satterthwaite's degrees of freedom of one contrast; those of the residual without variance between."""
    if model.ratio == 0:
        return float(model.degrees)
    turned = model.inverse @ direction
    gradient = np.array([-model.sigma2 * float(turned @ model.slope @ turned), float(direction @ turned)])
    variance = float(direction @ covariance @ direction)
    return 2 * variance**2 / float(gradient @ (2 * np.linalg.inv(model.information)) @ gradient)


def _combined(degrees: list[float]) -> float:
    """Denominator degrees of a mean of squared t (lmerTest: get_Fstat_ddf)."""
    if max(degrees) - min(degrees) < 1e-8:
        return float(np.mean(degrees))
    if min(degrees) <= 2:
        return 2.0
    expected = sum(nu / (nu - 2) for nu in degrees)
    return 2 * expected / (expected - len(degrees))
