"""The paper's participants, reconstructed: 32 sessions whose answers give Tables 3 and 5, through the store.

The data are drawn by `analysis.paper.reconstruction`; here they take the way of people: flow, allocation, store, in a
run of kind ``reconstruction``, which has a database of its own. What the paper does not print is not stored: the
statements of Figure 9 are not asked, no answer has a duration, and the conversations say that nobody held them. Every
session has an event of that kind, every manifest the profile of that name, and the database says in ``meta`` that it is
one (and, for the report's stamp, ``simulated``).
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

from PIL import Image

from analysis.paper.reconstruction import STUDY, Person, Reconstruction
from pipeline.types import (
    Diagnosis,
    DiagnosisMade,
    Event,
    Explained,
    ExplainRequest,
    Manifest,
    TextDelta,
    event_to_json,
    request_to_json,
)
from study_app.study import flow, visit
from study_app.study.allocation import image_seed
from study_app.study.definition import Study
from study_app.study.errors import Refused
from study_app.study.media import MediaStore
from study_app.study.state import RunKind
from study_app.study.store import Store

KIND: RunKind = "reconstruction"
NOT_SAID = "Reconstruction: no conversation took place."


def reconstructed_study(study: Study, drawn: Reconstruction) -> Study:
    """``study`` with the statements that the paper prints numbers for, and no others.

    Raises:
        Refused: the study lacks a statement or question of Tables 3 and 5.
    """
    first = drawn.people[0]
    asked = {question.id for question in study.demographics} | {item.id for item in study.final_items}
    lacking = sorted({*first.answers, *first.ratings} - asked)
    if lacking:
        raise Refused(f"{study.id} does not ask {', '.join(lacking)}; use questionnaires/skingen.yaml.")
    return replace(
        study,
        id=STUDY,
        planned_n=len(drawn.people),
        demographics=tuple(question for question in study.demographics if question.id in first.answers),
        items=tuple(item for item in study.final_items if item.id in first.ratings),
    )


def write_sessions(
    study: Study,
    drawn: Reconstruction,
    store: Store,
    media: MediaStore,
    on_finished: Callable[[int], None] = lambda finished: None,
) -> None:
    """Let every drawn participant complete ``study`` (see `reconstructed_study`), one after the other.

    Raises:
        Refused: the database holds participants already, people or others.
    """
    store.mark_simulated()
    _mark(store, drawn)
    store.register(study)
    for number, person in enumerate(drawn.people, 1):
        _Session(study, store, media, person, drawn.seed).complete()
        on_finished(number)


def _mark(store: Store, drawn: Reconstruction) -> None:
    """Also refuses a second reconstruction into the same file: 64 participants would be none of the paper's."""
    with store.database.write() as conn:
        if conn.execute("SELECT 1 FROM participant").fetchone():
            raise Refused(f"{store.database.path} holds participants; reconstruct into a database of its own.")
        conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (KIND, str(drawn.seed)))


@dataclass(frozen=True)
class _Session:
    """One drawn participant's way through the study."""

    study: Study
    store: Store
    media: MediaStore
    person: Person
    seed: int

    def complete(self) -> None:
        state = self.store.participant_by_token(self.store.arrive(self.study, KIND))
        assert state is not None
        self.store.log_event(state.participant, KIND, {"seed": self.seed})
        while self._take_step(state.participant):
            pass

    def _take_step(self, participant: str) -> bool:
        """Do what the step asks; False when the study is over."""
        now = visit.current(self.store, participant)
        match now.step:
            case flow.Consent():
                self.store.record_consent(participant, agreed=True)
            case flow.Demographics():
                self._answer(participant, self.person.answers, now.step.key)
            case flow.Photo(period):
                self.store.start_exposure(participant, period, self._photo(participant), known_label=None)
            case flow.Conversation(period):
                self._converse(participant, now.state.sequence[period - 1], now.state.exposures[period].photo, period)
            case flow.FinalItems():
                self._answer(participant, self.person.ratings, now.step.key)
            case flow.Rating() | flow.Comments():
                self.store.finish_step(participant, now.step.key)
            case _:
                return False
        return True

    def _answer(self, participant: str, answers: Mapping[str, str] | Mapping[str, int], step: str) -> None:
        for name, value in answers.items():
            self.store.save_answer(participant, name, value)
        self.store.finish_step(participant, step)

    def _photo(self, participant: str) -> str:
        """A grey square: which photos were chosen is unknown."""
        picture = io.BytesIO()
        Image.new("RGB", (8, 8), (128, 128, 128)).save(picture, "PNG")
        return self.media.keep(participant, picture.getvalue())

    def _converse(self, participant: str, condition: str, photo: str, period: int) -> None:
        """The store lets nobody on without an answered question, so one is stored that says what it is."""
        jobs = self.store.jobs
        explainer = self.study.condition(condition).explainer
        assert explainer != "none"  # the flow leads into no conversation there
        request = ExplainRequest(
            key=jobs.next_key(participant, period),
            condition=explainer,
            photo=photo,
            seed=image_seed(self.study, participant, period),
        )
        diagnosis = Diagnosis(None, (), 0.0, 0.0)
        manifest = _manifest(request, diagnosis)
        events: tuple[Event, ...] = (DiagnosisMade(diagnosis), TextDelta(NOT_SAID), Explained(manifest))
        jobs.start(request.key, participant, period, request_to_json(request), request.question)
        jobs.append_events(request.key, [(n, event_to_json(event)) for n, event in enumerate(events, 1)])
        jobs.finish(request.key, NOT_SAID, json.dumps(asdict(diagnosis)), json.dumps(asdict(manifest)))
        self.store.finish_exposure(participant, period)


def _manifest(request: ExplainRequest, diagnosis: Diagnosis) -> Manifest:
    return Manifest(
        key=request.key,
        condition=request.condition,
        profile=KIND,
        photo=request.photo,
        question=request.question,
        seed=request.seed,
        models={},
        prompts={},
        adapters=(),
        settings={KIND: True},
        diagnosis=diagnosis,
        caption=None,
        cases=(),
        images=(),
        latency_s={},
        fallbacks=(),
        versions={},
    )
