"""Participants for tests, walked through the study by the store's own methods."""

from __future__ import annotations

import io
import json
import random

from PIL import Image

from study_app.study import flow, visit
from study_app.study.definition import Item, Likert, Single, Study
from study_app.study.media import MediaStore
from study_app.study.simulate import any_answer
from study_app.study.state import RunKind, Value
from study_app.study.store import Store

MANIFEST = json.dumps({"profile": "test"})


def png(colour: int = 0) -> bytes:
    """A small picture; another colour is another picture."""
    out = io.BytesIO()
    Image.new("RGB", (4, 4), (colour % 256, colour // 256, 7)).save(out, "PNG")
    return out.getvalue()


def arrive(store: Store, study: Study, run_kind: RunKind = "live") -> str:
    store.register(study)
    state = store.participant_by_token(store.arrive(study, run_kind))
    assert state is not None
    return state.participant


def request(store: Store, participant: str, period: int) -> str:
    """A request about the photo of the period as it is now."""
    photo = store.state(participant).exposures[period].photo
    return json.dumps({"photo": photo, "question": "What is it?"})


def ask(
    store: Store, participant: str, period: int, answer: str = "It may be acne.", label: str | None = "acne vulgaris"
) -> str:
    """One question, answered; the job's key. ``label`` None: the assistant cannot tell."""
    key = store.jobs.next_key(participant, period)
    store.jobs.start(key, participant, period, request(store, participant, period), "What is it?")
    store.jobs.append_events(key, [(1, '{"type": "text_delta", "text": "It"}')])
    store.jobs.finish(key, answer, json.dumps({"label": label}), MANIFEST)
    return key


def walk_to(store: Store, media: MediaStore, participant: str, step_key: str, rating: int = 4, colour: int = 0) -> None:
    """Take steps until the one named ``step_key`` is next, answering ``rating`` everywhere."""
    while True:
        now = visit.current(store, participant)
        if now.step.key == step_key:
            return
        match now.step:
            case flow.Consent():
                store.record_consent(participant, agreed=True)
            case flow.Photo(period):
                store.start_exposure(participant, period, media.keep(participant, png(colour)), None)
                if not flow.condition_of(now.study, now.state, period).talks:
                    store.finish_exposure(participant, period)
            case flow.Conversation(period):
                ask(store, participant, period)
                store.finish_exposure(participant, period)
            case (
                flow.Demographics()
                | flow.FirstDecision()
                | flow.FinalDecision()
                | flow.Rating()
                | flow.FinalItems()
                | flow.Comments()
            ):
                _answer_all(store, now, rating)
                store.finish_step(participant, now.step.key)
            case _:
                raise AssertionError(f"{participant} is at {now.step}, beyond {step_key}")


def _answer_all(store: Store, now: visit.Visit, rating: int) -> None:
    """The rating on every scale, the first of several options, whatever fits where there is neither; attentively."""
    step = now.step
    period = step.period if isinstance(step, flow.FirstDecision | flow.FinalDecision | flow.Rating) else None
    for item in flow.asked(now.study, now.step):
        if (item.id, period) not in now.state.answers:
            store.save_answer(now.state.participant, item.id, _answer(item, rating), period)


def _answer(item: Item, rating: int) -> Value:
    match item:
        case Likert():
            return rating if item.attention_check is None else item.attention_check
        case Single():
            return item.options[0].value
    return any_answer(item, random.Random(0))
