"""The audit of what SkinGPT-4 and DermDiT print."""

from __future__ import annotations

import math

from analysis.describe import half_up
from analysis.paper.checks import Check, Verdict, decide, signed, total
from analysis.paper.consistency import counts_of_percentage
from analysis.paper.published import Cell, Published

TEXTS = ("text (arXiv)", "text (journal)")
AGREEING = ("strongly agree", "agree")


def audit(facts: Published) -> tuple[Check, ...]:
    """All checks, in the order of the papers."""
    return (
        *_totals(facts),
        _ratings_per_item(facts),
        *(_percentages(facts, table) for table in TEXTS),
        *(_text_and_figure(facts, table, item) for table in TEXTS for item in facts.rows("skingpt4", "figure4a")),
        _added_percentages(facts),
        _response_times(facts),
        _repeats(facts),
        _test_sets(facts),
        *(_synthetic_training(facts, metric) for metric in ("AUC", "Recall", "F1")),
    )


def _totals(facts: Published) -> tuple[Check, ...]:
    found = []
    for column in ("step 2", "clinical evaluation"):
        cells = facts.select("skingpt4", "table2", column=column)
        parts, printed = [cell for cell in cells if cell.row != "Total"], cells[-1]
        holds = total(parts) == printed.whole
        found.append(
            Check(
                key=f"skingpt4.table2.{column.replace(' ', '_')}",
                paper="skingpt4",
                claim=f"Table 2: the classes of the {column} data add up to the total",
                cells=cells,
                published=printed.value,
                computed=str(total(parts)),
                verdict=decide(holds),
                sentence=f"Table 2, {column}: {len(parts)} classes add up to {total(parts)}, "
                f"{'as printed' if holds else f'printed is {printed.value}'}.",
            )
        )
    return tuple(found)


def _cases(facts: Published) -> Cell:
    return facts.cell("skingpt4", "text", "cases", "n")


def _ratings(facts: Published, item: str) -> int:
    return total(facts.select("skingpt4", "figure4a", item))


def _ratings_per_item(facts: Published) -> Check:
    """Every bar of Figure 4a holds one rating per case, so its parts must add up to the cases."""
    items, cases = facts.rows("skingpt4", "figure4a"), _cases(facts)
    sums = [_ratings(facts, item) for item in items]
    computed = ", ".join(str(number) for number in dict.fromkeys(sums))
    return Check(
        key="skingpt4.figure4a.cases",
        paper="skingpt4",
        claim="Figure 4a: the ratings of each statement add up to the number of cases",
        cells=(cases, *facts.select("skingpt4", "figure4a")),
        published=f"{cases.value} cases",
        computed=f"{computed} ratings in each of {len(items)} rows",
        verdict=decide(all(number == cases.whole for number in sums)),
        sentence=f"The {len(items)} rows of Figure 4a add up to {computed} ratings each; the text reports "
        f"{cases.value} cases.",
    )


def _percentages(facts: Published, table: str) -> Check:
    """GRIM for percentages, at the number of cases and at the number of ratings in the figure."""
    said = facts.select("skingpt4", table, column="percent agree")
    cases, ratings = _cases(facts), _ratings(facts, said[0].row)
    possible = {n: sum(bool(counts_of_percentage(cell.value, n)) for cell in said) for n in (cases.whole, ratings)}
    account = "; ".join(f"{number} of {len(said)} at n = {n}" for n, number in possible.items())
    version = table.removeprefix("text ").strip("()")
    return Check(
        key=f"skingpt4.{version.lower()}.cases",
        paper="skingpt4",
        claim=f"Text ({version}): the percentages of agreement are possible with {cases.value} cases",
        cells=(cases, *said),
        published=", ".join(f"{cell.value}%" for cell in said),
        computed=account,
        verdict=decide(possible[cases.whole] == len(said)),
        sentence=f"Percentages of agreement in the text ({version}) that some count gives: {account}.",
    )


def _text_and_figure(facts: Published, table: str, item: str) -> Check:
    """The text's percentage as a count out of the figure's ratings, beside the figure's own count."""
    said = facts.cell("skingpt4", table, item, "percent agree")
    bars = tuple(facts.cell("skingpt4", "figure4a", item, answer) for answer in AGREEING)
    n, drawn = _ratings(facts, item), total(bars)
    meant = said.number * n / 100
    version = table.removeprefix("text ").strip("()")
    holds = drawn in counts_of_percentage(said.value, n)
    share = half_up(100 * drawn / n)
    sentence = (
        f"“{item}” ({version}): the text's {said.value}% of {n} are {float(meant):.1f} ratings; the figure shows "
    )
    sentence += f"{drawn} ({share}%){'' if holds else f', a difference of {signed(meant - drawn, 1)} ratings'}."
    return Check(
        key=f"skingpt4.{version.lower()}.figure4a.{facts.rows('skingpt4', 'figure4a').index(item) + 1}",
        paper="skingpt4",
        claim=f"“{item}”: the text ({version}) gives the agreement that Figure 4a shows",
        cells=(said, *bars),
        published=f"{said.value}%",
        computed=f"{drawn} of {n} = {share}%",
        verdict=decide(holds),
        sentence=sentence,
    )


def _added_percentages(facts: Published) -> Check:
    """A percentage must come from its count; adding two rounded ones rounds twice."""
    item = facts.rows("skingpt4", "figure4a")[0]
    both = facts.cell("skingpt4", TEXTS[0], item, "percent agree")
    parts = tuple(
        facts.cell("skingpt4", TEXTS[0], item, column) for column in ("percent strongly agree", "percent agree only")
    )
    n = _ratings(facts, item)
    added = parts[0].number + parts[1].number
    counts = [next(iter(counts_of_percentage(part.value, n)), None) for part in parts]
    number = None if None in counts else sum(count or 0 for count in counts)
    share = "no count" if number is None else f"{number} of {n} = {half_up(100 * number / n)}%"
    holds = number is not None and number in counts_of_percentage(both.value, n)
    return Check(
        key="skingpt4.arxiv.sum_of_rounded",
        paper="skingpt4",
        claim=f"Text (arXiv): “{item}”, agreement is the percentage of those who agree or strongly agree",
        cells=(both, *parts),
        published=f"{both.value}% = {parts[0].value}% + {parts[1].value}%",
        computed=share,
        verdict=decide(holds),
        sentence=f"{parts[0].value}% + {parts[1].value}% = {float(added):.2f}% adds two rounded percentages; "
        f"from the counts it is {share}.",
    )


def _response_times(facts: Published) -> Check:
    """Where the slowest of one group is faster than the fastest of the other, the ranks are known without the data.

    Then Mann-Whitney's U is 0, and of the C(m + n, m) ways to give the ranks to the groups one is as extreme on either
    side (R: wilcox.test(x, y, exact = TRUE) on any two separated samples).
    """
    slowest = facts.cell("skingpt4", "figure4b", "SkinGPT-4", "highest, seconds")
    fastest = facts.cell("skingpt4", "figure4b", "online dermatologists", "lowest, minutes")
    first, second = facts.select("skingpt4", "figure4b", column="n")
    apart = slowest.number < 60 * fastest.number
    p = 2 / math.comb(first.whole + second.whole, first.whole)
    test = f"U = 0, exact two-sided p = {p:.2g}" if apart else "the ranges overlap: no test follows from them"
    return Check(
        key="skingpt4.figure4b.test",
        paper="skingpt4",
        claim="Figure 4b: SkinGPT-4 answers faster than online dermatologists (Mann-Whitney)",
        cells=(first, second, slowest, fastest),
        published=f"at most {slowest.value} s; at least {fastest.value} min",
        computed=test,
        verdict=Verdict.holds if apart else Verdict.open,
        sentence=f"SkinGPT-4's slowest answer took {slowest.value} s, the dermatologists' fastest {fastest.value} min "
        f"({first.value} and {second.value} answers): {test}.",
    )


def _repeats(facts: Published) -> Check:
    samples, runs = (facts.cell("skingpt4", "figure4c", row, "n") for row in ("samples", "runs per sample"))
    answers = facts.cell("skingpt4", "figure4c", "answers", "count")
    product = samples.whole * runs.whole
    return Check(
        key="skingpt4.figure4c.answers",
        paper="skingpt4",
        claim="Figure 4c: answers = samples x runs",
        cells=(samples, runs, answers),
        published=answers.value,
        computed=str(product),
        verdict=decide(product == answers.whole),
        sentence=f"{samples.value} samples x {runs.value} runs = {product} answers; the figure counts {answers.value}.",
    )


def _test_sets(facts: Published) -> Check:
    printed = facts.cell("dermdit", "table2", "caption", "test datasets")
    rows = [row for row in facts.rows("dermdit", "table2") if row != "caption"]
    whole = [row for row in rows if "(" not in row]  # DDI (A), (B), (C) are parts of DDI
    names = {row.removesuffix(" Derm").removesuffix(" Clinical") for row in whole}
    ways = {"rows": len(rows), "without the skin-tone parts of DDI": len(whole), "by name": len(names)}
    account = ", ".join(f"{number} {way}" for way, number in ways.items())
    return Check(
        key="dermdit.table2.test_sets",
        paper="dermdit",
        claim="Table 2: number of test datasets",
        cells=(printed, *facts.select("dermdit", "table2", column="real: AUC")),
        published=printed.value,
        computed=account,
        verdict=decide(printed.whole in ways.values()),
        sentence=f"The caption speaks of {printed.value} test datasets; the table has {account}.",
    )


def _synthetic_training(facts: Published, metric: str) -> Check:
    """Section 3.2 says that synthetic images did not improve AUC and gave better recall and F1."""
    claim = facts.cell("dermdit", "text", "training on synthetic images", "claim")
    cells = facts.select("dermdit", "table2", column=f"real: {metric}")
    pairs = [(real, facts.cell("dermdit", "table2", real.row, f"synthetic: {metric}")) for real in cells]
    lower = [real.row for real, synthetic in pairs if synthetic.number < real.number]
    higher = len(pairs) - len(lower) - sum(real.number == synthetic.number for real, synthetic in pairs)
    claimed = metric in claim.value
    holds = not lower if claimed else len(lower) > higher
    names = ", ".join(lower)
    said = "better, so higher in every row" if claimed else "not improved, so lower in more rows than higher"
    return Check(
        key=f"dermdit.table2.{metric.lower()}",
        paper="dermdit",
        claim=f"Table 2: {metric} after training on synthetic images ({said})",
        cells=(claim, *(cell for pair in pairs for cell in pair)),
        published=said,
        computed=f"higher in {higher}, lower in {len(lower)} of {len(pairs)} rows",
        verdict=decide(holds),
        sentence=f"{metric} after training on synthetic images is higher in {higher} and lower in {len(lower)} of "
        f"{len(pairs)} rows{f' (lower: {names})' if lower else ''}.",
    )
