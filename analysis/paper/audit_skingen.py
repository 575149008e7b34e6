"""The audit of SkinGEN's printed numbers: Tables 1 to 5 and the means in the text."""

from __future__ import annotations

from fractions import Fraction

from analysis.paper.checks import Check, Verdict, decide, signed, total
from analysis.paper.closure import closure
from analysis.paper.consistency import counts_of_percentage, grim, grimmer
from analysis.paper.published import Cell, Published
from analysis.paper.rounding import Interval, rounds_to

PAPER = "skingen"
DATASETS = ("f17k", "SCIN")
SHOTS = ("5shot", "30shot", "all")
METRICS = {"CLIP": 1, "DINOv2": 1, "MSE": -1}
"""Metric -> 1 where higher is better; a printed gain is positive where the model gets better."""


def audit(facts: Published) -> tuple[Check, ...]:
    """All checks, in the order of the paper."""
    return (
        *_table1(facts),
        *_blip_gains(facts),
        *_scaling_effects(facts),
        *_table3(facts),
        _same_questions(facts),
        *_table5(facts),
        _which_sd(facts),
        *_means_in_the_text(facts),
    )


def _table1(facts: Published) -> tuple[Check, ...]:
    """Images = labels x images per label, where a row names the images per label (Fitzpatrick17k only)."""
    labels = facts.cell(PAPER, "text", "Fitzpatrick17k labels", "n")
    found = []
    for per_label in facts.select(PAPER, "table1", column="images per label"):
        if not per_label.row.startswith("f17k"):
            continue  # SCIN weighs several labels per image: its counts follow from no product
        images = facts.cell(PAPER, "table1", per_label.row, "image counts")
        expected = labels.whole * per_label.whole
        holds = expected == images.whole
        product = f"{labels.value} labels x {per_label.value} images = {expected}"
        end = "as Table 1 prints" if holds else f"but Table 1 prints {images.value}, {images.whole - expected:+d}"
        found.append(
            Check(
                key=f"skingen.table1.{per_label.row}",
                paper=PAPER,
                claim=f"Table 1: number of images of {per_label.row}",
                cells=(labels, per_label, images),
                published=images.value,
                computed=str(expected),
                verdict=decide(holds),
                sentence=f"{per_label.row}: {product}, {end}.",
            )
        )
    return tuple(found)


def _blip_gains(facts: Published) -> tuple[Check, ...]:
    """Section 3.3 defines BLIP Gain as the average over 5-shot, 30-shot and all."""
    return tuple(_blip_gain(facts, dataset, metric) for dataset in DATASETS for metric in METRICS)


def _blip_gain(facts: Published, dataset: str, metric: str) -> Check:
    printed = facts.cell(PAPER, "table2", f"{dataset}_BLIP Gain", metric)
    pairs = [
        tuple(facts.cell(PAPER, "table2", f"{dataset}_{shots}{end}", metric) for end in ("", "_blip"))
        for shots in SHOTS
    ]
    gains = [METRICS[metric] * (after.number - before.number) for before, after in pairs]
    whole, mean = sum(gains, Fraction(0)), sum(gains, Fraction(0)) / len(gains)
    verdict = _as_average(printed, mean)
    is_sum = whole in rounds_to(printed.value)
    is_average = verdict is Verdict.holds
    what = "the average and the sum" if is_sum and is_average else "the average" if is_average else "not the average"
    sentence = f"{dataset} {metric}: the printed gain {printed.value} is {what} of the three gains"
    sentence += f" (average {signed(mean, 3)}, sum {signed(whole, 2)})"
    if not is_average:
        sentence += ", but their sum" if is_sum else ", nor their sum"
    if verdict is Verdict.by_rounding:
        sentence += "; unrounded cells could just give such an average"
    return Check(
        key=f"skingen.table2.blip_gain.{dataset}.{metric}",
        paper=PAPER,
        claim=f"Table 2: BLIP Gain of {dataset}, {metric}, is the average over {', '.join(SHOTS)}",
        cells=(printed, *(cell for pair in pairs for cell in pair)),
        published=printed.value,
        computed=f"average {signed(mean, 3)}; sum {signed(whole, 2)}",
        verdict=verdict,
        sentence=f"{sentence}.",
    )


def _as_average(printed: Cell, mean: Fraction) -> Verdict:
    """Each cell may be off by 0.005, so a difference by 0.01, and so may the average of differences."""
    if mean in rounds_to(printed.value):
        return Verdict.holds
    off = Fraction(1, 100)
    reachable = Interval(mean - off, mean + off).overlaps(rounds_to(printed.value))
    return Verdict.by_rounding if reachable else Verdict.contradicts


def _scaling_effects(facts: Published) -> tuple[Check, ...]:
    """Section 3.3: all minus 30-shot. The models meant are those without BLIP captions."""
    found = []
    for dataset in DATASETS:
        for metric, sign in METRICS.items():
            printed = facts.cell(PAPER, "table2", f"{dataset}_Scaling Effect", metric)
            few, every = (facts.cell(PAPER, "table2", f"{dataset}_{shots}", metric) for shots in ("30shot", "all"))
            effect = sign * (every.number - few.number)
            holds = effect == printed.number
            found.append(
                Check(
                    key=f"skingen.table2.scaling_effect.{dataset}.{metric}",
                    paper=PAPER,
                    claim=f"Table 2: Scaling Effect of {dataset}, {metric}, is all minus 30-shot",
                    cells=(printed, few, every),
                    published=printed.value,
                    computed=signed(effect, 2),
                    verdict=decide(holds),
                    sentence=f"{dataset} {metric}: all minus 30-shot without BLIP captions is {signed(effect, 2)}, "
                    f"{'as printed' if holds else f'printed is {printed.value}'}.",
                )
            )
    return tuple(found)


def _table3(facts: Published) -> tuple[Check, ...]:
    """Counts of each question add up to the participants, and each percentage is its count's."""
    n = facts.participants
    found = []
    for group in dict.fromkeys(row.partition(":")[0] for row in facts.rows(PAPER, "table3")):
        counts = [cell for cell in facts.select(PAPER, "table3", column="count") if cell.row.startswith(group)]
        shares = [cell for cell in facts.select(PAPER, "table3", column="percentage") if cell.row.startswith(group)]
        pairs = zip(counts, shares, strict=True)
        right = [count.whole in counts_of_percentage(share.value, n.whole) for count, share in pairs]
        holds = total(counts) == n.whole and all(right)
        found.append(
            Check(
                key=f"skingen.table3.{group.lower().replace(' ', '_')}",
                paper=PAPER,
                claim=f"Table 3: {group}, counts and percentages of all participants",
                cells=(n, *counts, *shares),
                published=f"{' + '.join(cell.value for cell in counts)}; {', '.join(f'{c.value}%' for c in shares)}",
                computed=f"sum {total(counts)}; {sum(right)} of {len(right)} percentages are their count's",
                verdict=decide(holds),
                sentence=f"{group}: the counts add up to {total(counts)} of {n.value}, "
                f"and {sum(right)} of {len(right)} percentages follow from them.",
            )
        )
    return tuple(found)


def _same_questions(facts: Published) -> Check:
    asked = facts.select(PAPER, "table4", column="rated once")
    answered = facts.select(PAPER, "table5", column="mean")
    both = [cell.row for cell in asked if cell.row in {other.row for other in answered}]
    holds = len(both) == len(asked) == len(answered)
    return Check(
        key="skingen.table4.rated_once",
        paper=PAPER,
        claim="Table 5 has a row for each statement that Table 4 rates once",
        cells=(*asked, *answered),
        published=f"{len(asked)} statements in Table 4, {len(answered)} in Table 5",
        computed=f"{len(both)} in both",
        verdict=decide(holds),
        sentence=f"{len(both)} of the {len(asked)} statements rated once have a row in Table 5.",
    )


def _table5(facts: Published) -> tuple[Check, ...]:
    """GRIM, GRIMMER and CLOSURE of each row."""
    n, scale = facts.participants, facts.scale
    found = []
    for number, mean in enumerate(facts.select(PAPER, "table5", column="mean"), 1):
        sd = facts.cell(PAPER, "table5", mean.row, "sd")
        test = grimmer(mean.value, sd.value, n.whole, scale)
        listed = len(closure(mean.value, sd.value, n.whole, scale))
        sums = " or ".join(str(s) for s in test.sums)
        sentence = f"“{mean.row}” {mean.value} ± {sd.value}: "
        if listed:
            ways = "one distribution of ratings gives" if listed == 1 else f"{listed} distributions of ratings give"
            sentence += f"possible at n = {n.value} with the sum {sums}; {ways} it."
        else:
            sentence += f"impossible at n = {n.value}: {test.reason}."
        found.append(
            Check(
                key=f"skingen.table5.{number}",
                paper=PAPER,
                claim=f"Table 5, row {number}: mean and sample SD are possible (GRIM, GRIMMER, CLOSURE)",
                cells=(n, mean, sd),
                published=f"{mean.value} ± {sd.value}",
                computed=f"GRIM {_yes(test.grim)}, GRIMMER {_yes(test.grimmer)}, distributions: {listed}",
                verdict=decide(listed > 0),
                sentence=sentence,
            )
        )
    return tuple(found)


def _which_sd(facts: Published) -> Check:
    """The paper does not say which SD it prints; the cells do."""
    n, scale = facts.participants, facts.scale
    means = facts.select(PAPER, "table5", column="mean")
    cells = {(mean.value, facts.cell(PAPER, "table5", mean.row, "sd").value) for mean in means}
    possible = {
        ddof: sum(grimmer(mean, sd, n.whole, scale, ddof=ddof).grimmer for mean, sd in cells) for ddof in (1, 0)
    }
    return Check(
        key="skingen.table5.sd",
        paper=PAPER,
        claim="Table 5: the printed SD is the sample SD (n − 1)",
        cells=(n, *facts.select(PAPER, "table5")),
        published="mean ± SD, formula not stated",
        computed=f"possible with n − 1: {possible[1]} of {len(cells)} distinct cells; with n: {possible[0]}",
        verdict=decide(possible[1] == len(cells) and possible[0] < len(cells)),
        sentence=f"{possible[1]} of the {len(cells)} distinct cells are possible with the sample SD, "
        f"{possible[0]} with the population SD.",
    )


def _means_in_the_text(facts: Published) -> tuple[Check, ...]:
    n = facts.participants
    found = []
    for number, said in enumerate(facts.select(PAPER, "text of section 5.3", column="mean"), 1):
        printed = facts.cell(PAPER, "table5", said.row, "mean")
        possible = grim(said.value, n.whole, facts.scale).grim
        found.append(
            Check(
                key=f"skingen.text.{number}",
                paper=PAPER,
                claim=f"Section 5.3: the mean of “{said.row}” is possible (GRIM) and is Table 5's",
                cells=(n, said, printed),
                published=said.value,
                computed=f"Table 5: {printed.value}; GRIM {_yes(possible)}",
                verdict=decide(possible and said.value == printed.value),
                sentence=f"“{said.row}”: the text says {said.value}, Table 5 {printed.value}.",
            )
        )
    return tuple(found)


def _yes(found: bool) -> str:
    return "yes" if found else "no"
