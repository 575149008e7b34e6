"""Where a participant is now: what a page asks first, on every run."""

from __future__ import annotations

from dataclasses import dataclass

from study_app.study.definition import Study
from study_app.study.flow import Allocation, Completion, Over, Step, next_step
from study_app.study.outcomes import is_over
from study_app.study.state import ParticipantState
from study_app.study.store import Store


@dataclass(frozen=True)
class Visit:
    """``study`` is the definition the participant started with, whatever the file says today."""

    study: Study
    state: ParticipantState
    step: Step


def current(store: Store, participant: str) -> Visit:
    """Read the participant's state and find the step; allocation and completion, which have no page, are
    carried out here. Raises UnknownParticipant."""
    state = store.state(participant)
    study = store.study(state.definition_hash)
    step = next_step(study, state)
    if not isinstance(step, Completion) and is_over(study, state, store.database.clock()):
        return Visit(study, state, Over())
    if isinstance(step, Allocation):
        store.allocate(participant)
    elif isinstance(step, Completion):
        store.complete(participant)
    else:
        return Visit(study, state, step)
    return current(store, participant)
