"""Within-subject comparison of conditions on ratings: Friedman, exact Wilcoxon pairs, Holm.

The exact p-values are conditional on the ties that were observed. Library routines are not used
for them: the usual "exact" Wilcoxon ignores ties and zeros, which are the rule on five points.
Validated against R 4.2.2 (friedman.test, coin::wilcoxsign_test, p.adjust): tests/reference/.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

EXACT_FRIEDMAN_N = 200
EXACT_WILCOXON_N = 500
"""Above these the asymptotic p is used and said so; exact ones would take seconds and change nothing."""

DECIMALS = 9
"""Scale means differ by rounding errors (11/3 − 10/3 against 4/3 − 1); nine decimals make them ties."""


@dataclass(frozen=True)
class Friedman:
    """Omnibus test of one item, listwise over the conditions.

    Attributes:
        chi2, df, p_asymptotic: tie-corrected (R: friedman.test); None where ``note`` says why.
        p_exact: conditional on the ties; None above EXACT_FRIEDMAN_N or for more than 3 conditions.
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

    @property
    def p(self) -> float | None:
        """The exact p where it was computed, else the asymptotic one."""
        return self.p_asymptotic if self.p_exact is None else self.p_exact


@dataclass(frozen=True)
class Signed:
    """Wilcoxon signed-rank test of paired differences; zeros are dropped and counted.

    Attributes:
        w_plus, w_minus: sums of the midranks of the positive and negative differences.
        p: two-sided; None where every difference is zero.
        exact: whether ``p`` is exact conditional (else normal, tie-corrected, no continuity correction).
        rank_biserial: (W+ − W−) / (W+ + W−), positive where the first of the pair is rated higher.
    """

    n: int
    n_zero: int
    n_positive: int
    n_negative: int
    w_plus: float
    w_minus: float
    p: float | None
    exact: bool
    rank_biserial: float | None
    note: str = ""


@dataclass(frozen=True)
class Pair:
    """``first`` minus ``second`` (condition keys), pairwise complete."""

    first: str
    second: str
    test: Signed
    p_holm: float | None
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """All tests of one item (its key)."""

    item: str
    friedman: Friedman
    pairs: tuple[Pair, ...]


def compare_items(frames: dict[str, pd.DataFrame]) -> tuple[Comparison, ...]:
    """Compare each item's conditions; Friedman is Holm-corrected over the items.

    Args:
        frames: item key -> (participants, conditions) ratings, NaN where nothing was answered.
    """
    found = [compare(item, frame) for item, frame in frames.items()]
    corrected = holm([comparison.friedman.p for comparison in found])
    return tuple(
        replace(comparison, friedman=replace(comparison.friedman, p_holm=p))
        for comparison, p in zip(found, corrected, strict=True)
    )


def compare(item: str, frame: pd.DataFrame) -> Comparison:
    """Friedman (listwise) and every pair (pairwise, Holm over the item's pairs).

    Pairs are later minus earlier condition, so that a positive effect favours the later one.
    """
    keys = [str(key) for key in frame.columns]
    complete = frame.dropna()
    omnibus = replace(friedman(complete.to_numpy(float)), left_out=_absent(frame, complete))
    order = [(a, b) for a in reversed(range(len(keys))) for b in range(a)]
    tests, absent = [], []
    for a, b in order:
        both = frame.iloc[:, [a, b]].dropna()
        tests.append(signed_rank((both.iloc[:, 0] - both.iloc[:, 1]).to_numpy(float)))
        absent.append(_absent(frame, both))
    corrected = holm([test.p for test in tests])
    pairs = tuple(
        Pair(keys[a], keys[b], test, p, gone)
        for (a, b), test, p, gone in zip(order, tests, corrected, absent, strict=True)
    )
    return Comparison(item, omnibus, pairs)


def _absent(frame: pd.DataFrame, used: pd.DataFrame) -> tuple[str, ...]:
    return tuple(str(participant) for participant in frame.index.difference(used.index, sort=False))


def friedman(values: npt.ArrayLike) -> Friedman:
    """Tie-corrected Friedman test (R: friedman.test) with Kendall's W and the exact conditional p.

    Args:
        values: (n, k) complete ratings, one row a participant.
    """
    matrix = np.round(np.asarray(values, dtype=float), DECIMALS)
    n, k = matrix.shape
    empty = Friedman(n, k, None, k - 1, None, None, None, ())
    if k < 2:
        return replace(empty, note="one condition only: nothing to compare")
    if n < 2:
        return replace(empty, note="fewer than two participants answered in every condition")
    ranks = stats.rankdata(matrix, axis=1)
    means = tuple(float(mean) for mean in ranks.mean(axis=0))
    doubled = np.rint(2 * ranks).astype(np.int64) - (k + 1)  # centred: each row sums to 0
    spread = int((doubled**2).sum())
    if spread == 0:
        return replace(empty, mean_ranks=means, note="all differences are zero")
    deviation = int((doubled.sum(axis=0) ** 2).sum())
    chi2 = (k - 1) * deviation / spread
    exact = exact_friedman(doubled) if k <= 3 and n <= EXACT_FRIEDMAN_N else None
    p = float(stats.chi2.sf(chi2, k - 1))
    return Friedman(n, k, chi2, k - 1, p, exact, chi2 / (n * (k - 1)), means)


def exact_friedman(doubled: Ints) -> float:
    """P(Friedman statistic >= observed) when each row is permuted at random.

    Given the ties, the statistic grows with the squared length of the vector of rank sums alone.
    Its distribution is the convolution of the rows' permutations, on an integer lattice of k − 1
    dimensions (the last sum follows from the others).

    Args:
        doubled: (n, k) centred doubled midranks, integers, each row summing to 0.
    """
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


def signed_rank(differences: npt.ArrayLike) -> Signed:
    """Exact conditional Wilcoxon signed-rank test, zeros dropped.

    R: coin::wilcoxsign_test(zero.method = "Wilcoxon", distribution = "exact"), which agrees with
    exactRankTests::wilcox.exact.
    """
    d = np.round(np.asarray(differences, dtype=float), DECIMALS)
    used = d[d != 0]
    zeros, positive = d.size - used.size, int((used > 0).sum())
    if used.size == 0:
        note = "all differences are zero" if d.size else "nobody answered in both conditions"
        return Signed(d.size, zeros, 0, 0, 0.0, 0.0, None, True, None, note)
    doubled = np.rint(2 * stats.rankdata(np.abs(used))).astype(np.int64)
    plus = int(doubled[used > 0].sum())
    minus = int(doubled.sum()) - plus
    exact = used.size <= EXACT_WILCOXON_N
    p = exact_signed_rank(doubled, plus) if exact else _normal_signed_rank(doubled, plus)
    effect = (plus - minus) / (plus + minus)
    return Signed(d.size, zeros, positive, used.size - positive, plus / 2, minus / 2, p, exact, effect)


def exact_signed_rank(doubled: Ints, plus: int) -> float:
    """Two-sided p of W+ = ``plus`` / 2 when every sign is a fair coin (shift algorithm).

    Args:
        doubled: (n,) doubled midranks of the non-zero differences, positive integers.
        plus: sum of those with a positive difference.
    """
    total = int(doubled.sum())
    chance = np.zeros(total + 1)
    chance[0] = 1.0
    for rank in doubled.tolist():
        shifted = np.zeros_like(chance)
        shifted[rank:] = chance[:-rank]
        chance = (chance + shifted) / 2
    tail = min(plus, total - plus)  # the distribution is symmetric about total / 2
    return min(1.0, 2 * math.fsum(chance[: tail + 1]))


def _normal_signed_rank(doubled: Ints, plus: int) -> float:
    z = (2 * plus - int(doubled.sum())) / math.sqrt(float((doubled.astype(float) ** 2).sum()))
    return float(2 * stats.norm.sf(abs(z)))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction (R: p.adjust(method = "holm")), in the order given.

    A None (no difference to test) stays None but counts in the family as p = 1: the family was
    fixed before the answers were seen.
    """
    filled = [1.0 if p is None else p for p in p_values]
    corrected = [0.0] * len(filled)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(filled)), key=filled.__getitem__)):
        highest = max(highest, min(1.0, (len(filled) - rank) * filled[index]))
        corrected[index] = highest
    return [None if p is None else q for p, q in zip(p_values, corrected, strict=True)]
