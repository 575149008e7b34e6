"""Who is named as missing, and the omnibus test of each design with the excluded participants put back in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from analysis.facts import as_json
from analysis.report import Summary, html, summarise
from tests.analysis.builder import CONDITIONS, REPEATED, Book, answered

OUT = "P0900"


def facts(summary: Summary) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(as_json(summary.facts))
    return found


def between(n: int = 12) -> Book:
    """Everybody rated the first condition of their order only."""
    book = answered(n)
    for person in book.participants:
        person["sequence"] = person["sequence"].split(">")[0]
    met = {person["participant"]: person["sequence"] for person in book.participants}
    book.ratings = [row for row in book.ratings if row["condition"] in (None, met[row["participant"]])]
    return book


def with_one_excluded(book: Book, sequence: str) -> Book:
    out = book.person(OUT, "excluded", exclusion_reason="failed attention check", sequence=sequence)
    for condition in sequence.split(">"):
        book.rate(out, "trust", 1, condition)
    return book


def test_between_subjects_the_groups_are_compared_without_and_with_the_excluded(tmp_path: Path) -> None:
    summary = summarise(with_one_excluded(between(), "generated").write(tmp_path / "study.db"))
    found = facts(summary)
    assert found["design"] == "between"
    sides = found["exclusions"]["with_and_without"]["trust"]
    groups = {key: summary.data.values(summary.data.repeated_items[0], condition)
              for key, condition in zip(CONDITIONS, summary.data.conditions, strict=True)}  # fmt: skip
    assert (sides["without"]["n"], sides["with"]["n"]) == (12, 13)
    assert sides["without"]["chi2"] == pytest.approx(stats.kruskal(*groups.values()).statistic)
    groups["generated"] = [*groups["generated"], 1.0]
    assert sides["with"]["chi2"] == pytest.approx(stats.kruskal(*groups.values()).statistic)
    table = summary.further["exclusions"]
    assert table.title == "Kruskal–Wallis test without and with excluded participants"
    assert list(table.display.columns)[1:4] == ["n, without", "H, without", "p, without"]
    assert len(table.display) == len(REPEATED)
    assert "The omnibus tests were repeated with excluded participants put back in." in summary.methods
    assert "Results with excluded participants put back in" not in html(summary)


def test_without_excluded_answers_the_reason_is_that(tmp_path: Path) -> None:
    found = facts(summarise(between().write(tmp_path / "study.db")))
    assert found["exclusions"]["with_and_without_note"] == "no excluded participant has answers"


def test_groups_that_met_different_systems_are_compared_with_the_excluded_one_in_its_group(tmp_path: Path) -> None:
    book = answered(12)
    for number, person in enumerate(book.participants):
        person["sequence"] = "text>cases" if number % 2 else "text>generated"
    met = {person["participant"]: person["sequence"].split(">") for person in book.participants}
    book.ratings = [row for row in book.ratings if not row["condition"] or row["condition"] in met[row["participant"]]]
    summary = summarise(with_one_excluded(book, "text>generated").write(tmp_path / "study.db"))
    found = facts(summary)
    assert found["design"] == "mixed"
    sides = found["exclusions"]["with_and_without"]["trust"]
    assert (sides["without"]["n"], sides["with"]["n"]) == (12, 13)
    assert sides["without"]["f"] == found["items"]["trust"]["mixed_design"]["condition"]["f"]
    assert sides["with"]["f"] != sides["without"]["f"]
    assert found["items"]["trust"]["mixed_design"]["groups"] == {"text + cases": 6, "text + generated": 6}
    assert summary.further["exclusions"].title.startswith("Mixed model of all systems")


@pytest.mark.parametrize("sequences", [True, False])
def test_who_skipped_is_named_where_they_were_to_answer(sequences: bool, tmp_path: Path) -> None:
    book = between()
    gone = next(row for row in book.ratings if row["item"] == "ease")
    book.ratings.remove(gone)
    if not sequences:
        for person in book.participants:
            person["sequence"] = None
    summary = summarise(book.write(tmp_path / "study.db"))
    assert summary.data.absent == {"ease": {gone["condition"]: [gone["participant"]]}}
    assert f"No answer: Ease of Understanding, {CONDITIONS[gone['condition']]}: {gone['participant']}." in (
        summary.tests.note
    )
