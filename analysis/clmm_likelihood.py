"""Likelihood of the cumulative logit model with a normal random intercept per participant.

P(Y <= j | u) = F(theta_j - beta_condition - sigma u), F the logistic function, u standard normal. The
integral over u is taken by adaptive Gauss–Hermite quadrature: the nodes are laid around each
participant's mode of u and scaled by the curvature there (Pinheiro & Bates 1995), as R's
ordinal::clmm(nAGQ = 10) does. Participants with equal answers are computed once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from numpy.polynomial.hermite import hermgauss
from scipy.special import expit, log_expit, logsumexp

from analysis.friedman import Floats, Ints

Bools = npt.NDArray[np.bool_]

NODES = 10
MODE_STEPS = 100
MODE_CLOSE = 1e-11


@dataclass(frozen=True)
class Answers:
    """Distinct rows of answers.

    Attributes:
        codes: (rows, k) index of the answered level, 0 to levels − 1; −1 where nothing was answered.
        weights: (rows,) number of participants with that row.
        levels: number of levels that occur.
    """

    codes: Ints
    weights: Floats
    levels: int


@dataclass(frozen=True)
class Parameters:
    """Attributes: thresholds (levels − 1,) ascending; beta (k,), the first 0; sigma, its sign is void."""

    thresholds: Floats
    beta: Floats
    sigma: float


@dataclass(frozen=True)
class Gradient:
    """Derivatives of the log-likelihood with the nodes held where they are."""

    thresholds: Floats
    beta: Floats
    sigma: float


def answers_of(matrix: Floats) -> Answers:
    """Args: matrix (n, k) ratings, NaN where nothing was answered; rows without an answer are dropped."""
    given = matrix[~np.isnan(matrix).all(axis=1)]
    levels = np.unique(given[~np.isnan(given)])
    codes = np.where(np.isnan(given), -1, np.searchsorted(levels, given)).astype(np.int64)
    rows, counts = np.unique(codes, axis=0, return_counts=True)
    return Answers(rows, counts.astype(float), levels.size)


def log_likelihood(answers: Answers, at: Parameters, nodes: int = NODES) -> tuple[float, Gradient]:
    """The log-likelihood and its gradient.

    The gradient is that of the integral (Fisher's identity, under the quadrature's weights); it agrees
    with the derivative of the quadrature to the quadrature's own error.
    """
    upper, lower = _limits(answers, at)
    answered = answers.codes >= 0
    mode, curvature = _modes(upper, lower, answered, at.sigma)
    points, weights = _hermite(nodes)
    u = mode[:, None] + np.sqrt(2 / curvature)[:, None] * points  # (rows, nodes)
    shift = at.sigma * u[:, None, :]
    a, b = upper[:, :, None] - shift, lower[:, :, None] - shift  # (rows, k, nodes)
    with np.errstate(over="ignore", divide="ignore"):
        gap = np.where(answered, np.log1p(-np.exp(lower - upper)), 0.0)
        ratio = np.where(answered, 1 / np.expm1(upper - lower), 0.0)
    seen = answered[:, :, None]
    logs = np.where(seen, log_expit(a) + log_expit(-b), 0.0).sum(axis=1) + gap.sum(axis=1)[:, None]
    terms = logs - u**2 / 2 + points**2 + np.log(weights)
    total = logsumexp(terms, axis=1)
    value = answers.weights @ (total - np.log(np.pi * curvature) / 2)
    posterior = (np.exp(terms - total[:, None]) * answers.weights[:, None])[:, None, :]
    at_upper = (np.where(seen, expit(-a), 0.0) * posterior).sum(axis=2)
    at_lower = (np.where(seen, expit(b), 0.0) * posterior).sum(axis=2)
    along = (np.where(seen, expit(b) - expit(-a), 0.0) * posterior * u[:, None, :]).sum(axis=(1, 2))
    wide = ratio * answers.weights[:, None]
    return float(value), Gradient(
        _by_threshold(answers, at_upper + wide, -at_lower - wide),
        (at_lower - at_upper).sum(axis=0),
        float(along.sum()),
    )


@cache
def _hermite(nodes: int) -> tuple[Floats, Floats]:
    return hermgauss(nodes)


def _limits(answers: Answers, at: Parameters) -> tuple[Floats, Floats]:
    """(rows, k) upper and lower end of each answer on the latent scale, before the random effect."""
    ends = np.concatenate([[-np.inf], at.thresholds, [np.inf]])
    codes = np.maximum(answers.codes, 0)
    return ends[codes + 1] - at.beta, ends[codes] - at.beta


def _modes(upper: Floats, lower: Floats, answered: Bools, sigma: float) -> tuple[Floats, Floats]:
    """(rows,) most likely u and the curvature there, by Newton's method on a concave function."""
    u = np.zeros(len(upper))
    for _ in range(MODE_STEPS):
        above, below = expit(sigma * u[:, None] - upper), expit(lower - sigma * u[:, None])
        slope = sigma * np.where(answered, below - above, 0.0).sum(axis=1) - u
        bend = 1 + sigma**2 * np.where(answered, above * (1 - above) + below * (1 - below), 0.0).sum(axis=1)
        step = np.clip(slope / bend, -1.0, 1.0)
        u = u + step
        if np.abs(step).max() < MODE_CLOSE:
            break
    return u, bend


def _by_threshold(answers: Answers, at_upper: Floats, at_lower: Floats) -> Floats:
    codes, size = answers.codes.ravel(), answers.levels + 1
    seen = codes >= 0
    found: Floats = np.bincount(codes[seen] + 1, at_upper.ravel()[seen], size).astype(float)
    found += np.bincount(codes[seen], at_lower.ravel()[seen], size)
    return found[1:-1]
