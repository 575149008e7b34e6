"""The store: participants, answers, exposures and jobs in one SQLite file. The only way in and out.

Every method that writes returns after its transaction committed; an answer may be acknowledged then,
and only then. All methods may be called from any thread. ``participant`` is always the public id (P0001).

Errors (all `StoreError`): `NotSaved` (database busy, disk full: nothing was changed, try again),
`UnknownParticipant`, `Refused` (what was asked contradicts the study or the participant's state).
Opening raises `CannotOpen` (newer schema, corrupt, not ours, or read-only), with what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study_app.study.definition import Study
from study_app.study.job_log import JobLog
from study_app.study.researcher import ResearcherLogin
from study_app.study.state import ParticipantState, RunKind, Value


class StoreError(Exception): ...


class CannotOpen(StoreError): ...


class NotSaved(StoreError): ...


class UnknownParticipant(StoreError): ...


class Refused(StoreError): ...


@dataclass(frozen=True)
class Counts:
    """For the monitor; one study and run kind."""

    arrived: int
    consented: int
    active: int
    completed: int
    left_early: int
    """Abandoned or withdrawn."""
    declined: int
    excluded: int
    per_sequence: Mapping[str, tuple[int, int]]
    """"text>cases>generated" -> (completed, recently active); every sequence of the study is listed."""
    at_step: Mapping[str, int]
    """Step key of those active now -> how many."""


class Store:
    """One open database. ``jobs`` is the log of questions to the pipeline, ``researcher`` the login."""

    jobs: JobLog
    researcher: ResearcherLogin

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open or create the database, migrating an older one after a backup. Raises CannotOpen."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    # Studies -----------------------------------------------------------------------------------------

    def register(self, study: Study) -> None:
        """Keep the definition under its hash. Registering it again is a no-op."""
        raise NotImplementedError

    def study(self, definition_hash: str) -> Study:
        """Raises KeyError for an unknown hash."""
        raise NotImplementedError

    # Participants ------------------------------------------------------------------------------------

    def arrive(self, study: Study, run_kind: RunKind) -> str:
        """A new participant of a registered study; returns the token for their link (stored hashed)."""
        raise NotImplementedError

    def participant_by_token(self, token: str) -> ParticipantState | None:
        """None for any token that is not somebody's."""
        raise NotImplementedError

    def state(self, participant: str) -> ParticipantState:
        """Raises UnknownParticipant."""
        raise NotImplementedError

    def touch(self, participant: str) -> None:
        """A sign of life (a page is open). Writes at most once a minute; never raises NotSaved."""
        raise NotImplementedError

    def record_consent(self, participant: str, agreed: bool) -> None:
        """Once. Declining screens out. A different second answer is Refused."""
        raise NotImplementedError

    def allocate(self, participant: str) -> tuple[str, ...]:
        """The participant's sequence, drawn at the first call (balanced) and stored."""
        raise NotImplementedError

    def save_answer(
        self,
        participant: str,
        item: str,
        value: Value,
        period: int | None = None,
        duration_s: float | None = None,
    ) -> bool:
        """Store an answer to an item, a question or the comments. ``period`` for repeated items only.

        An identical repeat is a no-op (returns False); a change adds a row and the newest one counts
        (returns True). Refused: an unknown item, a value off the scale, a finished participant."""
        raise NotImplementedError

    def finish_step(self, participant: str, step_key: str) -> None:
        """ "Next" was pressed on demographics, rating:N, final_items or comments. Refused while an answer
        is missing. Idempotent."""
        raise NotImplementedError

    def log_event(self, participant: str | None, kind: str, data: Mapping[str, Any] | None = None) -> None:
        """Append to the event log."""
        raise NotImplementedError

    # Exposures ---------------------------------------------------------------------------------------

    def start_exposure(self, participant: str, period: int, photo: str, known_label: str | None) -> None:
        """The photo for ``period`` is chosen. Until the first question it may be chosen again; later Refused."""
        raise NotImplementedError

    def finish_exposure(self, participant: str, period: int) -> None:
        """The participant goes on to rate. Refused before an explanation is complete or while a job is
        open. Idempotent."""
        raise NotImplementedError

    # Ends --------------------------------------------------------------------------------------------

    def complete(self, participant: str) -> str:
        """Mark as completed and return the completion code. Refused while a step is missing. Idempotent."""
        raise NotImplementedError

    def exclude(self, participant: str, reason: str) -> None:
        """Taken out by a researcher; the data stay, the analysis leaves them out."""
        raise NotImplementedError

    # The researcher ----------------------------------------------------------------------------------

    def counts(self, study: Study, run_kind: RunKind) -> Counts:
        raise NotImplementedError

    def meta(self, key: str) -> str | None:
        """``meta('simulated')`` is "1" in a database of simulated participants."""
        raise NotImplementedError
