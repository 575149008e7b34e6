"""From what is stored to the next step, as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from study_app.study import flow
from study_app.study.definition import Study, load_study
from study_app.study.state import Exposure, Job, ParticipantState, Value
from tests.study_app.conftest import SKINGEN

SEQUENCE = ("cases", "generated", "text")
DEMOGRAPHICS: dict[tuple[str, int | None], Value] = {
    ("gender", None): "female",
    ("medical_background", None): "no",
}
NEW = ParticipantState("P0001", "0" * 64, "live", "active", None, None, (), {}, frozenset(), {})
CONSENTED = replace(NEW, consented=True)
DESCRIBED = replace(CONSENTED, answers=DEMOGRAPHICS, steps_done=frozenset({"demographics"}))
ALLOCATED = replace(DESCRIBED, sequence=SEQUENCE)
PHOTO, OTHER = "a" * 64, "b" * 64
DONE = Job("k", "P0001", 1, "{}", PHOTO, "done", None, None, "{}", "2026-01-01", "2026-01-01")


def exposed(period: int, finished: bool = True, wanted: bool = False) -> dict[int, Exposure]:
    return {
        period: Exposure(
            period,
            SEQUENCE[period - 1],
            PHOTO,
            None,
            "2026-01-01",
            "2026-01-01" if finished else None,
            "2026-01-01" if wanted else None,
            (),
            (DONE,),
        )
    }


def rated(state: ParticipantState, study: Study, period: int) -> ParticipantState:
    answers = {(item.id, period): 3 for item in study.repeated_items}
    return replace(
        state,
        exposures={**state.exposures, **exposed(period)},
        answers={**state.answers, **answers},
        steps_done=state.steps_done | {f"rating:{period}"},
    )


def states(study: Study) -> list[tuple[str, ParticipantState, flow.Step, int]]:
    """(case, state, expected step, its place among the 13 pages)"""
    one = rated(ALLOCATED, study, 1)
    three = rated(rated(one, study, 2), study, 3)
    finals = {(item.id, None): 5 for item in study.final_items}
    all_but_comments = replace(
        three, answers={**three.answers, **finals}, steps_done=three.steps_done | {"final_items"}
    )
    everything = replace(all_but_comments, steps_done=all_but_comments.steps_done | {"comments"})
    return [
        ("new", NEW, flow.Consent(), 1),
        ("consented", CONSENTED, flow.Demographics(), 2),
        ("answers without Next", replace(CONSENTED, answers=DEMOGRAPHICS), flow.Demographics(), 2),
        ("Next without answers", replace(DESCRIBED, answers={}), flow.Demographics(), 2),
        ("described", DESCRIBED, flow.Allocation(), 3),
        ("allocated", ALLOCATED, flow.Photo(1), 3),
        ("photo chosen", replace(ALLOCATED, exposures=exposed(1, False)), flow.Conversation(1), 4),
        ("another photo wanted", replace(ALLOCATED, exposures=exposed(1, False, True)), flow.Photo(1), 3),
        ("conversation over", replace(ALLOCATED, exposures=exposed(1)), flow.Rating(1), 5),
        ("first rated", one, flow.Photo(2), 6),
        (
            "second photo",
            replace(one, exposures={**one.exposures, **exposed(2, False)}),
            flow.Conversation(2),
            7,
        ),
        ("all rated", three, flow.FinalItems(), 12),
        ("final items rated", all_but_comments, flow.Comments(), 13),
        ("everything", everything, flow.Completion(), 13),
        ("completed", replace(everything, status="completed"), flow.Finished(), 13),
        ("declined", replace(NEW, status="screened_out", consented=False), flow.Declined(), 13),
        ("excluded", replace(one, status="excluded"), flow.Excluded(), 13),
        ("withdrawn", replace(NEW, status="withdrawn"), flow.Withdrawn(), 13),
    ]


def test_every_state_leads_to_its_step(study: Study) -> None:
    wrong = [
        (case, found)
        for case, state, expected, _ in states(study)
        if (found := flow.next_step(study, state)) != expected
    ]
    assert wrong == []


def test_progress_counts_pages(study: Study) -> None:
    wrong = [
        (case, found)
        for case, state, step, place in states(study)
        if (found := flow.progress(study, state, step)) != (place, 13)
    ]
    assert wrong == []


def test_a_study_without_conversations_has_as_many_pages_before_the_sequence_is_drawn_as_after() -> None:
    study = load_study(SKINGEN.with_name("image_relevance.yaml"))
    pages = len(["consent", "demographics", *range(study.periods), "comments"])
    assert flow.progress(study, NEW, flow.Consent()) == (1, pages)
    allocated = replace(ALLOCATED, sequence=("drawn", "photograph"))
    assert flow.progress(study, allocated, flow.Rating(1)) == (3, pages)


def test_missing_names_what_is_left_in_order(study: Study) -> None:
    state = replace(ALLOCATED, exposures=exposed(1), answers={("ease", 1): 2, ("trust", 2): 2})
    assert flow.missing(study, state, flow.Rating(1)) == ("trust", "effort")
    assert flow.missing(study, NEW, flow.Demographics()) == ("gender", "medical_background")
    assert flow.missing(study, NEW, flow.Comments()) == ()


def test_the_final_items_name_the_assistant_of_this_participant(study: Study) -> None:
    assert flow.final_items_intro(study, ALLOCATED).endswith("drew pictures on your photo: Assistant 2.")


def test_only_what_was_said_about_the_photo_there_is_now_counts() -> None:
    exposure = exposed(1, finished=False)[1]
    cannot_tell = replace(DONE, diagnosis='{"label": null}')
    named = replace(DONE, diagnosis='{"label": "acne"}')
    about_other = replace(cannot_tell, photo=OTHER)
    cases: list[tuple[tuple[Job, ...], bool, bool]] = [
        # jobs, answered, abstained
        ((), False, False),
        ((named,), True, False),
        ((cannot_tell,), True, True),
        ((cannot_tell, replace(cannot_tell, status="failed", diagnosis=None)), True, True),
        ((replace(cannot_tell, status="failed", diagnosis=None),), False, False),
        ((about_other,), False, False),
        ((about_other, named), True, False),
        ((about_other, cannot_tell), True, True),
        ((replace(DONE, photo=OTHER), replace(DONE, status="running")), False, False),
    ]
    for jobs, answered, abstained in cases:
        now = replace(exposure, jobs=jobs)
        assert (now.answered, now.abstained) == (answered, abstained), jobs
        assert now.about_photo == tuple(job for job in jobs if job.photo == PHOTO)
        assert now.earlier_photos == ((OTHER,) if any(job.photo == OTHER for job in jobs) else ())


def test_conditions_follow_the_sequence(study: Study) -> None:
    assert [flow.condition_of(study, ALLOCATED, n).key for n in (1, 2, 3)] == list(SEQUENCE)
    for period in (0, 4):
        with pytest.raises(IndexError):
            flow.condition_of(study, ALLOCATED, period)


def test_a_study_without_demographics_and_comments_skips_them(study: Study) -> None:
    short = replace(study, steps=("consent", "periods"), demographics=(), comments=None)
    assert flow.next_step(short, CONSENTED) == flow.Allocation()
    state = replace(CONSENTED, sequence=SEQUENCE)
    for period in (1, 2, 3):
        state = rated(state, short, period)
    assert flow.next_step(short, state) == flow.Completion()
