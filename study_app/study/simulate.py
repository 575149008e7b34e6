"""Simulated participants with a known effect, to try a study and its analysis before people come.

They take the way of people: the same flow tells them their step, the same store allocates them and takes
their answers, one by one, several at a time. Only the pipeline is left out: their explanations say
"simulated", in the text and in the manifest, and so does the database (``meta``).
"""

from __future__ import annotations

import io
import json
import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from PIL import Image

from pipeline.types import (
    DIAGNOSIS_PROMPT,
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
from study_app.study import flow, simulate_decisions, visit
from study_app.study.allocation import image_seed
from study_app.study.answers import NOT_SAID, ranked, several
from study_app.study.definition import Item, Likert, Single, Study
from study_app.study.definition_items import LongText, Multiple, Number, Pairwise, Ranking, ShortText, Slider, YesNo
from study_app.study.media import MediaStore
from study_app.study.simulate_habits import Habits, draw
from study_app.study.state import ParticipantState, Value
from study_app.study.store import Store

AT_ONCE = 5
"""How many simulated participants take part at the same time."""
PERSON_SD, NOISE_SD = 0.6, 0.8
"""Standard deviations, in scale points, between people and within a person's answers."""
IDEAL = Habits()
EFFECT = re.compile(r"(?P<item>\w+):(?P<condition>\w+)=(?P<size>[+-]?\d+(\.\d+)?)\Z")


@dataclass(frozen=True)
class Effect:
    """Ratings of ``item`` under ``condition`` are ``size`` scale points higher, before rounding."""

    item: str
    condition: str
    size: float


def parse_effect(text: str, study: Study) -> Effect:
    """ "trust:generated=+0.6" -> Effect. Raises ValueError with what is allowed."""
    match = EFFECT.match(text)
    if match is None:
        raise ValueError(f"effect '{text}': write ITEM:CONDITION=SIZE, for instance trust:generated=+0.6")
    scaled = [item for item in study.repeated_items if isinstance(item, Likert)]
    items = [item.id for item in scaled if item.attention_check is None]
    conditions = [condition.key for condition in study.conditions]
    if match["item"] not in items:
        raise ValueError(f"effect '{text}': items rated per condition are {', '.join(items)}")
    if match["condition"] not in conditions:
        raise ValueError(f"effect '{text}': conditions are {', '.join(conditions)}")
    return Effect(match["item"], match["condition"], float(match["size"]))


def simulate(
    study: Study,
    store: Store,
    media: MediaStore,
    n: int,
    effects: Sequence[Effect] = (),
    seed: int = 0,
    on_finished: Callable[[int], None] = lambda finished: None,
    habits: Habits = IDEAL,
) -> None:
    """Let ``n`` simulated participants go through the study, as a live run, to its end or as far as their ``habits``
    let them. The same seed gives the same answers in an empty database. Raises Refused when people are in it."""
    store.mark_simulated()
    store.register(study)
    order = random.Random(f"{study.id}|{seed}")
    present: list[_Person] = []
    arrived = finished = 0
    while finished < n:
        if arrived < n and len(present) < AT_ONCE:
            arrived += 1
            present.append(_Person(study, store, media, effects, habits, f"{study.id}|{seed}|{arrived}"))
        person = order.choice(present)
        if person.take_step():
            present.remove(person)
            finished += 1
            on_finished(finished)


def any_answer(item: Item, chance: random.Random) -> Value:
    """An answer that fits ``item``, which is no rating on a scale, drawn evenly; words say that they are simulated."""
    match item:
        case Single():
            return chance.choice(item.options).value
        case YesNo():
            return chance.choice(("yes", "no"))
        case Pairwise():
            return chance.choice(item.sides).value
        case Multiple():
            most = item.at_most or len(item.options)
            number = chance.randint(item.at_least, most)
            return several(item, (option.value for option in chance.sample(item.options, number)))
        case Ranking():
            return ranked(chance.sample([option.value for option in item.options], len(item.options)))
        case Slider():
            return chance.randrange(item.minimum, item.maximum + 1, item.step)
        case Number():
            return _any_number(item, chance)
        case ShortText() | LongText():
            return "Simulated answer."[: item.max_length]
    raise TypeError(f"{item.id}: simulated participants have no answer to an item of kind {item.kind}")


def _any_number(item: Number, chance: random.Random) -> Value:
    if item.decimals:
        return min(max(round(chance.uniform(item.minimum, item.maximum), item.decimals), item.minimum), item.maximum)
    return chance.randint(math.ceil(item.minimum), math.floor(item.maximum))


class _Person:
    """One simulated participant: arrives when made, then takes one step at a time."""

    def __init__(
        self, study: Study, store: Store, media: MediaStore, effects: Sequence[Effect], habits: Habits, seed: str
    ) -> None:
        self.study, self.store, self.media = study, store, media
        self.effects = {(effect.item, effect.condition): effect.size for effect in effects}
        self.reversed = {item for score in study.scores for item in score.reverse}
        self.random = random.Random(seed)
        self.leaning = self.random.gauss(0, PERSON_SD)
        self.manner = draw(habits, random.Random(f"{seed}|habits"))
        self.on_page_s = 0.0
        state = store.participant_by_token(store.arrive(study, "live"))
        assert state is not None
        self.id = state.participant

    def take_step(self) -> bool:
        """Do what the step asks; True when the study is over for this participant, or they leave."""
        self.on_page_s = 0.0
        now = visit.current(self.store, self.id)
        if not isinstance(now.step, flow.ENDS) and self.manner.leaves(*flow.progress(now.study, now.state, now.step)):
            return True
        match now.step:
            case flow.Consent():
                self.store.record_consent(self.id, agreed=True)
            case flow.Demographics():
                for question in self.study.demographics:
                    self._rate(question, None, None)
                self.store.finish_step(self.id, now.step.key)
            case flow.Photo(period):
                self.store.start_exposure(self.id, period, self._photo(), known_label=None)
                if not flow.condition_of(now.study, now.state, period).talks:
                    self.store.finish_exposure(self.id, period)
            case flow.FirstDecision(period):
                self._decide(now, simulate_decisions.first_decision(self.study, now.state, period, self.random))
            case flow.Conversation(period):
                self._converse(now.state, period)
            case flow.FinalDecision(period):
                first = str(now.state.answers[flow.asked(self.study, flow.FirstDecision(period))[0].id, period])
                advised = json.loads(now.state.exposures[period].jobs[0].diagnosis or "{}").get("label")
                self._decide(now, simulate_decisions.final_decision(self.study, first, advised, self.random))
            case flow.Rating(period):
                for item in self.study.repeated_items:
                    self._rate(item, now.state.exposures[period].condition, period)
                self.store.finish_step(self.id, now.step.key)
            case flow.FinalItems():
                for item in self.study.final_items:
                    self._rate(item, None, None)
                self.store.finish_step(self.id, now.step.key)
            case flow.Comments():
                self.store.finish_step(self.id, now.step.key)
            case _:
                return True
        return False

    def _rate(self, item: Item, condition: str | None, period: int | None) -> None:
        """What they answer, or what stands for it where they leave the item out."""
        if not self.manner.leaves_out(item, self.random):
            self._answer(item.id, self._felt(item, condition), period)
        elif item.missing == NOT_SAID:
            self._answer(item.id, NOT_SAID, period)

    def _felt(self, item: Item, condition: str | None) -> Value:
        """On a scale a normal variable around the upper middle, rounded to a point of it; else whatever fits. Where a
        score reverses the item it is mirrored: who likes a system does not agree that it is cumbersome."""
        right = item.attention_check if isinstance(item, Likert | Single) else None
        if right is not None and not self.manner.careless:
            return right
        if not isinstance(item, Likert):
            return any_answer(item, self.random)
        points = self.study.scale_of(item).points
        if self.manner.careless:
            return self.random.choice(points)
        middle = points[0] + 0.6 * (points[-1] - points[0])
        felt = middle + self.leaning + self.random.gauss(0, NOISE_SD)
        if item.id in self.reversed:
            felt = points[0] + points[-1] - felt
        felt += self.effects.get((item.id, condition or ""), 0.0)
        return min(max(round(felt), points[0]), points[-1])

    def _answer(self, name: str, value: Value, period: int | None = None) -> None:
        self.on_page_s += self.manner.pace * self.random.lognormvariate(1.5, 0.5)  # a page has one clock, as in the app
        self.store.save_answer(self.id, name, value, period, duration_s=self.on_page_s)

    def _photo(self) -> str:
        colour = tuple(self.random.randrange(256) for _ in range(3))
        picture = io.BytesIO()
        Image.new("RGB", (8, 8), colour).save(picture, "PNG")
        return self.media.keep(self.id, picture.getvalue())

    def _decide(self, now: visit.Visit, decision: str) -> None:
        """The decision, and below it the confidence."""
        period = now.step.period if isinstance(now.step, flow.FirstDecision | flow.FinalDecision) else None
        item, *sure = flow.asked(self.study, now.step)
        self._answer(item.id, decision, period)
        for each in sure:
            self._rate(each, None, period)
        self.store.finish_step(self.id, now.step.key)

    def _converse(self, state: ParticipantState, period: int) -> None:
        """Ask the study's questions, or the first one only, and take made-up answers, stored like real ones."""
        explainer = flow.condition_of(self.study, state, period).explainer
        assert explainer != "none"  # the flow leads into no conversation there
        diagnosis = Diagnosis(simulate_decisions.advice(self.study, state, period, self.random), (), 0.0, 0.0)
        for question in self.study.conversation.prompts or (DIAGNOSIS_PROMPT,):
            request = ExplainRequest(
                key=self.store.jobs.next_key(self.id, period),
                condition=explainer,
                photo=state.exposures[period].photo,
                question=question,
                seed=image_seed(self.study, self.id, period),
            )
            self._answered(request, diagnosis, period)
        self.store.finish_exposure(self.id, period)

    def _answered(self, request: ExplainRequest, diagnosis: Diagnosis, period: int) -> None:
        jobs = self.store.jobs
        manifest = _simulated_manifest(request, diagnosis)
        text = "Simulated answer."
        events: tuple[Event, ...] = (DiagnosisMade(diagnosis), TextDelta(text), Explained(manifest))
        jobs.start(request.key, self.id, period, request_to_json(request), request.question)
        jobs.append_events(request.key, [(n, event_to_json(event)) for n, event in enumerate(events, 1)])
        jobs.finish(request.key, text, json.dumps(asdict(diagnosis)), json.dumps(asdict(manifest)))


def _simulated_manifest(request: ExplainRequest, diagnosis: Diagnosis) -> Manifest:
    return Manifest(
        key=request.key,
        condition=request.condition,
        profile="simulated",
        photo=request.photo,
        question=request.question,
        seed=request.seed,
        models={},
        prompts={},
        adapters=(),
        settings={"simulated": True},
        diagnosis=diagnosis,
        caption=None,
        cases=(),
        images=(),
        latency_s={},
        fallbacks=(),
        versions={},
    )
