"""A mixed study from its file to the report: nobody is missing where they were not allocated, and n is all of them."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from analysis.facts import as_json
from analysis.report import Summary, html, summarise
from study_app.study.definition import load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.simulate import simulate
from study_app.study.store import Store

SKINGEN = Path(__file__).parents[2] / "questionnaires" / "skingen.yaml"
GROUPS = {"shown_cases": ["text", "cases"], "shown_pictures": ["text", "generated"]}
N = 8


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    folder = tmp_path_factory.mktemp("mixed")
    study = yaml.safe_load(SKINGEN.read_text()) | {
        "design": {"kind": "mixed", "sequences": "all_orders", "groups": GROUPS},
        "final_items_intro": "",
    }
    file, database = folder / "study.yaml", folder / "study.db"
    file.write_text(yaml.safe_dump(study, allow_unicode=True))
    store = Store.open(database)
    simulate(load_study(file), store, MediaStore(folder_of(database), store), N, seed=2)
    store.close()
    return summarise(database)


@pytest.fixture(scope="module")
def facts(summary: Summary) -> dict[str, Any]:
    return json.loads(as_json(summary.facts))


def test_nobody_lacks_an_answer_in_a_system_that_they_did_not_meet(summary: Summary, facts: dict[str, Any]) -> None:
    assert facts["design"] == "mixed"
    assert facts["exclusions"]["missing_answers"] == {}
    assert all("No answer" not in table.note for table in summary.tables)
    pairs = [pair for item in facts["items"].values() for pair in (item["pairs"] or {}).values()]
    assert len(pairs) == 3 * 3
    assert all(pair["left_out"] == [] for pair in pairs)


def test_the_table_of_tests_begins_with_the_test_over_everybody(summary: Summary, facts: dict[str, Any]) -> None:
    table = pd.read_csv(BytesIO(summary.tests.csv()))
    assert "friedman" not in set(table["test"])
    for item, rows in table.groupby("item"):
        expected = facts["items"][item]["mixed_design"]
        row = rows.iloc[0]
        assert (row["test"], row["n"], expected["n"]) == ("mixed_condition", N, N)
        named = {"statistic": "f", "df": "df1", "df2": "df2", "p": "p"}
        assert [row[ours] for ours in named] == pytest.approx([expected["condition"][key] for key in named.values()])
        pairs = rows[(rows["test"] != "mixed_condition") & rows["first"].notna()]
        assert list(zip(pairs["test"], pairs["first"], pairs["second"], pairs["n"], strict=True)) == [
            ("wilcoxon", "text", "cases", 4),
            ("wilcoxon", "text", "generated", 4),
            ("mann_whitney", "cases", "generated", 8),
        ]
    assert facts["items"]["trust"]["friedman"] is None
    assert "see mixed_design" in facts["items"]["trust"]["friedman_note"]


def test_the_report_says_who_met_what(summary: Summary) -> None:
    said = summary.methods
    assert "every one" not in said
    assert "Groups of participants (4 SkinGPT (text) and SkinGPT + cases, 4 SkinGPT (text) and SkinGEN)" in said
    assert "linear mixed model of system and group" in said
    assert "Friedman test" not in said
    assert "same items after each system" not in html(summary)
    over_everybody = {
        one.test for one in summary.said if one.comparison == "all systems" and one.section in ("Tests", "Sensitivity")
    }
    assert over_everybody == {"Cumulative link mixed model"}
    across = [one for one in summary.said if one.comparison == "SkinGPT + cases vs SkinGEN" and one.section == "Tests"]
    assert {one.test for one in across} == {"Mann–Whitney, different people"}


def test_differences_are_drawn_of_the_pairs_that_somebody_met(summary: Summary) -> None:
    (picture,) = summary.pictures["differences"]
    assert picture.alt.count("alike") == 3 * 2
    assert picture.caption.endswith("n = 4.")


def test_sensitivity_has_the_mixed_model_beside_the_ordinal_one(summary: Summary, facts: dict[str, Any]) -> None:
    rows = summary.further["sensitivity"].frame
    whole = rows[(rows["item"] == "trust") & (rows["comparison"] == "all")].iloc[0]
    item = facts["items"]["trust"]
    assert (whole["n"], whole["p_reported"]) == (N, pytest.approx(item["mixed_design"]["condition"]["p"]))
    assert whole["p_clmm"] == pytest.approx(item["clmm"]["p_f"])
    assert "cases-generated" not in set(rows["comparison"])
