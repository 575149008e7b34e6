"""Tables 4 and 5 of the paper, the ratings behind Figure 9, and the tests. Table 3: `demographics`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from analysis.compare import Comparison, Pair
from analysis.describe import NOTHING, Description, bounded, half_up, p_value
from analysis.export import Table
from analysis.friedman import Friedman
from analysis.measures import Item
from analysis.model import Condition, StudyData

TEST_COLUMNS = (
    *("item", "test", "first", "second", "n", "n_zero", "n_positive", "n_negative"),
    *("statistic", "w_minus", "df", "df2", "p", "p_asymptotic", "p_exact", "p_holm"),
    *("effect", "effect_size", "left_out", "note"),
)
"""Columns of tests.csv. ``statistic`` is chi-square for friedman and kruskal_wallis, W+ for wilcoxon, U for
mann_whitney and F, with ``df2``, for the mixed models."""


def table4(data: StudyData) -> Table:
    """The statements that were rated (paper, Table 4), with scale and number of answers."""
    rows = [
        {**_item_columns(item), "scale_min": item.scale_min, "scale_max": item.scale_max, "repeated": item.repeated}
        | {"n": len(data.of_item(item))}
        for item in data.items
    ]
    display = pd.DataFrame(
        {
            "Construct": [item.construct or NOTHING for item in data.items],
            "Statement": [item.wording for item in data.items],
            "Rated": ["after every system" if item.repeated else "once" for item in data.items],
            "Scale": [f"{item.scale_min} to {item.scale_max}" for item in data.items],
            "Answers": [str(row["n"]) for row in rows],
        }
    )
    return Table("table4", f"Table 4. Statements (n = {data.n})", pd.DataFrame(rows), display, words=3)


def table5(data: StudyData) -> Table:
    """Items rated once: mean ± SD (paper, Table 5), with n, median and counts in the CSV."""
    cells = [(item, describe_item(data, item)) for item in data.single_items]
    frame = pd.DataFrame([{**_item_columns(item), **_cell_columns(cell)} for item, cell in cells])
    display = pd.DataFrame(
        {
            "Question": [item.wording for item, _ in cells],
            "Mean ± SD": [cell.mean_sd for _, cell in cells],
            "n": [str(cell.n) for _, cell in cells],
        }
    )
    title = f"Table 5. Questionnaire results: mean ± standard deviation (n = {data.n})"
    return Table("table5", title, frame, display, _scale_note(data.single_items))


def ratings_by_condition(data: StudyData) -> Table:
    """Items rated after each condition: the figures that Figure 9 draws."""
    cells = describe_conditions(data)
    rows = [
        {**_item_columns(item), "condition": condition.key, "label": condition.label, **_cell_columns(cell)}
        for (item, condition), cell in cells.items()
    ]
    shown = [[item.name, *(_with_n(cells[item, c], data.n) for c in data.conditions)] for item in data.repeated_items]
    display = pd.DataFrame(shown, columns=["Item", *(condition.label for condition in data.conditions)])
    title = f"Ratings by system: mean ± standard deviation (n = {data.n})"
    return Table("ratings_by_condition", title, pd.DataFrame(rows), display, _scale_note(data.repeated_items))


def tests(data: StudyData, comparisons: Sequence[Comparison]) -> Table:
    """Friedman and its pairs per item, one row a test."""
    labels = {condition.key: condition.label for condition in data.conditions}
    names = {item.key: item.name for item in data.tested_items}
    rows, shown = [], []
    for found in comparisons:
        rows.append({"item": found.item, **_friedman_columns(found.friedman)})
        shown.append((names[found.item], *_friedman_cells(found.friedman)))
        for pair in found.pairs:
            rows.append({"item": found.item, **pair_columns(pair)})
            shown.append((names[found.item], *pair_cells(pair, labels)))
    frame = pd.DataFrame(rows, columns=list(TEST_COLUMNS))
    whole = ["df", "n_zero", "n_positive", "n_negative"]
    frame[whole] = frame[whole].astype("Int64")  # else a missing count turns its column into floats
    display = pd.DataFrame(shown, columns=["Item", "Comparison", "n", "Equal", "Statistic", "p", "p (Holm)", "Effect"])
    display["Item"] = once(display["Item"])
    return Table(
        name="tests",
        title=f"Comparison of the systems (n = {data.n})",
        frame=frame,
        display=display,
        note=" ".join([_tests_note(comparisons), *parts_note(data)]),
        words=2,
    )


def describe_item(data: StudyData, item: Item, condition: Condition | None = None) -> Description:
    """Describe one cell of the study."""
    return data.described(item, condition)


def describe_conditions(data: StudyData) -> dict[tuple[Item, Condition], Description]:
    """Every repeated item in every condition, items first."""
    return {
        (item, condition): describe_item(data, item, condition)
        for item in data.repeated_items
        for condition in data.conditions
    }


def _with_n(cell: Description, expected: int) -> str:
    """The title gives the n that is expected; a cell with another one says so."""
    return cell.mean_sd if cell.n == expected else f"{cell.mean_sd} (n = {cell.n})"


def once(column: Iterable[object]) -> list[str]:
    """Show a repeated value in the first of its rows only."""
    values = [str(value) for value in column]
    return ["" if index and values[index - 1] == value else value for index, value in enumerate(values)]


def _item_columns(item: Item) -> dict[str, object]:
    return {"item": item.key, "construct": item.construct, "question": item.wording}


def _cell_columns(cell: Description) -> dict[str, object]:
    counts = {f"count_{point}": number for point, number in cell.counts.items()}
    return {"n": cell.n, "mean": cell.mean, "sd": cell.sd, "median": cell.median, **counts}


def _scale_note(items: Sequence[Item]) -> str:
    scales = {(item.scale_min, item.scale_max) for item in items}
    if len(scales) != 1:
        return "SD is the sample standard deviation (n − 1)."
    low, high = scales.pop()
    return f"Scale {low} to {high}. SD is the sample standard deviation (n − 1)."


def _friedman_columns(test: Friedman) -> dict[str, object]:
    return {
        "test": "friedman",
        "first": "",
        "second": "",
        "n": test.n,
        "statistic": test.chi2,
        "df": test.df,
        "p": test.p,
        "p_asymptotic": test.p_asymptotic,
        "p_exact": test.p_exact,
        "p_holm": test.p_holm,
        "effect": "kendall_w",
        "effect_size": test.kendall_w,
        "left_out": " ".join(test.left_out),
        "note": test.note,
    }


def pair_columns(pair: Pair) -> dict[str, object]:
    """The columns of one Wilcoxon test in tests.csv."""
    test = pair.test
    return {
        "test": "wilcoxon",
        "first": pair.first,
        "second": pair.second,
        "n": test.n,
        "n_zero": test.n_zero,
        "n_positive": test.n_positive,
        "n_negative": test.n_negative,
        "statistic": test.w_plus,
        "w_minus": test.w_minus,
        "p": test.p,
        "p_asymptotic": test.p_asymptotic,
        "p_exact": test.p_exact,
        "p_holm": pair.p_holm,
        "effect": "rank_biserial",
        "effect_size": test.rank_biserial,
        "left_out": " ".join(pair.left_out),
        "note": test.note,
    }


def _friedman_cells(test: Friedman) -> tuple[str, ...]:
    head = ("All systems", str(test.n), "")
    if test.chi2 is None or test.kendall_w is None:
        return *head, test.note, NOTHING, NOTHING, NOTHING
    statistic = f"χ²({test.df}) = {half_up(test.chi2)}"
    return *head, statistic, p_value(test.p), p_value(test.p_holm), f"W = {bounded(test.kendall_w)}"


def pair_cells(pair: Pair, labels: dict[str, str]) -> tuple[str, ...]:
    """Comparison, n, equal, statistic, p, p (Holm) and effect of one Wilcoxon test, for readers."""
    test = pair.test
    head = (f"{labels[pair.first]} vs {labels[pair.second]}", str(test.n), str(test.n_zero))
    if test.p is None:
        return *head, test.note, NOTHING, NOTHING, NOTHING
    statistic = f"W⁺ = {half_up(test.w_plus, 0 if test.w_plus.is_integer() else 1)}"
    return *head, statistic, p_value(test.p), p_value(pair.p_holm), f"r = {bounded(test.rank_biserial)}"


def parts_note(data: StudyData) -> list[str]:
    """One sentence a score that is tested in place of its items; none where there is no such score."""
    if len(data.conditions) < 2:
        return []
    repeated = {item.key for item in data.repeated_items}
    return [
        f"{score.name} is tested in place of its items ({', '.join(score.items)}), which are described only."
        for score in data.scores
        if score.key in repeated
    ]


def _tests_note(comparisons: Sequence[Comparison]) -> str:
    exact = all(found.friedman.p_exact is not None or found.friedman.note for found in comparisons) and all(
        pair.test.exact for found in comparisons for pair in found.pairs
    )
    kind = "exact, conditional on ties" if exact else "exact, conditional on ties, where n and k allow it"
    gone = sorted({who for found in comparisons for who in found.friedman.left_out})
    left_out = f" Without an answer in every system of some item: {', '.join(gone)}." if gone else ""
    return (
        f"All systems: Friedman test, Holm-corrected over the items, W = Kendall's W. Pairs: Wilcoxon "
        f"signed-rank test, equal ratings dropped, Holm-corrected over the item's pairs, r = matched-pairs "
        f"rank-biserial correlation, positive where the first system is rated higher. p is {kind}.{left_out}"
    )
