"""Omnibus test of k conditions that the same participants rated: Friedman, Iman–Davenport, exact p.

Library routines give the asymptotic p only; the exact one here is conditional on the observed ties.
Validated against R 4.2.2 (friedman.test, coin::friedman_test): tests/reference/.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import numpy.typing as npt

from analysis.distributions import Floats, chi2_tail, f_tail, midranks

Ints = npt.NDArray[np.int64]

EXACT_N = 200
"""Up to three conditions: above this the asymptotic p is used and said so; the exact one would change nothing."""

EXACT_WORK = 4_000_000
"""Four conditions and more: states times orders that may be counted before the exact p is given up (seconds)."""

DECIMALS = 9
"""Scale means differ by rounding errors (11/3 − 10/3 against 4/3 − 1); nine decimals make them ties."""


@dataclass(frozen=True)
class ImanDavenport:
    """F = (n − 1) chi2 / (n (k − 1) − chi2): the repeated-measures ANOVA of the within-participant ranks."""

    f: float
    df1: int
    df2: int
    p: float


@dataclass(frozen=True)
class Friedman:
    """Omnibus test of one item, listwise over the conditions.

    Attributes:
        chi2, df, p_asymptotic: tie-corrected (R: friedman.test); None where ``note`` says why.
        p_exact: conditional on the ties; None where ``exact_note`` says why.
        iman_davenport: None where every participant ranks the conditions alike (F is infinite).
        p_holm: ``p`` corrected over the items of the study, set by ``compare_items``.
        kendall_w: chi2 / (n (k − 1)), between 0 and 1.
        left_out: participants without an answer in every condition.
    """

    n: int
    k: int
    chi2: float | None
    df: int
    p_asymptotic: float | None
    p_exact: float | None
    kendall_w: float | None
    mean_ranks: tuple[float, ...]
    left_out: tuple[str, ...] = ()
    note: str = ""
    p_holm: float | None = None
    iman_davenport: ImanDavenport | None = None
    exact_note: str = ""

    @property
    def p(self) -> float | None:
        """The exact p where it was computed, else the asymptotic one."""
        return self.p_asymptotic if self.p_exact is None else self.p_exact


def friedman(values: npt.ArrayLike) -> Friedman:
    """Tie-corrected Friedman test (R: friedman.test) with Kendall's W and the exact conditional p.

    Args:
        values: (n, k) complete ratings, one row a participant.
    """
    matrix = np.round(np.asarray(values, dtype=float), DECIMALS)
    n, k = matrix.shape
    empty = Friedman(n, k, None, max(k - 1, 0), None, None, None, ())
    if k < 2:
        return replace(empty, note="one condition only: nothing to compare")
    if n < 2:
        return replace(empty, note="fewer than two participants answered in every condition")
    doubled = doubled_ranks(matrix)
    means = tuple(float(mean) for mean in (doubled.mean(axis=0) + k + 1) / 2)
    spread = int((doubled**2).sum())
    if spread == 0:
        return replace(empty, mean_ranks=means, note="all differences are zero")
    deviation = int((doubled.sum(axis=0) ** 2).sum())
    chi2 = (k - 1) * deviation / spread
    exact, why = _exact_where_feasible(doubled)
    return replace(
        empty,
        chi2=chi2,
        p_asymptotic=chi2_tail(chi2, k - 1),
        p_exact=exact,
        kendall_w=chi2 / (n * (k - 1)),
        mean_ranks=means,
        iman_davenport=_iman_davenport(chi2, n, k, alike=deviation == n * spread),
        exact_note=why,
    )


def doubled_ranks(matrix: Floats) -> Ints:
    """(n, k) midranks within each row, doubled and centred: integers, each row sums to 0."""
    return np.rint(2 * midranks(matrix)).astype(np.int64) - (matrix.shape[1] + 1)


def _iman_davenport(chi2: float, n: int, k: int, alike: bool) -> ImanDavenport | None:
    """Iman & Davenport (1980), doi 10.1080/03610928008827904; None where F is infinite."""
    if alike:
        return None
    df1, df2 = k - 1, (k - 1) * (n - 1)
    f = (n - 1) * chi2 / (n * (k - 1) - chi2)
    return ImanDavenport(f, df1, df2, f_tail(f, df1, df2))


def _exact_where_feasible(doubled: Ints) -> tuple[float | None, str]:
    n, k = doubled.shape
    if k <= 3 and n > EXACT_N:
        return None, f"n = {n} is above {EXACT_N}: the asymptotic p is used"
    p = exact_friedman(doubled)
    return p, "" if p is not None else f"too many orders to count for k = {k}, n = {n}: the asymptotic p is used"


def exact_friedman(doubled: Ints) -> float | None:
    """P(Friedman statistic >= observed) when each row is permuted at random; None where infeasible.

    Given the ties, the statistic grows with the squared length of the vector of rank sums alone.
    Its distribution is the convolution of the rows' permutations, exact in integers but for the
    rounding of the probabilities (R: coin::friedman_test, whose conditional p is Monte Carlo).

    Args:
        doubled: (n, k) centred doubled midranks, integers, each row summing to 0.
    """
    return _on_a_lattice(doubled) if doubled.shape[1] <= 3 else _by_orbits(doubled)


def _on_a_lattice(doubled: Ints) -> float:
    """k <= 3: a dense table over the first k − 1 rank sums (the last follows from them)."""
    k = doubled.shape[1]
    reach = np.cumsum(np.abs(doubled).max(axis=1))
    side = 2 * int(reach[-1]) + 1
    table = np.zeros((side,) * (k - 1))
    centre = side // 2
    table[(centre,) * (k - 1)] = 1.0
    for row, extent in zip(doubled, [0, *reach[:-1]], strict=True):
        steps = {order[:-1] for order in permutations(row.tolist())}  # distinct ones are equally likely
        reached = table[(slice(centre - extent, centre + extent + 1),) * (k - 1)].copy() / len(steps)
        table[...] = 0.0
        for step in steps:
            table[tuple(slice(centre - extent + s, centre + extent + 1 + s) for s in step)] += reached
    offsets = np.indices(table.shape) - centre
    squared = (offsets**2).sum(axis=0) + offsets.sum(axis=0) ** 2
    observed = int((doubled.sum(axis=0) ** 2).sum())
    return min(1.0, float(table[squared >= observed].sum()))


def _by_orbits(doubled: Ints) -> float | None:
    """k > 3: the sums that occur, each kept sorted, because every order of them is equally likely."""
    k = doubled.shape[1]
    reach = int(np.abs(doubled).max(axis=1).sum())
    base = 2 * reach + 1
    if base ** (k - 1) > 2**62 or math.factorial(k) > EXACT_WORK:
        return None
    place = base ** np.arange(k - 1, dtype=np.int64)
    states: Ints = np.zeros((1, k), dtype=np.int64)
    chance: Floats = np.ones(1)
    work = 0
    for row in doubled:
        steps = np.array(sorted(set(permutations(row.tolist()))), dtype=np.int64)
        work += len(states) * len(steps)
        if work > EXACT_WORK:
            return None
        grown = np.sort((states[:, None, :] + steps[None, :, :]).reshape(-1, k), axis=1)
        keys = (grown[:, :-1] + reach) @ place
        _, first, which = np.unique(keys, return_index=True, return_inverse=True)
        chance = np.bincount(which, np.repeat(chance / len(steps), len(steps))).astype(float)
        states = grown[first]
    observed = int((doubled.sum(axis=0) ** 2).sum())
    return min(1.0, float(chance[(states**2).sum(axis=1) >= observed].sum()))
