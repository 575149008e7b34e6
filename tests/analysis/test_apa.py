"""APA strings: each figure in them is the one of results.json, and each p says whether it is exact."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from analysis import apa
from analysis.describe import half_up
from analysis.export import escape_latex
from analysis.report import Summary, summarise
from tests.analysis.builder import CONDITIONS, REPEATED, answered


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    book = answered(30)
    for row in book.ratings:
        place = {p["participant"]: p["sequence"].split(">") for p in book.participants}[row["participant"]]
        row["period"] = place.index(row["condition"]) + 1 if row["condition"] else None
        row["duration_s"] = 3.0 + row["value"]
    return summarise(book.write(tmp_path_factory.mktemp("apa") / "study.db"))


def find(summary: Summary, **asked: str) -> list[apa.Said]:
    return [one for one in summary.said if all(getattr(one, key) == value for key, value in asked.items())]


def number(text: str, symbol: str) -> float:
    found = re.search(rf"{re.escape(symbol)} = (−?)(\d*\.?\d+)", text)
    assert found is not None, (symbol, text)
    return float(found.group(2)) * (-1 if found.group(1) else 1)


def test_every_test_of_every_item_is_said_once(summary: Summary) -> None:
    main = find(summary, section="Tests")
    assert len(main) == len(REPEATED) * (1 + 3)
    assert len(find(summary, section="Sensitivity")) == len(REPEATED) * (3 + 3 + 3)
    assert len(find(summary, section="Order")) == len(REPEATED) * 7
    assert len(find(summary, test="Friedman, time to the last rating")) == 1
    assert len({(s.section, s.item, s.test, s.comparison) for s in summary.said}) == len(summary.said)
    assert not [one for one in summary.said if "None" in one.text or "nan" in one.text]


def test_the_figures_are_those_of_results_json(summary: Summary) -> None:
    for item in summary.data.repeated_items:
        facts: dict[str, Any] = summary.facts["items"][item.key]
        (omnibus,) = find(summary, item=item.name, test="Friedman", section="Tests")
        assert number(omnibus.text, "W") == pytest.approx(facts["friedman"]["kendall_w"], abs=0.0051)
        assert omnibus.text.startswith(f"χ²(2, N = 30) = {half_up(facts['friedman']['chi2'])}, p_exact ")
        pairs = find(summary, item=item.name, test="Wilcoxon signed-rank")
        assert pairs[0].comparison == f"{CONDITIONS['text']} vs {CONDITIONS['cases']}"
        for one, pair in zip(pairs, facts["pairs"].values(), strict=True):
            assert number(one.text, "n₀") == pair["n_zero"]
            assert number(one.text, "r_rb") == pytest.approx(pair["rank_biserial"], abs=0.0051)
            low, high = pair["rank_biserial_ci"]
            assert f"95% CI [{apa.bounded(low)}, {apa.bounded(high)}]" in one.text
        (anova,) = find(summary, item=item.name, test="RM-ANOVA")
        df1 = half_up(facts["rm_anova"]["df1"] * facts["rm_anova"]["epsilon_gg"])
        assert anova.text.startswith(f"F({df1}, ")


def test_exact_and_asymptotic_are_told_apart() -> None:
    test = {"n": 600, "n_zero": 1, "w_plus": 10.5, "p_exact": None, "p_asymptotic": 0.0304, "p_holm": 0.0000004}
    text = apa._wilcoxon(test | {"rank_biserial": -1.0, "rank_biserial_ci": None})
    assert text == "W⁺ = 10.5, n = 600, n₀ = 1, p_asymptotic = .030, p_Holm < .001, r_rb = −1.00"
    assert apa._wilcoxon(test | {"p_asymptotic": None, "p_exact_note": "all differences are zero"}) == (
        "not computed: all differences are zero"
    )


def test_files_hold_every_string(summary: Summary) -> None:
    text, markdown, latex = (
        apa.text_file(summary.said),
        summary.further["apa"].markdown(),
        summary.further["apa"].latex(),
    )
    for one in summary.said:
        assert one.text in text
        assert one.text.replace("<", "&lt;") in markdown
        assert escape_latex(one.text) in latex
    assert r"$p_{\mathrm{exact}}$ \textless{} .001" in latex or r"$p_{\mathrm{exact}}$ = ." in latex


def test_html_has_italics_and_subscripts_and_lets_nothing_run() -> None:
    assert apa.rich("p_exact < .001, r_rb = −.7") == ("<i>p</i><sub>exact</sub> &lt; .001, <i>r</i><sub>rb</sub> = −.7")
    assert apa.rich("n₀ = 3, χ²(2) = 1") == "<i>n</i><sub>0</sub> = 3, <i>χ²</i>(2) = 1"
    assert "<script>" not in apa.rich("not computed: <script>")


def test_between_subject_tests_and_no_tests(tmp_path: Path) -> None:
    book = answered(12)
    kept = {who["participant"]: list(CONDITIONS)[place % 3] for place, who in enumerate(book.participants)}
    book.ratings = [row for row in book.ratings if row["condition"] in (None, kept[row["participant"]])]
    between = summarise(book.write(tmp_path / "between.db"))
    tests = {one.test for one in between.said if one.section == "Tests"}
    assert tests == {"Kruskal–Wallis", "Mann–Whitney"}
    assert all("p_exact" in one.text for one in between.said if one.test == "Mann–Whitney")
    one = summarise(answered(1).write(tmp_path / "one.db"))
    absent = {said.test for said in one.said if said.text.startswith("not computed: ")}
    assert {"Friedman", "RM-ANOVA", "Paired t"} <= absent
