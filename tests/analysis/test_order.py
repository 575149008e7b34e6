"""Carry-over is from the condition that was met before, whether or not it was rated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.facts import as_json
from analysis.load import load
from analysis.mixed import Effect, dummies, effects
from analysis.report import summarise
from tests.analysis.builder import Book, answered

PEOPLE = 18


def skipped(sequences: bool = True) -> Book:
    """Everybody rates; P0001 met text, cases and generated, and left ``trust`` open in period 2."""
    book = answered(PEOPLE)
    order = {person["participant"]: person["sequence"].split(">") for person in book.participants}
    for row in book.ratings:
        row["period"] = order[row["participant"]].index(row["condition"]) + 1 if row["condition"] else None
        row["sequence"] = ">".join(order[row["participant"]]) if sequences else None
    for person in book.participants:
        person["sequence"] = person["sequence"] if sequences else None
    assert order["P0001"] == ["text", "cases", "generated"]
    left_open = ("P0001", "trust", 2)
    book.ratings = [row for row in book.ratings if (row["participant"], row["item"], row["period"]) != left_open]
    return book


def order_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(as_json(summarise(path).facts))["items"]["trust"]["order"]
    return found


def carried_over(book: Book) -> Effect:
    """The mixed model (checked against R elsewhere) of the condition that stands before in the order that was drawn."""
    order = {person["participant"]: person["sequence"].split(">") for person in book.participants}
    rows = pd.DataFrame([row for row in book.ratings if row["item"] == "trust" and row["period"] > 1])
    before = [order[who][period - 2] for who, period in zip(rows["participant"], rows["period"], strict=True)]
    terms = {"period": list(rows["period"]), "condition": list(rows["condition"]), "previous": before}
    columns = {name: dummies(levels) for name, levels in terms.items()}
    return effects(rows["value"].to_numpy(float), list(rows["participant"]), columns)["previous"]


def test_a_skipped_item_leaves_the_condition_met_before_as_it_is(tmp_path: Path) -> None:
    """Before generated, in period 3, P0001 met cases, though the last rating of the item is of text."""
    book = skipped()
    found = order_of(book.write(tmp_path / "study.db"))
    expected = carried_over(book)
    carried = found["carry_over"]
    figures = [carried[name] for name in ("f", "df1", "df2", "p")]
    assert figures == pytest.approx([expected.f, expected.df1, expected.df2, expected.p], rel=1e-9)
    assert "carry_over_note" not in found


def test_the_order_does_not_depend_on_which_rows_come_first(tmp_path: Path) -> None:
    book = skipped()
    first = order_of(book.write(tmp_path / "study.db"))
    book.ratings.reverse()
    again = order_of(book.write(tmp_path / "study.db"))
    for key in ("carry_over", "period"):
        assert again[key]["f"] == pytest.approx(first[key]["f"], rel=1e-9)


def test_without_sequences_the_answers_to_other_items_tell_and_the_result_says_so(tmp_path: Path) -> None:
    """Everybody answered the other items in every period, so the order is known all the same."""
    known = order_of(skipped().write(tmp_path / "known.db"))
    found = order_of(skipped(sequences=False).write(tmp_path / "unknown.db"))
    assert found["carry_over"] == known["carry_over"]
    assert "the file has no sequences" in found["carry_over_note"]


def test_a_csv_of_ratings_that_comes_alone_keeps_its_sequences(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    pd.DataFrame(skipped().ratings).to_csv(path, index=False)
    data = load(path)
    assert data.allocated == {row["participant"]: row["sequence"] for row in skipped().ratings}
