"""From what was stored to the step a participant is at. Pure: no database, no clock, no screen.

A step with questions is over when all its answers are stored *and* the participant pressed "Next"
(`Store.finish_step(participant, step.key)`), so that an answer can be changed while the page is open
and a refresh finds the page as it was left.
"""

from __future__ import annotations

from dataclasses import dataclass

from study_app.study.definition import Condition, Item, StepName, Study
from study_app.study.outcomes import FAILED_CHECKS, NOT_ELIGIBLE
from study_app.study.state import TAKEN_BACK, ParticipantState


@dataclass(frozen=True)
class Consent:
    key: str = "consent"


@dataclass(frozen=True)
class Demographics:
    key: str = "demographics"


@dataclass(frozen=True)
class Allocation:
    """Nothing to show: the sequence is to be drawn now (`visit.current` does it)."""

    key: str = "allocation"


@dataclass(frozen=True)
class Photo:
    """Choose a photo for the condition of ``period``. Over with `Store.start_exposure`; when it is another photo
    after "I cannot tell", with `PhotoExchange.replace` or `PhotoExchange.keep`."""

    period: int

    @property
    def key(self) -> str:
        return f"photo:{self.period}"


@dataclass(frozen=True)
class FirstDecision:
    """The participant's own decision, before the explanation of ``period``."""

    period: int

    @property
    def key(self) -> str:
        return f"first_decision:{self.period}"


@dataclass(frozen=True)
class FinalDecision:
    """The decision after the explanation of ``period``."""

    period: int

    @property
    def key(self) -> str:
        return f"final_decision:{self.period}"


@dataclass(frozen=True)
class Conversation:
    """Chat about the photo. Over with `Store.finish_exposure`; `PhotoExchange.want_another` leads back."""

    period: int

    @property
    def key(self) -> str:
        return f"conversation:{self.period}"


@dataclass(frozen=True)
class Rating:
    """The repeated items about the condition of ``period``."""

    period: int

    @property
    def key(self) -> str:
        return f"rating:{self.period}"


@dataclass(frozen=True)
class FinalItems:
    key: str = "final_items"


@dataclass(frozen=True)
class Comments:
    key: str = "comments"


@dataclass(frozen=True)
class Completion:
    """Nothing to show: all is answered, `Store.complete` is due (`visit.current` does it)."""

    key: str = "completion"


@dataclass(frozen=True)
class Finished:
    """Debrief and completion code."""

    key: str = "finished"


@dataclass(frozen=True)
class Declined:
    """The participant did not agree to take part."""

    key: str = "declined"


@dataclass(frozen=True)
class ScreenedOut:
    """The answers about oneself do not meet the study's rules of eligibility."""

    key: str = "screened_out"


@dataclass(frozen=True)
class Over:
    """Begun longer ago than the study lets anybody go on (`visit.current`, which has a clock, finds it)."""

    key: str = "over"


@dataclass(frozen=True)
class FailedChecks:
    """Finished, and excluded by the study's own rule about attention checks."""

    key: str = "failed_checks"


@dataclass(frozen=True)
class Excluded:
    """Taken out by a researcher."""

    key: str = "excluded"


@dataclass(frozen=True)
class Withdrawn:
    """The participant withdrew; what they gave was erased."""

    key: str = "withdrawn"


Step = (
    Consent
    | Demographics
    | Allocation
    | Photo
    | FirstDecision
    | Conversation
    | FinalDecision
    | Rating
    | FinalItems
    | Comments
    | Completion
    | Finished
    | Declined
    | ScreenedOut
    | Over
    | FailedChecks
    | Excluded
    | Withdrawn
)

ENDS = (Finished, Declined, ScreenedOut, Over, FailedChecks, Excluded, Withdrawn)
"""Steps after which nothing is asked."""

CLOSED_BY_NEXT = (Demographics, FirstDecision, FinalDecision, Rating, FinalItems, Comments)
"""Steps that `Store.finish_step` ends."""


def next_step(study: Study, state: ParticipantState) -> Step:
    """The step the participant is at. ``study`` is the definition they started with."""
    ended = _ended(state)
    if ended is not None:
        return ended
    for name in study.steps:
        step = _within(name, study, state)
        if step is not None:
            return step
    return Completion()


def _ended(state: ParticipantState) -> Step | None:
    match state.status:
        case "completed":
            return Finished()
        case "screened_out":
            return ScreenedOut() if (state.exclusion_reason or "").startswith(NOT_ELIGIBLE) else Declined()
        case "excluded":
            return FailedChecks() if state.exclusion_reason == FAILED_CHECKS else Excluded()
        case "withdrawn":
            return Withdrawn()
    return None


def _within(name: StepName, study: Study, state: ParticipantState) -> Step | None:
    """What is left to do of one line of the study's ``steps``; None when nothing is."""
    if name == "consent":
        return None if state.consented else Consent()
    if name == "periods":
        return _period_step(study, state)
    pages: dict[str, Step] = {
        "demographics": Demographics(),
        "final_items": FinalItems(),
        "comments": Comments(),
    }
    step = pages[name]
    return step if _unfinished(study, state, step) else None


def _period_step(study: Study, state: ParticipantState) -> Step | None:
    if not state.sequence:
        return Allocation()
    for period in range(1, len(state.sequence) * study.photo.cases_per_condition + 1):
        exposure = state.exposures.get(period)
        if exposure is None or exposure.another_photo_wanted_at is not None:
            return Photo(period)
        if exposure.finished_at is None and not condition_of(study, state, period).talks:
            return Photo(period)
        if study.reliance and _unfinished(study, state, FirstDecision(period)):
            return FirstDecision(period)
        if exposure.finished_at is None:
            return Conversation(period)
        if study.reliance and _unfinished(study, state, FinalDecision(period)):
            return FinalDecision(period)
        if _unfinished(study, state, Rating(period)):
            return Rating(period)
    return None


def _unfinished(study: Study, state: ParticipantState, step: Step) -> bool:
    return step.key not in state.steps_done or bool(missing(study, state, step))


def progress(study: Study, state: ParticipantState, step: Step) -> tuple[int, int]:
    """(k, n): ``step`` is the k-th of n steps with a page; after the end, (n, n)."""
    pages: list[str] = []
    for name in study.steps:
        if name == "periods":
            for period in range(1, study.periods + 1):
                pages += [page.key for page in period_pages(study, state, period)]
        else:
            pages.append(name)
    if isinstance(step, Allocation) or (isinstance(step, Photo) and study.photo.assigned):
        step = period_pages(study, state, step.period if isinstance(step, Photo) else 1)[0]
    return (pages.index(step.key) + 1 if step.key in pages else len(pages)), len(pages)


def period_pages(study: Study, state: ParticipantState, period: int) -> tuple[Step, ...]:
    """The steps of one period that have a page, in order: an assigned photo is not chosen, and without an explainer
    there is no conversation. Before the sequence is drawn there is one where any condition talks."""
    met = [condition_of(study, state, period)] if state.sequence else study.conditions
    talks = any(condition.talks for condition in met)
    pages: list[Step] = [] if study.photo.assigned else [Photo(period)]
    pages += [FirstDecision(period)] if study.reliance else []
    pages += [Conversation(period)] if talks else []
    pages += [FinalDecision(period)] if study.reliance else []
    return (*pages, Rating(period))


def asked(study: Study, step: Step) -> tuple[Item, ...]:
    """The items on the page of ``step``, in order; none for a step without items."""
    match step:
        case Demographics():
            return study.demographics
        case FirstDecision():
            return study.reliance.first if study.reliance else ()
        case FinalDecision():
            return study.reliance.final if study.reliance else ()
        case Rating():
            return study.repeated_items
        case FinalItems():
            return study.final_items
    return ()


def missing(study: Study, state: ParticipantState, step: Step) -> tuple[str, ...]:
    """Ids of the items of ``step`` that need an answer and have none, in order."""
    period = step.period if isinstance(step, FirstDecision | FinalDecision | Rating) else None
    return tuple(
        item.id
        for item in asked(study, step)
        if item.missing != "may_skip" and state.answers.get((item.id, period), TAKEN_BACK) == TAKEN_BACK
    )


def condition_of(study: Study, state: ParticipantState, period: int) -> Condition:
    """The condition met in ``period``. Never shown to a participant; raises IndexError before allocation."""
    if not 1 <= study.place_of(period) <= len(state.sequence):
        raise IndexError(f"{state.participant} has no period {period}")
    return study.condition(state.sequence[study.place_of(period) - 1])


def final_items_intro(study: Study, state: ParticipantState) -> str:
    """The text above the items asked once, with this participant's names of the assistants."""
    text = study.final_items_intro
    for place, key in enumerate(state.sequence):
        period = place * study.photo.cases_per_condition + 1
        text = text.replace("{" + key + "}", study.name_in_period(period))
    return text
