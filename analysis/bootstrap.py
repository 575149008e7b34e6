"""Percentile intervals of rank effects by drawing participants with replacement.

Participants with the same answers are drawn together, by one multinomial draw: the same distribution as
drawing them one by one, in a time that does not grow with their number.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from analysis.friedman import DECIMALS, Floats, doubled_ranks

DRAWS = 10_000
LEVEL = 0.95
SEED = 20240
"""The default; the report prints the one that was used."""

Interval = tuple[float, float]


def stream(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for each figure, so that no interval depends on what else was computed."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def rank_biserial_interval(
    differences: npt.ArrayLike, generator: np.random.Generator, draws: int = DRAWS, level: float = LEVEL
) -> Interval | None:
    """Interval of the matched-pairs rank-biserial correlation; None below two participants.

    Kerby (2014) for the effect, Efron & Tibshirani (1993) for the percentile interval. A draw in which
    all differences are zero counts as 0. (R: effectsize::rank_biserial gives a normal approximation.)

    Args:
        differences: (n,) first minus second rating of each participant, zeros included.
    """
    d = np.round(np.asarray(differences, dtype=float), DECIMALS)
    if d.size < 2:
        return None
    values, counts = np.unique(d, return_counts=True)
    drawn = generator.multinomial(d.size, counts / d.size, size=draws)  # (draws, distinct differences)
    sizes = np.unique(np.abs(values[values != 0]))
    if sizes.size == 0:
        return 0.0, 0.0
    level_of = np.abs(values)[:, None] == sizes
    both = drawn @ level_of.astype(np.int64)
    net = drawn @ (level_of * np.sign(values)[:, None]).astype(np.int64)
    ranks = both.cumsum(axis=1) - (both - 1) / 2  # midranks of the drawn sizes
    used = both.sum(axis=1)
    total = np.maximum(used * (used + 1) / 2, 1)
    return _percentiles((ranks * net).sum(axis=1) / total, level)


def kendall_w_interval(
    values: npt.ArrayLike, generator: np.random.Generator, draws: int = DRAWS, level: float = LEVEL
) -> Interval | None:
    """Interval of Kendall's W (tie-corrected); None below two participants or two conditions.

    A draw in which nobody prefers anything counts as 0. W cannot be negative, so that the interval of
    conditions that do not differ lies above 0: it describes precision and is no test.

    Args:
        values: (n, k) complete ratings.
    """
    matrix = np.round(np.asarray(values, dtype=float), DECIMALS)
    n, k = matrix.shape
    if n < 2 or k < 2:
        return None
    rows, counts = np.unique(doubled_ranks(matrix), axis=0, return_counts=True)
    drawn = generator.multinomial(n, counts / n, size=draws)
    deviation = ((drawn @ rows) ** 2).sum(axis=1)
    spread = drawn @ (rows**2).sum(axis=1)
    return _percentiles(deviation / np.maximum(n * spread, 1), level)


def _percentiles(found: Floats, level: float) -> Interval:
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
