"""Wilcoxon's signed-rank test of paired ratings, exact in the presence of ties and zeros.

Library routines are not used for it: ``scipy.stats.wilcoxon(method="exact")`` ignores ties and zeros,
which are the rule on five points (5 ones, 40 zeros, 5 minus-ones: 3.6e-5 where the truth is 1).
Validated against R 4.2.2 (coin::wilcoxsign_test, exactRankTests::wilcox.exact): tests/reference/.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.distributions import midranks, normal_tail
from analysis.friedman import DECIMALS, Floats, Ints

EXACT_N = 500
"""Above this many differences the normal approximation is used and said so."""


@dataclass(frozen=True)
class Signed:
    """Wilcoxon signed-rank test of paired differences; zeros are dropped and counted.

    Attributes:
        w_plus, w_minus: sums of the midranks of the positive and negative differences.
        p_exact: two-sided, conditional on ties and zeros (shift algorithm); None where every difference
            is zero, or above EXACT_N differences.
        p_asymptotic: two-sided normal p, tie-corrected, without continuity correction.
        p_pratt_exact: the same as ``p_exact`` with Pratt's ranks: zeros are ranked, then left out.
        rank_biserial: (W+ − W−) / (W+ + W−), positive where the first of the pair is rated higher.
        hodges_lehmann: median of the Walsh averages of the differences that are not zero.
        probability: P(d > 0) + P(d = 0) / 2 among the pairs.
    """

    n: int
    n_zero: int
    n_positive: int
    n_negative: int
    w_plus: float
    w_minus: float
    p_exact: float | None = None
    p_asymptotic: float | None = None
    p_pratt_exact: float | None = None
    rank_biserial: float | None = None
    hodges_lehmann: float | None = None
    probability: float | None = None
    note: str = ""

    @property
    def exact(self) -> bool:
        """False where ``p`` is the normal approximation."""
        return self.p_exact is not None or self.p_asymptotic is None

    @property
    def p(self) -> float | None:
        """The exact p where it was computed, else the asymptotic one; None without a difference."""
        return self.p_asymptotic if self.p_exact is None else self.p_exact


def signed_rank(differences: npt.ArrayLike) -> Signed:
    """Exact conditional Wilcoxon signed-rank test, zeros dropped.

    R: coin::wilcoxsign_test(zero.method = "Wilcoxon" and "Pratt", distribution = "exact"), which agrees
    with exactRankTests::wilcox.exact; p_asymptotic: wilcox.test(exact = FALSE, correct = FALSE).

    Args:
        differences: (n,) first minus second rating of each participant.
    """
    d = np.round(np.asarray(differences, dtype=float), DECIMALS)
    used = d[d != 0]
    zeros, positive = d.size - used.size, int((used > 0).sum())
    if used.size == 0:
        note = "all differences are zero" if d.size else "nobody answered in both conditions"
        return Signed(d.size, zeros, 0, 0, 0.0, 0.0, probability=0.5 if d.size else None, note=note)
    doubled = np.rint(2 * midranks(np.abs(used))).astype(np.int64)
    pratt = doubled + 2 * zeros  # zeros are the smallest, so that each rank grows by their number
    plus, total = int(doubled[used > 0].sum()), int(doubled.sum())
    exact = d.size <= EXACT_N
    return Signed(
        n=d.size,
        n_zero=zeros,
        n_positive=positive,
        n_negative=used.size - positive,
        w_plus=plus / 2,
        w_minus=(total - plus) / 2,
        p_exact=exact_signed_rank(doubled, plus) if exact else None,
        p_asymptotic=_normal_signed_rank(doubled, plus),
        p_pratt_exact=exact_signed_rank(pratt, int(pratt[used > 0].sum())) if exact else None,
        rank_biserial=(2 * plus - total) / total,
        hodges_lehmann=hodges_lehmann(used),
        probability=(positive + zeros / 2) / d.size,
    )


def exact_signed_rank(doubled: Ints, plus: int) -> float:
    """Two-sided p of W+ = ``plus`` / 2 when every sign is a fair coin (shift algorithm).

    Streitberg & Röhmel (1986). Ways are counted up to the smaller tail; beyond 2^53 they are
    rounded as floats, each with a relative error of 1e-16.

    Args:
        doubled: (n,) doubled ranks of the non-zero differences, positive integers, n <= 1000.
        plus: sum of those with a positive difference.
    """
    total = int(doubled.sum())
    tail = min(plus, total - plus)  # the distribution is symmetric about total / 2
    ways = np.zeros(tail + 1)
    ways[0] = 1.0
    reached = 0
    for rank in np.sort(doubled).tolist():
        if rank > tail:
            break
        reached = min(reached + rank, tail)
        ways[rank : reached + 1] += ways[: reached + 1 - rank].copy()
    return min(1.0, math.ldexp(math.fsum(ways), 1 - doubled.size))


def _normal_signed_rank(doubled: Ints, plus: int) -> float:
    z = (2 * plus - int(doubled.sum())) / math.sqrt(float((doubled.astype(float) ** 2).sum()))
    return 2 * normal_tail(abs(z))


def hodges_lehmann(differences: Floats) -> float:
    """Median of the Walsh averages (d_i + d_j) / 2, i <= j (Hodges & Lehmann 1963).

    R's wilcox.test(conf.int = TRUE) drops zeros as well, then searches a root to four decimals; this
    is the number it searches for. Equal differences are counted, not listed, so that n may be large.

    Args:
        differences: (n,) differences, n >= 1.
    """
    values, counts = np.unique(differences, return_counts=True)
    first, second = np.triu_indices(values.size)
    same = first == second
    ways = np.where(same, counts[first] * (counts[first] + 1) // 2, counts[first] * counts[second])
    averages = (values[first] + values[second]) / 2
    order = np.argsort(averages, kind="stable")
    below = np.cumsum(ways[order])
    total = int(below[-1])
    middle = [int(np.searchsorted(below, rank)) for rank in ((total + 1) // 2, total // 2 + 1)]
    return float(averages[order][middle].mean())
