"""A page has one clock: its time is reported once, and no item is given a time of its own."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from analysis.facts import as_json
from analysis.report import files, html, summarise
from tests.analysis.builder import CONDITIONS, REPEATED, Book, answered


def clocked(n: int = 12) -> Book:
    """On every page the answers came 5, 10 and 15 seconds after it appeared; on the last one 2, 4 and 6."""
    book = answered(n)
    order = {person["participant"]: person["sequence"].split(">") for person in book.participants}
    place: dict[tuple[str, str | None], int] = {}
    for row in book.ratings:
        page = row["participant"], row["condition"]
        place[page] = place.get(page, 0) + 1
        row["period"] = order[row["participant"]].index(row["condition"]) + 1 if row["condition"] else None
        row["duration_s"] = place[page] * (5.0 if row["condition"] else 2.0)
    return book


def times(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(as_json(summarise(path).facts))["page_times"]
    return found


def test_answers_at_5_10_and_15_seconds_are_one_page_of_15(tmp_path: Path) -> None:
    path = clocked().write(tmp_path / "study.db")
    found = times(path)
    cell = {"n": 12, "median": 15.0, "q1": 15.0, "q3": 15.0}
    assert {key: found[key] for key in CONDITIONS} == dict.fromkeys(CONDITIONS, cell)
    assert found["once"] == {"n": 12, "median": 6.0, "q1": 6.0, "q3": 6.0}
    assert found["friedman"]["p_note"] == "all differences are zero"
    summary = summarise(path)
    (picture,) = summary.pictures["page_times"]
    assert picture.alt.count("15.0 s (15.0 to 15.0), n = 12") == len(CONDITIONS)
    assert not [name for name, _ in REPEATED.values() if f"{name}:" in picture.alt]
    report = html(summary)
    assert "Time on the rating pages" in report
    assert "response time" not in report.lower()
    assert "page_times.png" in files(summary)


def test_a_change_after_the_last_answer_is_the_new_end_of_the_page(tmp_path: Path) -> None:
    book = clocked()
    for row in book.ratings:
        if row["condition"] == "text" and row["item"] == "trust":  # the first answer, changed when all were given
            row["duration_s"] = 21.0
    found = times(book.write(tmp_path / "study.db"))
    assert (found["text"]["median"], found["cases"]["median"]) == (21.0, 15.0)
    assert found["friedman"]["p_exact"] < 0.001


def test_several_pages_of_a_condition_are_each_one_and_tested_by_their_mean(tmp_path: Path) -> None:
    """Two cases a condition, each with its own page: 15 and 25 seconds."""
    rows = []
    for who, period, item in product(("P1", "P2", "P3", "P4"), (1, 2, 3, 4), (1, 2)):
        seconds = (10 if period % 2 else 20) + 5 * (item == 2)
        rows.append(f"{who},a>b,{period},{'ab'[(period - 1) // 2]},q{item},{1 + item},{seconds}")
    path = tmp_path / "ratings.csv"
    path.write_text("\n".join(["participant,sequence,period,condition,item,value,duration_s", *rows]))
    found = times(path)
    assert found["a"] == {"n": 8, "median": 20.0, "q1": 15.0, "q3": 25.0}
    assert found["friedman"]["n"] == 4


@pytest.mark.parametrize(
    "groups",
    [
        {"one": ("text",), "other": ("cases",)},  # between subjects
        {"one": ("text", "cases"), "other": ("text", "generated")},
        {"one": ("text", "cases"), "other": ("text", "cases", "generated")},
    ],
)
def test_times_of_who_met_other_conditions_are_described_and_not_tested(
    tmp_path: Path, groups: dict[str, tuple[str, ...]]
) -> None:
    book, replies = Book(), []
    book.define()
    for number in range(8):
        order = groups["one" if number % 2 else "other"]
        person = book.person(f"P{number:04d}", sequence=">".join(order))
        for period, condition in enumerate(order, 1):
            book.rate(person, "trust", 1 + (number + period) % 5, condition)
            book.ratings[-1] |= {"period": period, "duration_s": 10.0 + number}
            replies.append((person["participant"], condition, 2.0 + number))
    path = book.write(tmp_path / "study.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE replies (participant, condition, response_s)")
        connection.executemany("INSERT INTO replies VALUES (?, ?, ?)", replies)
    summary = summarise(path)
    for name in ("answer_times", "page_times"):
        found = summary.facts[name]
        assert found["text"]["n"] == sum("text" in groups["one" if number % 2 else "other"] for number in range(8))
        assert found["friedman"] is None
        assert found["friedman_note"] == "participants did not all meet the same conditions"
    assert not [one for one in summary.said if "times" in one.test]


def test_without_a_clock_nothing_is_said(tmp_path: Path) -> None:
    summary = summarise(answered(6).write(tmp_path / "study.db"))
    assert summary.facts["page_times"] is None
    assert summary.pictures["page_times"] == ()
    assert "Time on the rating pages" not in html(summary)
