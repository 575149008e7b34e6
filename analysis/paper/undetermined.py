"""What the published numbers leave open, each shown by a computation over the cells that would have to decide it."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from analysis.describe import p_value
from analysis.paper.checks import Check, Verdict
from analysis.paper.published import Cell, Published
from analysis.paper.reconstruction import Counts, data_sets, possible

PAPER = "skingen"


def audit(facts: Published) -> tuple[Check, ...]:
    """All open questions about the SkinGEN study."""
    return (_raw_data(facts), _figure9(facts), _order(facts), _paired_tests(facts), _joint(facts), _sequences(facts))


def _raw_data(facts: Published) -> Check:
    """One data set behind Tables 3 and 5 would be a reproduction; there are very many."""
    number = data_sets()
    size = f"about 10^{len(str(number)) - 1}"
    return _open(
        key="skingen.raw_data",
        claim="Tables 3 and 5 determine the participants' ratings",
        cells=(facts.participants, *facts.select(PAPER, "table3"), *facts.select(PAPER, "table5")),
        published="means, SDs and counts",
        computed=f"{size} possible data sets",
        sentence=f"The ratings themselves are unpublished; {size} data sets of {facts.participants.value} people "
        "give exactly Tables 3 and 5, and a reconstruction is one of them.",
    )


def _figure9(facts: Published) -> Check:
    cells = facts.select(PAPER, "figure9")
    printed = [cell for cell in cells if cell.value]
    return _open(
        key="skingen.figure9.values",
        claim="Figure 9: means and SDs of three statements for three systems",
        cells=cells,
        published="a picture",
        computed=f"{len(printed)} of {len(cells)} numbers are printed as text",
        sentence=f"{len(printed)} of the {len(cells)} means and SDs of Figure 9 were published as text. Nothing is "
        "drawn in their place, and no test of the three systems can be repeated.",
    )


def _order(facts: Published) -> Check:
    """Section 5.3 describes Figure 9 in words; each description orders one pair of systems."""
    said = facts.select(PAPER, "figure9 in words")
    systems = facts.cell(PAPER, "text", "systems", "n").whole
    pairs = math.comb(systems, 2)
    statements = facts.rows(PAPER, "figure9")
    known = {row: _transitive({_pair(cell) for cell in said if cell.row == row}) for row in statements}
    missing = [row for row, found in known.items() if len(found) < pairs]
    number = sum(len(found) for found in known.values())
    of = pairs * len(statements)
    names = ", ".join(missing)
    return _open(
        key="skingen.figure9.order",
        claim="Section 5.3: the order of the three systems in Figure 9",
        cells=(*said, *facts.select(PAPER, "figure9")),
        published="words",
        computed=f"{number} of {of} pairs are ordered",
        sentence=f"The words of section 5.3 order {number} of the {of} pairs of systems"
        f"{f' (not all of {names})' if missing else ''}; they give no size of a difference. "
        "The text says “significantly”, but no test, statistic or p is reported.",
    )


def _pair(cell: Cell) -> tuple[str, str]:
    lower, _, higher = cell.column.partition(" < ")
    return lower, higher


def _transitive(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """a < b and b < c give a < c; three systems need one step."""
    return pairs | {(a, d) for a, b in pairs for c, d in pairs if b == c}


def _paired_tests(facts: Published) -> Check:
    """Fix two printed cells; pairing the same ratings in other ways changes the test from one end to the other."""
    means = sorted(facts.select(PAPER, "table5", column="mean"), key=lambda cell: cell.number)
    low, high = means[0], means[-1]
    found = [paired_p(first, second, facts.scale[0]) for first in possible(low.row) for second in possible(high.row)]
    least, most = min(p for p, _ in found), max(p for _, p in found)
    return _open(
        key="skingen.paired_tests",
        claim="Means and SDs determine a within-subject test",
        cells=(facts.participants, low, high, *(facts.cell(PAPER, "table5", cell.row, "sd") for cell in (low, high))),
        published=f"{low.value} and {high.value}",
        computed=f"paired t: p from {p_value(least)} to {p_value(most)}",
        sentence=f"Marginals do not determine a paired test: ratings with the printed {low.value} (“{low.row}”) and "
        f"{high.value} (“{high.row}”) give a paired t test between p {_is(least)} and p {_is(most)}, depending on who "
        "gave which rating.",
    )


def paired_p(first: Counts, second: Counts, low: int) -> tuple[float, float]:
    """Least and greatest p of a paired t test between ratings with these counts (scipy.stats.ttest_rel).

    The mean difference is fixed; its SD is least when both are sorted alike, greatest when sorted opposite ways.
    """
    points = np.arange(low, low + len(first))
    lower, upper = np.repeat(points, first), np.repeat(points, second)
    alike, opposite = (float(stats.ttest_rel(lower, other).pvalue) for other in (upper, upper[::-1]))
    return min(alike, opposite), max(alike, opposite)


def _joint(facts: Published) -> Check:
    cells = facts.select(PAPER, "table3", column="count")
    counts = {cell.row: cell.whole for cell in cells}
    women, medical, n = counts["Gender: Female"], counts["Medical background: Yes"], facts.participants.whole
    fewest, most = max(0, women + medical - n), min(women, medical)
    return _open(
        key="skingen.table3.joint",
        claim="Table 3: gender and medical background together",
        cells=(facts.participants, *cells),
        published="two separate counts",
        computed=f"{fewest} to {most} women with a medical background",
        sentence=f"Between {fewest} and {most} of the {women} women may have a medical background; Table 3 does not "
        "say, and ratings are not given by group.",
    )


def _sequences(facts: Published) -> Check:
    systems, n = facts.cell(PAPER, "text", "systems", "n"), facts.participants
    orders = math.factorial(systems.whole)
    over = n.whole % orders
    return _open(
        key="skingen.sequences",
        claim="How many participants met the systems in each order",
        cells=(systems, n),
        published="randomized order",
        computed=f"{n.value} = {n.whole // orders} x {orders} + {over}",
        sentence=f"The number of participants in each of the {orders} orders is not published; {n.value} people cannot "
        f"fill them evenly ({over} left over). Order and carry-over effects cannot be examined.",
    )


def _is(p: float) -> str:
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"


def _open(*, key: str, claim: str, cells: tuple[Cell, ...], published: str, computed: str, sentence: str) -> Check:
    return Check(key, PAPER, claim, cells, published, computed, Verdict.open, sentence)
