"""From what was stored to the step a participant is at. Pure: no database, no clock, no screen.

A step with questions is over when all its answers are stored *and* the participant pressed "Next"
(`Store.finish_step(participant, step.key)`), so that an answer can be changed while the page is open
and a refresh finds the page as it was left.
"""

from __future__ import annotations

from dataclasses import dataclass

from study_app.study.definition import Condition, Study
from study_app.study.state import ParticipantState


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
    """Choose a photo for the condition of ``period``. Over with `Store.start_exposure`."""

    period: int

    @property
    def key(self) -> str:
        return f"photo:{self.period}"


@dataclass(frozen=True)
class Conversation:
    """Chat about the photo. Over with `Store.finish_exposure`."""

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
    | Conversation
    | Rating
    | FinalItems
    | Comments
    | Completion
    | Finished
    | Declined
    | Excluded
    | Withdrawn
)


def next_step(study: Study, state: ParticipantState) -> Step:
    """The step the participant is at. ``study`` is the definition they started with."""
    raise NotImplementedError


def progress(study: Study, state: ParticipantState, step: Step) -> tuple[int, int]:
    """(k, n): ``step`` is the k-th of n steps with a page; after the end, (n, n)."""
    raise NotImplementedError


def missing(study: Study, state: ParticipantState, step: Step) -> tuple[str, ...]:
    """Ids of the items or questions of ``step`` that have no stored answer yet, in order."""
    raise NotImplementedError


def condition_of(study: Study, state: ParticipantState, period: int) -> Condition:
    """The condition met in ``period``. Never shown to a participant; raises IndexError before allocation."""
    raise NotImplementedError


def final_items_intro(study: Study, state: ParticipantState) -> str:
    """The text above the items asked once, with this participant's names of the assistants."""
    raise NotImplementedError
