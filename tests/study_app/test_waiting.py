"""The sign beside an assistant's words carries the number in its name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from study_app.participant.waiting import avatar
from study_app.study.definition import load_study

QUESTIONNAIRES = Path(__file__).parents[2] / "questionnaires"


@pytest.mark.parametrize(("name", "periods"), [("skingen", 3), ("skingpt4_clinical", 6)])
def test_the_sign_is_the_number_in_the_name(name: str, periods: int) -> None:
    study = load_study(QUESTIONNAIRES / f"{name}.yaml").in_language("en")
    for period in range(1, periods + 1):
        assert avatar(study, period) == f":material/counter_{study.name_in_period(period).split()[-1]}:"


def test_a_number_without_a_sign_is_no_broken_page() -> None:
    study = load_study(QUESTIONNAIRES / "skingen.yaml")
    many = replace(study, photo=replace(study.photo, cases_per_condition=1))
    assert avatar(many, 10) == ":material/support_agent:"
