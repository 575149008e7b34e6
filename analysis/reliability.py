"""How well the items of a scale hang together: Cronbach's alpha with Feldt's interval, McDonald's omega."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import optimize

from analysis.distributions import f_quantile
from analysis.friedman import Floats

LEAST_UNIQUENESS = 0.005
"""Lower bound of R's factanal: an item is never explained without a rest."""


@dataclass(frozen=True)
class Reliability:
    """One scale in one condition; figures are None where ``note`` says why.

    Attributes:
        n: participants who answered every item; k: items.
        alpha: of the raw items (R: psych::alpha, raw_alpha), may be negative.
        alpha_ci: Feldt, Woodruff & Salih (1987; R: psych::alpha.ci), 95 %.
        omega: of the standardised items, one maximum-likelihood factor (McDonald 1999; R: factanal);
            None where ``omega_note`` says why.
    """

    n: int
    k: int
    alpha: float | None = None
    alpha_ci: tuple[float, float] | None = None
    omega: float | None = None
    note: str = ""
    omega_note: str = ""


def reliability(values: npt.ArrayLike, level: float = 0.95) -> Reliability:
    """Alpha and omega of one scale.

    Args:
        values: (n, k) complete answers, one column an item, all keyed the same way.
    """
    matrix = np.asarray(values, dtype=float)
    n, k = matrix.shape
    empty = Reliability(n, k, omega_note="no alpha, no omega")
    if k < 2:
        return replace(empty, note="a scale needs two items")
    if n < 2:
        return replace(empty, note="fewer than two participants answered every item")
    covariance = np.cov(matrix, rowvar=False)
    if (np.diag(covariance) == 0).any() or covariance.sum() <= 1e-12 * np.trace(covariance):
        return replace(empty, note="an item has the same answer from everybody, or the sum of the items never varies")
    alpha = float(k / (k - 1) * (1 - np.trace(covariance) / covariance.sum()))
    omega, why = _omega(np.corrcoef(matrix, rowvar=False), n)
    return Reliability(n, k, alpha, _feldt(alpha, n, k, level), omega, "", why)


def _feldt(alpha: float, n: int, k: int, level: float) -> tuple[float, float]:
    df1, df2, tail = n - 1, (n - 1) * (k - 1), (1 - level) / 2
    low, high = (1 - (1 - alpha) * f_quantile(share, df1, df2) for share in (1 - tail, tail))
    return low, high


def _omega(correlation: Floats, n: int) -> tuple[float | None, str]:
    k = correlation.shape[0]
    if k < 3:
        return None, "one factor is not determined by two items"
    if n <= k or np.linalg.eigvalsh(correlation)[0] < 1e-10:
        return None, "too few participants, or items that determine each other"
    loadings = one_factor(correlation)
    common = float(loadings.sum() ** 2)
    return common / (common + float((1 - loadings**2).sum())), ""


def one_factor(correlation: Floats) -> Floats:
    """(k,) loadings of one maximum-likelihood factor (Jöreskog 1967; R: factanal(factors = 1)).

    Args:
        correlation: (k, k) positive definite, k >= 3.
    """
    start = (1 - 0.5 / correlation.shape[0]) / np.diag(np.linalg.inv(correlation))

    def misfit(uniqueness: Floats) -> tuple[float, Floats]:
        return _misfit(correlation, uniqueness)

    found = optimize.minimize(
        misfit,
        np.clip(start, LEAST_UNIQUENESS, 1),
        jac=True,
        method="L-BFGS-B",
        bounds=[(LEAST_UNIQUENESS, 1)] * correlation.shape[0],
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 1000},
    )
    loadings = _loadings(correlation, found.x)
    return loadings if loadings.sum() >= 0 else -loadings


def _loadings(correlation: Floats, uniqueness: Floats) -> Floats:
    scale = np.sqrt(uniqueness)
    values, vectors = np.linalg.eigh(correlation / np.outer(scale, scale))
    return np.asarray(scale * vectors[:, -1] * np.sqrt(max(values[-1] - 1, 0.0)), dtype=float)


def _misfit(correlation: Floats, uniqueness: Floats) -> tuple[float, Floats]:
    scale = np.sqrt(uniqueness)
    rest = np.linalg.eigvalsh(correlation / np.outer(scale, scale))[:-1]
    loadings = _loadings(correlation, uniqueness)
    slope = (loadings**2 + uniqueness - np.diag(correlation)) / uniqueness**2
    return float((rest - np.log(rest) - 1).sum()), slope
