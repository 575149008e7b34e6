"""CLOSURE: every distribution of ratings that gives a printed mean, SD and n.

Source: Heathers & Wilson, CLOSURE (complete listing of original samples of underlying raw evidence), R package unsum.
Their search walks through sorted samples; here counts per scale point are solved for instead: the counts of the
upper points are enumerated (vectorised, cut back by bounds), and those of the three lowest follow from n, the sum and
the sum of squares.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis.paper.consistency import Scale, grimmer
from analysis.paper.rounding import Rule

Ints = npt.NDArray[np.int64]

MOST = 5_000_000
"""Longest list that is made; a published cell with more says little, and the list would not fit in memory."""


class TooMany(ValueError):
    """More distributions than can be listed."""


def closure(mean: str, sd: str, n: int, scale: Scale = (1, 5), *, ddof: int = 1, rule: Rule = Rule.either) -> Ints:
    """List every distribution of ``n`` ratings on ``scale`` with this printed mean and SD (R: unsum::closure_generate).

    Returns:
        (distributions, points) counts of the scale's points, lowest first; rows in lexicographic order, sum ``n``.
        No rows where the cell is impossible.

    Raises:
        ValueError: a scale without two points, n too small, a number that is none.
        TooMany: more than ``MOST`` distributions.
    """
    low, high = scale
    if high <= low:
        raise ValueError(f"scale {low} to {high} has no two points")
    found = grimmer(mean, sd, n, scale, ddof=ddof, rule=rule)
    reach = high - low
    targets = _targets(found.moments, n, low)
    for value in range(reach, 2, -1):
        targets = _place(targets, value)
    rows = _solve(targets, reach)
    return rows[np.lexsort(rows.T[::-1])]


def _targets(moments: tuple[tuple[int, int], ...], n: int, low: int) -> Ints:
    """One row per sum: people left, sum left, least and most sum of squares left; ratings counted from 0."""
    squares: dict[int, list[int]] = {}
    for total, square in moments:
        squares.setdefault(total, []).append(square - 2 * low * total + n * low * low)
    rows = [(n, total - n * low, min(found), max(found)) for total, found in squares.items()]
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _place(rows: Ints, value: int) -> Ints:
    """Try every count of ratings equal to ``value`` where all that is left lies between 0 and ``value``.

    Returns:
        the rows that can still be completed with smaller values, the count appended as a last column.
    """
    people, total, least, most = rows[:, :4].T
    first = np.maximum(0, total - (value - 1) * people)  # fewer, and the smaller values cannot reach the sum
    last = np.minimum(np.minimum(people, total // value), most // value**2)
    rows, count = _expand(rows, first, last)
    rows = np.column_stack([rows, count])
    rows[:, 0] -= count
    rows[:, 1] -= count * value
    rows[:, 2:4] -= (count * value**2)[:, None]
    people, total, least, most = rows[:, :4].T
    # A square is at most (value - 1) times its root, and equal ratings have the least squares (Cauchy-Schwarz).
    possible = (least <= (value - 1) * total) & (total * total <= most * people)
    return rows[possible]


def _solve(rows: Ints, reach: int) -> Ints:
    """Counts of 2, 1 and 0: ones + 2 twos = sum and ones + 4 twos = squares leave one unknown, twos."""
    people, total, least, most = rows[:, :4].T
    first = np.maximum(np.maximum(0, total - people), -((total - least) // 2))
    last = np.minimum(total // 2, (most - total) // 2)
    if reach < 2:
        last = np.minimum(last, 0)
    number = int(np.maximum(last - first + 1, 0).sum())
    if number > MOST:
        raise TooMany(f"{number:,} distributions fit; at most {MOST:,} are listed")
    rows, twos = _expand(rows, first, last)
    ones = rows[:, 1] - 2 * twos
    zeros = rows[:, 0] - ones - twos
    upper = rows[:, :3:-1]  # appended from the highest value down
    return np.column_stack([zeros, ones, twos, upper])[:, : reach + 1]


def _expand(rows: Ints, first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Repeat each row once for every whole number from its ``first`` to its ``last``; also return those numbers."""
    width = np.maximum(last - first + 1, 0)
    starts = np.cumsum(width) - width
    numbers = np.arange(int(width.sum())) - np.repeat(starts - first, width)
    return np.repeat(rows, width, axis=0), numbers
