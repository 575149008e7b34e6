"""Carry-over is from the condition that was met before, whether or not it was rated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.facts import as_json
from analysis.load import load
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


def carry_over_f(book: Book) -> tuple[float, int]:
    """F of the condition met before by least squares with a column for each person, period and condition; df2."""
    order = {person["participant"]: person["sequence"].split(">") for person in book.participants}
    rows = pd.DataFrame([row for row in book.ratings if row["item"] == "trust" and row["period"] > 1])
    rows["before"] = [order[who][period - 2] for who, period in zip(rows["participant"], rows["period"], strict=True)]
    y = rows["value"].to_numpy(float)

    def left(*names: str) -> tuple[float, int]:
        design = pd.get_dummies(rows[list(names)].astype(str), dtype=float).to_numpy()
        residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        return float(residual @ residual), int(np.linalg.matrix_rank(design))

    (without, few), (whole, many) = (left("participant", "period", "condition", *more) for more in ([], ["before"]))
    df2 = len(rows) - many
    return (without - whole) / (many - few) / (whole / df2), df2


def test_a_skipped_item_leaves_the_condition_met_before_as_it_is(tmp_path: Path) -> None:
    book = skipped()
    found = order_of(book.write(tmp_path / "study.db"))
    expected, df2 = carry_over_f(book)
    carried = found["fixed_effects"]["carry_over"]
    assert (carried["f"], carried["df2"]) == (pytest.approx(expected, rel=1e-9), df2)
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
