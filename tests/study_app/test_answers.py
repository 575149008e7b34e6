"""Every kind of item: what is stored as its answer, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study_app.study import flow
from study_app.study.answers import NOT_SAID, check_answer, chosen_options, several
from study_app.study.definition import Study
from study_app.study.definition_items import Multiple
from study_app.study.errors import Refused
from study_app.study.state import TAKEN_BACK, Exposure, ParticipantState, Value

AT = "2026-01-01"
STATE = ParticipantState("P0001", "0" * 64, "live", "active", None, True, ("plain", "drawn"), {}, frozenset(), {})
AFTER_TALK = replace(STATE, exposures={1: Exposure(1, "plain", "a" * 64, None, AT, AT, None, (), ())})

GOOD: list[tuple[str, Value]] = [
    ("clear", 1),
    ("clear", 7),
    ("sure", 0),
    ("sure", 100),
    ("doctor", "yes"),
    ("doctor", NOT_SAID),
    ("heard", '["app"]'),
    ("heard", '["app", "friend"]'),
    ("word", "klar"),
    ("story", "x" * 4000),
    ("age", 10),
    ("weight", NOT_SAID),
    ("skin", "dark"),
    ("weight", 0.25),
    ("order", '["talk", "words", "images"]'),
    ("weight", 1),
]
BAD: list[tuple[str, Value]] = [
    ("clear", 0),
    ("clear", 8),
    ("clear", True),
    ("clear", 4.0),
    ("clear", "4"),
    ("clear", NOT_SAID),  # required: there is no such answer
    ("sure", 5),  # between two steps
    ("sure", 101),
    ("doctor", "maybe"),
    ("heard", "[]"),
    ("heard", '["app", "book", "friend"]'),
    ("heard", '["friend", "app"]'),  # not in the order of the study
    ("heard", '["app", "app"]'),
    ("heard", '["tv"]'),
    ("heard", "app"),
    ("heard", '{"app": 1}'),
    ("word", "   "),
    ("word", "x" * 21),
    ("word", 5),
    ("age", 9),
    ("age", 18.5),
    ("age", "18"),
    ("age", NOT_SAID),
    ("skin", "green"),
    ("skin", NOT_SAID),
    ("weight", 0.251),
    ("weight", float("nan")),
    ("weight", float("inf")),
    ("order", '["talk", "words"]'),
    ("order", '["talk", "words", "words"]'),
    ("order", '["talk","words","images"]'),
    ("order", "talk"),
    ("nothing", 1),
    ("remarks", 1),
    ("remarks", "x" * 4001),
]


def period_of(study: Study, name: str) -> int | None:
    item = study.item(name)
    return 1 if item is not None and item.repeated else None


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_an_answer_that_fits_is_taken(moles: Study, name: str, value: Value) -> None:
    check_answer(moles, AFTER_TALK, name, value, period_of(moles, name))


@pytest.mark.parametrize(("name", "value"), BAD)
def test_an_answer_that_does_not_fit_is_refused(moles: Study, name: str, value: Value) -> None:
    with pytest.raises(Refused):
        check_answer(moles, AFTER_TALK, name, value, period_of(moles, name))


@pytest.mark.parametrize(("name", "period"), [("clear", None), ("clear", 2), ("word", 1), ("skin", 1), ("remarks", 1)])
def test_an_item_is_answered_in_its_own_place(moles: Study, name: str, period: int | None) -> None:
    values: dict[str, Value] = {"clear": 4, "skin": "dark"}
    with pytest.raises(Refused):
        check_answer(moles, AFTER_TALK, name, values.get(name, "klar"), period)


def test_only_a_given_answer_is_taken_back(moles: Study) -> None:
    with pytest.raises(Refused, match="no answer to take back"):
        check_answer(moles, AFTER_TALK, "word", TAKEN_BACK, None)
    check_answer(moles, replace(AFTER_TALK, answers={("word", None): "klar"}), "word", TAKEN_BACK, None)


def test_several_options_are_stored_in_the_order_of_the_study_and_read_back(moles: Study) -> None:
    heard = moles.item("heard")
    assert isinstance(heard, Multiple)
    assert several(heard, ["friend", "app"]) == '["app", "friend"]'
    assert chosen_options('["app", "friend"]') == ("app", "friend")
    assert chosen_options(None) == chosen_options(NOT_SAID) == chosen_options(4) == chosen_options("[") == ()


def test_a_page_waits_for_required_answers_only(moles: Study) -> None:
    assert flow.missing(moles, STATE, flow.FinalItems()) == ("heard", "word", "weight", "order")  # not story
    assert flow.missing(moles, STATE, flow.Rating(1)) == ("clear", "sure", "doctor", "read")  # not muddled
    answers: dict[tuple[str, int | None], Value] = {("weight", None): NOT_SAID, ("word", None): TAKEN_BACK}
    assert flow.missing(moles, replace(STATE, answers=answers), flow.FinalItems()) == ("heard", "word", "order")
