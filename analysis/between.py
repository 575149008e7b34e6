"""Groups of different people: Mann–Whitney and Kruskal–Wallis with the exact p, conditional on ties.

``scipy.stats.mannwhitneyu(method="exact")`` ignores ties, and scipy's Kruskal–Wallis has no exact p.
Used for between-subject studies and for the differences of subgroups (R: coin::wilcox_test and
coin::kruskal_test with distribution = "exact"; wilcox.test(exact = FALSE, correct = FALSE), kruskal.test).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np
import numpy.typing as npt

from analysis.distributions import chi2_tail, midranks, normal_tail, tie_term
from analysis.friedman import DECIMALS, Floats, Ints

EXACT_N = 100
"""Two groups: above this many people the normal approximation is used and said so."""


EXACT_STATES = 400_000
"""More groups: ways to deal the answers that may be counted before the exact p is given up (a tenth of a second)."""


@dataclass(frozen=True)
class MannWhitney:
    """First against second group; figures are None where ``note`` says why.

    Attributes:
        u: pairs of people in which the first is higher, ties half.
        p_exact: two-sided, conditional on ties; None above EXACT_N people.
        p_asymptotic: normal, tie-corrected, without continuity correction.
        rank_biserial: 2 u / (n1 n2) − 1, positive where the first group is higher (Cliff's delta).
    """

    n1: int
    n2: int
    u: float | None = None
    p_exact: float | None = None
    p_asymptotic: float | None = None
    rank_biserial: float | None = None
    note: str = ""

    @property
    def p(self) -> float | None:
        """The exact p where it was computed, else the asymptotic one."""
        return self.p_asymptotic if self.p_exact is None else self.p_exact


@dataclass(frozen=True)
class Kruskal:
    """Kruskal–Wallis test over groups; figures are None where ``note`` says why.

    Attributes:
        chi2, df, p: tie-corrected, chi-square.
        p_exact: conditional on ties; None where ``exact_note`` says why.
    """

    n: int
    groups: int
    chi2: float | None = None
    df: int | None = None
    p: float | None = None
    p_exact: float | None = None
    note: str = ""
    exact_note: str = ""


def mann_whitney(first: npt.ArrayLike, second: npt.ArrayLike) -> MannWhitney:
    """Exact conditional Mann–Whitney test of two groups of people.

    Args:
        first, second: (n1,) and (n2,) ratings.
    """
    a, b = (np.round(np.asarray(group, dtype=float), DECIMALS) for group in (first, second))
    empty = MannWhitney(a.size, b.size)
    if not a.size or not b.size:
        return replace(empty, note="a group has no answers")
    both = np.concatenate([a, b])
    if float(np.ptp(both)) == 0:
        return replace(empty, rank_biserial=0.0, note="all answers are equal")
    doubled = np.rint(2 * midranks(both)).astype(np.int64)
    u = (int(doubled[: a.size].sum()) - a.size * (a.size + 1)) / 2
    exact = exact_mann_whitney(doubled, a.size) if both.size <= EXACT_N else None
    return MannWhitney(a.size, b.size, u, exact, _normal_mann_whitney(u, a, b), 2 * u / (a.size * b.size) - 1)


def _normal_mann_whitney(u: float, a: Floats, b: Floats) -> float:
    n1, n2 = a.size, b.size
    n = n1 + n2
    deviation = math.sqrt(n1 * n2 / 12 * ((n + 1) - tie_term(np.concatenate([a, b])) / (n * (n - 1))))
    return min(1.0, 2 * normal_tail((max(u, n1 * n2 - u) - n1 * n2 / 2) / deviation))


def exact_mann_whitney(doubled: Ints, n1: int) -> float:
    """P(rank sum at least as far from its mean) over all choices of the first group.

    The shift algorithm of Streitberg & Röhmel (1986): ways to reach each rank sum with each number of people.

    Args:
        doubled: (n,) doubled midranks of everybody, the first group's first.
        n1: size of the first group.
    """
    size = min(n1, doubled.size - n1)
    chosen = doubled[:n1] if size == n1 else doubled[n1:]
    lowest = int(doubled.min())
    ranks, observed = np.sort(doubled - lowest), int(chosen.sum()) - size * lowest
    ways = np.zeros((size + 1, int(ranks[-size:].sum()) + 1))
    ways[0, 0] = 1.0
    for number, rank in enumerate(ranks.tolist(), start=1):
        top = min(number, size)
        ways[1 : top + 1, rank:] += ways[:top, : ways.shape[1] - rank].copy()
    sums = np.arange(ways.shape[1])
    middle = size * int(ranks.sum())  # times the number of people, to stay in integers
    far = np.abs(sums * doubled.size - middle) >= abs(observed * doubled.size - middle)
    return min(1.0, math.fsum(ways[size][far]) / math.fsum(ways[size]))


def kruskal_wallis(groups: list[Floats], exact: bool = True) -> Kruskal:
    """Tie-corrected Kruskal–Wallis test.

    Args:
        groups: (n_g,) ratings of each group; groups without answers are left away.
        exact: also the exact p, where it can be counted.
    """
    given = [np.round(np.asarray(group, dtype=float), DECIMALS) for group in groups if len(group)]
    n = sum(group.size for group in given)
    if len(given) < 2:
        return Kruskal(n, len(given), note="fewer than two groups")
    both = np.concatenate(given)
    if float(np.ptp(both)) == 0:
        return Kruskal(n, len(given), note="all answers are equal")
    chi2 = _kruskal_statistic(both, [group.size for group in given])
    p = exact_kruskal(both, [group.size for group in given]) if exact else None
    why = "" if p is not None or not exact else f"too many ways to count for n = {n}: the asymptotic p is used"
    return Kruskal(n, len(given), chi2, len(given) - 1, chi2_tail(chi2, len(given) - 1), p, "", why)


def _kruskal_statistic(values: Floats, sizes: list[int]) -> float:
    n, ranks = values.size, midranks(values)
    parts = np.split(ranks, np.cumsum(sizes)[:-1])
    squares = sum(float(part.sum()) ** 2 / part.size for part in parts)
    h = 12.0 / (n * (n + 1)) * squares - 3 * (n + 1)
    return h / (1 - tie_term(values) / (n**3 - n))


def exact_kruskal(values: Floats, sizes: list[int]) -> float | None:
    """P(statistic >= observed) over all ways to deal the answers to the groups; None where too many.

    Equal answers are dealt together: one step per distinct answer, with the number of ways as weight.

    Args:
        values: (n,) answers, group after group; sizes: people in each group.
    """
    doubled = np.rint(2 * midranks(values)).astype(np.int64)
    centred = doubled - (values.size + 1)
    ranks, numbers = np.unique(centred, return_counts=True)
    reach = int(np.abs(centred).sum())
    if math.prod((size + 1) * (2 * reach + 1) for size in sizes[:-1]) > 2**62:
        return None
    groups = len(sizes)
    states = Dealt(np.zeros((1, groups), dtype=np.int64), np.zeros((1, groups), dtype=np.int64), np.ones(1))
    work = 0
    for rank, number in zip(ranks.tolist(), numbers.tolist(), strict=True):
        if math.prod(min(number, size) + 1 for size in sizes) > EXACT_STATES:
            return None
        deals, more = _deals(number, sizes)
        work += states.ways.size * more.size
        if work > EXACT_STATES:
            return None
        states = _dealt(states, deals, more, rank, sizes, reach)
    edges = np.cumsum([0, *sizes])
    sums = np.array([centred[start:end].sum() for start, end in pairwise(edges.tolist())])
    shares = np.array([math.lcm(*sizes) // size for size in sizes])
    extreme = states.ways[states.sums**2 @ shares >= int(sums**2 @ shares)]
    return min(1.0, math.fsum(extreme) / math.fsum(states.ways))


@dataclass(frozen=True)
class Dealt:
    """Where the answers dealt so far can have got to.

    Attributes:
        counts: (states, groups) answers each group has; sums: (states, groups) sums of its centred doubled ranks.
        ways: (states,) to get there.
    """

    counts: Ints
    sums: Ints
    ways: Floats


def _deals(number: int, sizes: list[int]) -> tuple[Ints, Floats]:
    """Every split of ``number`` equal answers over the groups (deals, groups), and its number of ways (deals,)."""
    splits = [split for split in product(*(range(min(number, size) + 1) for size in sizes)) if sum(split) == number]
    ways = [math.factorial(number) / math.prod(map(math.factorial, split)) for split in splits]
    return np.array(splits, dtype=np.int64), np.array(ways)


def _dealt(states: Dealt, deals: Ints, more: Floats, rank: int, sizes: list[int], reach: int) -> Dealt:
    """Every state after every deal; equal ones together. The last group follows from the others."""
    groups = len(sizes)
    counts = (states.counts[:, None, :] + deals).reshape(-1, groups)
    fits = (counts <= np.array(sizes)).all(axis=1)
    counts = counts[fits]
    sums = (states.sums[:, None, :] + rank * deals).reshape(-1, groups)[fits]
    ways = (states.ways[:, None] * more).ravel()[fits]
    keys = np.zeros(len(counts), dtype=np.int64)
    for group, size in enumerate(sizes[:-1]):
        keys = (keys * (size + 1) + counts[:, group]) * (2 * reach + 1) + sums[:, group] + reach
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    return Dealt(counts[first], sums[first], np.bincount(which, ways).astype(float))
