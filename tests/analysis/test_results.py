"""results.json: names, notes, R's numbers through the whole way, edge cases, the same bytes."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.describe import half_up
from analysis.facts import as_json, with_notes
from analysis.report import files, summarise
from analysis.results import results as computed
from tests.analysis.builder import CONDITIONS as LABELS
from tests.analysis.builder import answered
from tests.analysis.oracle import CONDITIONS, DATA, ITEMS, PAIRS, R, agree, long

DOCS = Path(__file__).parents[2] / "docs" / "results-json.md"
NAMES = {
    "describe": "n mean sd median counts mean_ci",
    "friedman": "n chi2 df p p_exact kendall_w iman_davenport",
    "pairs": "n n_zero w_plus w_minus p_exact p_asymptotic p_pratt_exact p_holm rank_biserial rank_biserial_ci "
    "hodges_lehmann",
    "rm_anova": "f df1 df2 epsilon_gg p_gg eta2_g",
    "clmm": "lr df p",
}


def as_bytes(path: Path, **options: Any) -> bytes:
    """results.json without the figures and tables that ``files`` makes as well."""
    summary = summarise(path, **options)
    return as_json(computed(summary.data, summary.comparisons, summary.seed))


def results(path: Path, **options: Any) -> dict[str, Any]:
    return json.loads(as_bytes(path, **options))


def csv_of(which: str, folder: Path) -> Path:
    rows = long(which).dropna(subset=["rating"])
    rows = rows.rename(columns={"rating": "value", "order_position": "period"}).assign(construct="scale")
    path = folder / f"{which}.csv"
    rows.to_csv(path, index=False)
    return path


def table(folder: Path, values: Any, conditions: str = "abcdefgh") -> Path:
    """A CSV with the four columns that are enough; NaN is an answer that was not given."""
    matrix = np.asarray(values, dtype=float)
    rows = [
        (f"P{i}", conditions[j], "q", int(matrix[i, j])) for i, j in np.ndindex(*matrix.shape)
        if not math.isnan(matrix[i, j])
    ]  # fmt: skip
    path = folder / "table.csv"
    pd.DataFrame(rows, columns=["participant", "condition", "item", "value"]).to_csv(path, index=False)
    return path


def every_null_has_its_reason(facts: Any, at: str = "") -> int:
    """Asserts it, and returns how many nulls there are."""
    if isinstance(facts, list):
        return sum(every_null_has_its_reason(value, at) for value in facts)
    if not isinstance(facts, dict):
        return 0
    for key, value in facts.items():
        assert value is not None or facts.get(f"{key}_note"), f"{at}.{key}"
    return sum((value is None) + every_null_has_its_reason(value, f"{at}.{key}") for key, value in facts.items())


@pytest.mark.parametrize("which", DATA)
def test_a_csv_gives_rs_numbers_under_the_names_of_the_docs(which: str, tmp_path: Path) -> None:
    found = results(csv_of(which, tmp_path))
    assert set(found["items"]) == set(ITEMS)
    for item, facts in found["items"].items():
        expected = R[which]["items"][item]
        for condition in CONDITIONS:
            cell = facts["describe"][condition]
            assert list(cell) == NAMES["describe"].split()
            agree("results.json describe", [cell["n"], cell["mean"], cell["sd"], cell["counts"]],
                  [expected["desc"][condition][key] for key in ("n", "mean", "sd", "counts")])  # fmt: skip
        for key in ("friedman", "rm_anova", "clmm"):
            assert set(NAMES[key].split()) <= set(facts[key])
        theirs = expected["friedman"]
        agree("results.json friedman", [facts["friedman"][key] for key in ("n", "chi2", "df", "p", "kendall_w")],
              [theirs[key] for key in ("n", "chi2", "df", "p", "kendall_W")])  # fmt: skip
        agree("results.json iman-davenport", facts["friedman"]["iman_davenport"],
              [theirs["iman_davenport"][key] for key in ("F", "df1", "df2", "p")])  # fmt: skip
        assert tuple(facts["pairs"]) == PAIRS
        for pair in PAIRS:
            ours, theirs = facts["pairs"][pair], expected["wilcoxon"]["pairs"][pair]
            assert set(NAMES["pairs"].split()) <= set(ours)
            agree("results.json pairs", [ours["p_exact"], ours["p_asymptotic"], ours["p_pratt_exact"]],
                  [theirs[f"coin_{k}"]["p"] for k in ("wilcoxon_exact", "wilcoxon_asym", "pratt_exact")])  # fmt: skip
            assert ours["rank_biserial_ci"][0] <= ours["rank_biserial"] <= ours["rank_biserial_ci"][1]
        anova = expected["rm_anova"]["base"]
        agree("results.json rm_anova", [facts["rm_anova"][key] for key in NAMES["rm_anova"].split()],
              [anova[key] for key in ("F", "df1", "df2", "GG_eps", "p_GG", "ges")])  # fmt: skip
        agree("results.json clmm LR", facts["clmm"]["lr"], expected["clmm"]["agq10"]["LR_chi2"])
        by_period = expected["order"]["friedman_by_position"]["chi2"]
        agree("results.json order", facts["order"]["friedman_by_period"]["chi2"], by_period)
    for condition in CONDITIONS:
        ours, theirs = found["scales"]["scale"][condition], R[which]["alpha"][condition]
        agree("results.json alpha", [ours["n"], ours["alpha"]], [theirs["n"], theirs["raw_alpha"]])
        agree("results.json alpha", ours["alpha_ci"], [theirs["feldt"]["lower.ci"], theirs["feldt"]["upper.ci"]])


def test_every_name_is_in_the_docs(tmp_path: Path) -> None:
    book = answered(12)
    for number, row in enumerate(book.ratings):
        row["duration_s"] = 3 + number % 7
        row["period"] = 1 + list(LABELS).index(row["condition"]) if row["condition"] else None
    words = set(re.findall(r"[a-z_0-9]+", DOCS.read_text()))
    own = {*LABELS, "trust", "ease", "effort", "correct", "informative", "useful", "male", "female", "gender"}

    def undocumented(facts: Any) -> set[str]:
        if not isinstance(facts, dict):
            return set()
        names = {key.removesuffix("_note") for key in facts} - words - own
        return names.union(*(undocumented(value) for value in facts.values()))

    found = results(book.write(tmp_path / "study.db"))
    names = {
        name for name in undocumented(found) if not re.search(r"-|>|\d|^(Python|numpy|scipy|pandas|matplotlib)$", name)
    }
    assert names == set()
    assert found["page_times"]["text"]["n"] == found["page_times"]["once"]["n"] == 12
    assert found["items"]["trust"]["order"]["sequences"]
    assert every_null_has_its_reason(found) > 10


def test_the_same_rows_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    path = csv_of("missing", tmp_path)
    first, again = as_bytes(path), as_bytes(path)
    assert first == again
    other = results(path, seed=5)
    pair = ("items", "Q1", "pairs", "A-B")
    ours, theirs = json.loads(first), other
    for key in pair:
        ours, theirs = ours[key], theirs[key]
    assert ours["p_exact"] == theirs["p_exact"]
    assert ours["rank_biserial_ci"] != theirs["rank_biserial_ci"]


@pytest.mark.parametrize(
    "values",
    [
        [[3, 4, 5]],
        [[1, 2, 3], [2, 2, 5]],
        [[4, 4, 4]] * 6,
        [[1, 2]] * 3 + [[2, 1]],
        [[1, 2], [2, 4]],
        [[1, 2, 3, 4, 5], [2, 1, 4, 4, 5], [1, 1, 1, 2, 2], [3, 2, 5, 4, 4]],
        [[2], [3], [3]],
        [[1, 5]] * 9,
        [[1, np.nan, 3], [np.nan, 2, 4], [2, 2, np.nan]],
    ],
)
def test_small_and_degenerate_studies_get_an_answer_or_a_reason(values: list[list[float]], tmp_path: Path) -> None:
    path = table(tmp_path, values)
    if np.isnan(values).any() or len(values) > 1 or len(values[0]) > 1:
        found = results(path)
        every_null_has_its_reason(found)
        assert found["flow"]["analysed"] == len(values)
        k = len(values[0])
        assert len(found["items"]["q"]["pairs"]) == k * (k - 1) // 2


def test_all_equal_answers_are_a_plain_answer(tmp_path: Path) -> None:
    found = results(table(tmp_path, [[4, 4, 4]] * 6))["items"]["q"]
    assert found["friedman"]["p_exact"] is None
    assert found["friedman"]["p_exact_note"] == "all differences are zero"
    pair = found["pairs"]["a-b"]
    assert (pair["n_zero"], pair["w_plus"], pair["p_exact"]) == (6, 0, None)
    assert pair["rank_biserial_ci_note"] == "all differences are zero"
    assert found["clmm"]["lr_note"] == "all answers are equal"


def test_five_ones_forty_zeros_five_minus_ones(tmp_path: Path) -> None:
    found = results(table(tmp_path, [[4, 3]] * 5 + [[3, 3]] * 40 + [[3, 4]] * 5))["items"]["q"]
    pair = found["pairs"]["a-b"]
    assert (pair["p_exact"], pair["p_pratt_exact"], pair["n_zero"], pair["hodges_lehmann"]) == (1.0, 1.0, 40, 0.0)
    assert found["friedman"]["p_exact"] == 1.0


def test_five_conditions_are_exact_where_that_is_feasible(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    few = results(table(tmp_path, rng.integers(1, 6, (4, 5))))["items"]["q"]
    assert 0 < few["friedman"]["p_exact"] <= 1
    assert len(few["pairs"]) == 10
    many = results(table(tmp_path, rng.integers(1, 6, (40, 5))))["items"]["q"]["friedman"]
    assert many["p_exact"] is None
    assert "the asymptotic p is used" in many["p_exact_note"]


def test_different_people_in_each_condition(tmp_path: Path) -> None:
    values = np.full((12, 3), np.nan)
    for person in range(12):
        values[person, person % 3] = 1 + (person % 3) + person % 2
    found = results(table(tmp_path, values))
    assert found["design"] == "between"
    item = found["items"]["q"]
    assert item["friedman"] is None
    assert item["friedman_note"] == "every participant met one condition only"
    assert 0 < item["kruskal_wallis"]["p_exact"] < 0.05
    assert list(item["mann_whitney"]) == ["a-b", "a-c", "b-c"]
    pair = item["mann_whitney"]["a-c"]
    assert (pair["n1"], pair["n2"], pair["u"]) == (4, 4, 0)
    assert pair["p_exact"] == pytest.approx(2 / 70)
    assert pair["p_holm"] == pytest.approx(6 / 70)
    every_null_has_its_reason(found)
    tests = summarise(table(tmp_path, values)).tests
    assert tests.frame["p_exact"].tolist() == [item["kruskal_wallis"]["p_exact"], *(
        item["mann_whitney"][name]["p_exact"] for name in ("a-b", "a-c", "b-c"))]  # fmt: skip
    assert "| 4 + 4 | U = 0 | .029 | .086 | r = −1.00 |" in tests.markdown()


def test_excluded_rows_and_participants_are_accounted_for(tmp_path: Path) -> None:
    book = answered(10)
    book.ratings[0]["value"] = 9
    book.ratings.append(dict(book.ratings[12]))
    out = book.person("P0900", "excluded", exclusion_reason="failed attention check")
    for condition, value in zip(LABELS, (5, 5, 1), strict=True):
        book.rate(out, "trust", value, condition)
    path = book.write(tmp_path / "study.db")
    assert "left out because they cannot be right (3)" in summarise(path, exclude_bad_rows=True).data.notes[-1]
    found = results(path, exclude_bad_rows=True)
    rows = found["exclusions"]["rows"]
    assert len(rows) == 3
    assert "9 is not on the scale" in rows[0]
    assert all("answered more than once" in row for row in rows[1:])
    assert found["exclusions"]["participants"] == {"excluded: failed attention check": 1}
    absent = {who for cells in found["exclusions"]["missing_answers"].values() for c in cells.values() for who in c}
    assert absent == {book.ratings[0]["participant"], book.ratings[12]["participant"]}
    sides = found["exclusions"]["with_and_without"]["trust"]
    assert sides["with"]["n"] == sides["without"]["n"] + 1
    assert sides["without"]["chi2"] == found["items"]["trust"]["friedman"]["chi2"]
    assert sides["with"]["chi2"] != sides["without"]["chi2"]


def test_subgroups_and_reliance(tmp_path: Path) -> None:
    book = answered(16)
    found = results(book.write(tmp_path / "study.db"))
    gender = found["subgroups"]["gender"]
    assert sum(gender["groups"].values()) == 16
    cells = gender["items"]["trust"]["describe"]
    whole = found["items"]["trust"]["describe"]["text"]
    parts = [(cells[name]["text"]["n"], cells[name]["text"]["mean"]) for name in gender["groups"]]
    assert sum(n * mean for n, mean in parts) == pytest.approx(whole["n"] * whole["mean"])
    assert 0 <= gender["items"]["trust"]["interaction"]["p"] <= 1
    assert "medical_background" not in found["subgroups"]  # all of them answered no
    assert found["reliance"] is None
    path = table(tmp_path, [[3, 4], [2, 5]])
    pd.DataFrame(
        [("P0", "a", *words.split()) for words in ("x y y y", "x y x y", "y x y y", "y x x y", "y x x y", "y y y y")],
        columns=["participant", "condition", "initial", "advice", "final", "truth"],
    ).to_csv(tmp_path / "decisions.csv", index=False)
    figures = results(path)["reliance"]
    assert (figures["a"]["n_right_advice"], figures["a"]["rair"]) == (2, 0.5)
    assert (figures["a"]["n_wrong_advice"], figures["a"]["rsr"]) == (3, pytest.approx(1 / 3))
    assert figures["all"]["accuracy_before"] == pytest.approx(4 / 6)
    assert "no case" in figures["b"]["rair_note"]


def test_the_report_prints_the_numbers_of_results_json(tmp_path: Path) -> None:
    summary = summarise(answered(20).write(tmp_path / "study.db"))
    found = json.loads(files(summary)["results.json"])
    shown = summary.tests.markdown()
    for item in ("trust", "ease", "effort"):
        assert f"χ²(2) = {half_up(found['items'][item]['friedman']['chi2'])}" in shown


def test_numbers_that_json_has_not_become_null() -> None:
    facts = with_notes({"a": math.nan, "b": None, "c": 1}, {"b": "nobody", "": "not finite"})
    assert facts == {"a": None, "a_note": "not finite", "b": None, "b_note": "nobody", "c": 1}
