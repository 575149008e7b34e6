"""Groups of a mixed study rate items of a score: the score is tested in their place, in every table of the design."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.facts import as_json
from analysis.report import Summary, html, summarise
from tests.analysis.builder import HASH, Book, answered

GROUPS = ("text>cases", "text>generated")
TESTED = {"effort", "experience"}


def grouped(n: int = 12, outcomes: tuple[str, str] = ("completed", "completed")) -> Book:
    """``n`` people, every other one of the second group, with the outcome of their group."""
    book = answered(n)
    for number, person in enumerate(book.participants):
        person |= {"sequence": GROUPS[number % 2], "outcome": outcomes[number % 2]}
    met = {person["participant"]: person["sequence"].split(">") for person in book.participants}
    book.ratings = [row for row in book.ratings if not row["condition"] or row["condition"] in met[row["participant"]]]
    return book


def scored(book: Book, folder: Path) -> Path:
    """The tables as an export's files, with a score of two of the three items."""
    for name in ("ratings", "participants", "flow", "items", "conditions"):
        pd.DataFrame(getattr(book, name)).to_csv(folder / f"{name}.csv", index=False)
    made = {"score": "experience", "label": "Experience", "method": "mean", "items": '["trust", "ease"]'}
    about = {"definition_hash": HASH, "study": "skingen", "reverse": "[]", "add": 0, "times": 1}
    pd.DataFrame([about | made]).to_csv(folder / "scores.csv", index=False)
    return folder / "ratings.csv"


def facts(summary: Summary) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(as_json(summary.facts))
    return found


def test_the_score_is_tested_over_all_groups_in_place_of_its_items(tmp_path: Path) -> None:
    book = grouped()
    out = book.person("P0900", "excluded", exclusion_reason="failed attention check", sequence=GROUPS[1])
    for item in ("trust", "ease", "effort"):
        for condition in GROUPS[1].split(">"):
            book.rate(out, item, 1, condition)
    summary = summarise(scored(book, tmp_path))
    found = facts(summary)
    assert found["design"] == "mixed"
    assert set(summary.tests.frame["item"]) == TESTED
    assert "Experience is tested in place of its items (trust, ease)" in summary.tests.note
    score, part = found["items"]["experience"], found["items"]["trust"]
    first = summary.tests.frame.set_index(["item", "test"]).loc[("experience", "mixed_condition")]
    assert (first["n"], first["statistic"]) == (12, pytest.approx(score["mixed_design"]["condition"]["f"]))
    assert part["mixed_design"] is None
    assert part["mixed_design_note"] == "part of a score, which is tested: Experience"
    sides = found["exclusions"]["with_and_without"]
    assert set(sides) == TESTED
    assert [sides["experience"][side]["n"] for side in ("without", "with")] == [12, 13]
    assert found["exclusions"]["missing_answers"] == {}
    assert all(pair["left_out"] == [] for pair in score["pairs"].values())
    assert {one.item for one in summary.said if one.section == "Tests"} == {"Cognitive Effort", "Experience"}
    (picture,) = summary.pictures["differences"]
    assert picture.alt.count("alike") == 2 * 2


def test_the_methods_name_what_was_done_of_scores_and_groups(tmp_path: Path) -> None:
    said = summarise(scored(grouped(), tmp_path)).methods
    assert "each rated their own of 3 systems (SkinGPT (text), SkinGPT + cases, SkinGEN) on 3 items." in said
    assert "Scores were compared between the systems, and the items that they are made of were not." in said
    assert "Sensitivity: Wilcoxon with Pratt's zeros (exact) and paired t-tests." in said
    assert "Ratings on points of a scale were also examined with a cumulative logit model" in said
    assert "Friedman test" not in said
    assert "ANOVA" not in said


def test_while_one_group_alone_has_completed_it_is_compared_on_what_it_met(tmp_path: Path) -> None:
    summary = summarise(grouped(outcomes=("completed", "excluded")).write(tmp_path / "study.db"))
    found = facts(summary)
    assert (found["design"], list(found["conditions"])) == ("within", ["text", "cases"])
    assert found["items"]["trust"]["friedman"]["n"] == 6
    assert list(found["items"]["trust"]["pairs"]) == ["text-cases"]
    assert found["exclusions"]["missing_answers"] == {}
    sides = found["exclusions"]["with_and_without"]["trust"]
    assert [sides[side]["n"] for side in ("without", "with")] == [6, 6]  # the excluded met another pair of systems
    assert "Each participant rated every one of 2 systems (SkinGPT (text), SkinGPT + cases)" in summary.methods
    note = "Nobody who completed the study was allocated SkinGEN, which is in no figure, table or test yet."
    assert note in found["provenance"]["notes"]
    assert note in html(summary)


def test_a_system_that_somebody_was_allocated_stays_also_where_nobody_rated_it(tmp_path: Path) -> None:
    book = answered(6)
    book.ratings = [row for row in book.ratings if row["condition"] != "generated"]
    found = facts(summarise(book.write(tmp_path / "study.db")))
    assert list(found["conditions"]) == ["text", "cases", "generated"]
    assert len(found["exclusions"]["missing_answers"]["trust"]["generated"]) == 6


def test_between_subjects_one_group_alone_is_described(tmp_path: Path) -> None:
    book = grouped()
    for person in book.participants:
        person |= {"sequence": "text"}
    book.ratings = [row for row in book.ratings if row["condition"] in (None, "text")]
    summary = summarise(book.write(tmp_path / "study.db"))
    found = facts(summary)
    assert found["conditions"] == {"text": "SkinGPT (text)"}
    assert found["items"]["trust"]["describe"]["text"]["n"] == 12
    assert found["items"]["trust"]["pairs"] == {}
    assert "SkinGPT + cases, SkinGEN, which" in html(summary)
