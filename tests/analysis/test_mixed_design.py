"""Groups that were allocated different conditions: what is tested over them, and what is not a group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.between import mann_whitney
from analysis.facts import as_json
from analysis.load import load
from analysis.mixed_design import groups_of, mixed_design
from analysis.report import summarise
from tests.analysis.builder import Book

ARMS = {"novices": ("text", "cases"), "shown": ("text", "generated")}


def study(folder: Path, arms: dict[str, tuple[str, ...]], shift: float = 0.0) -> Path:
    """Twelve people a group; everybody of the second group rates ``shift`` higher."""
    rng = np.random.default_rng(3)
    book = Book()
    book.define()
    for number in range(24):
        place = number % 2
        order = list(arms.values())[place][:: -1 if number % 4 > 1 else 1]
        person = book.person(f"P{number:04d}", sequence=">".join(order))
        mood = rng.normal(3 + place * shift, 0.7)
        for condition in order:
            for item in ("trust", "ease", "effort"):
                higher = {"text": 0.0, "cases": 0.3, "generated": 1.0}[condition]
                book.rate(person, item, int(np.clip(round(rng.normal(mood + higher, 0.4)), 1, 5)), condition)
    return book.write(folder / "mixed.db")


def facts(path: Path) -> dict[str, Any]:
    return json.loads(as_json(summarise(path).facts))


def test_conditions_and_groups_are_told_apart_by_the_shared_condition(tmp_path: Path) -> None:
    found = facts(study(tmp_path, ARMS))
    assert found["design"] == "mixed"
    mixed = found["items"]["trust"]["mixed_design"]
    assert mixed["groups"] == {"text + cases": 12, "text + generated": 12}
    assert mixed["condition"]["p"] < 0.01
    assert (mixed["condition"]["df1"], mixed["group"]["df1"]) == (2, 1)
    assert mixed["group"]["p"] > 0.05
    assert "share fewer than two" in mixed["interaction"]["p_note"]
    data = load(tmp_path / "mixed.db")
    frame = data.by_condition(data.repeated_items[0])
    expected = mann_whitney(frame["cases"].dropna(), frame["generated"].dropna())
    assert list(mixed["mann_whitney"]) == ["cases-generated"]
    pair = mixed["mann_whitney"]["cases-generated"]
    assert (pair["n1"], pair["n2"], pair["p_exact"]) == (12, 12, pytest.approx(expected.p_exact))
    assert pair["p_holm"] == pair["p_exact"]
    strings = [one for one in summarise(tmp_path / "mixed.db").said if "mixed model" in one.test]
    assert {one.test for one in strings} >= {"System, mixed model", "Group, mixed model"}


def test_a_group_that_rates_higher_is_seen(tmp_path: Path) -> None:
    data = load(study(tmp_path, ARMS, shift=1.5))
    found = mixed_design(data, data.repeated_items[0])
    assert found is not None
    assert found.group.p is not None
    assert found.group.p < 0.01


def test_groups_that_share_two_conditions_have_an_interaction(tmp_path: Path) -> None:
    data = load(study(tmp_path, {"two": ("text", "cases"), "three": ("text", "cases", "generated")}))
    found = mixed_design(data, data.repeated_items[0])
    assert found is not None
    assert found.interaction.p is not None
    assert 0 <= found.interaction.p <= 1
    assert found.across == {}  # the second group met every pair


def test_who_lacks_an_answer_is_no_group(tmp_path: Path) -> None:
    book = Book()
    book.define()
    for number in range(6):
        person = book.person(f"P{number:04d}", sequence="text>cases")
        book.rate(person, "trust", 3, "text")
        if number:
            book.rate(person, "trust", 4, "cases")
    data = load(book.write(tmp_path / "within.db"))
    assert groups_of(data) == {}
    assert mixed_design(data, data.repeated_items[0]) is None
