"""What is known of a participant: frozen values read from the store in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RunKind = Literal["pilot", "live", "reconstruction"]
"""``reconstruction``: sessions written from published figures, answered by nobody, in a database of their own."""
Status = Literal["active", "completed", "screened_out", "excluded", "withdrawn"]
"""What is stored. The views add ``abandoned``: active without a sign of life for too long."""
JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]
OPEN: frozenset[JobStatus] = frozenset({"queued", "running"})
Value = int | float | str
TAKEN_BACK = ""
"""Stored over an answer that the participant took back: as good as none."""


@dataclass(frozen=True)
class StoredTurn:
    """One message of a conversation. ``job`` is the key of the job that answers it or wrote it."""

    role: Literal["participant", "assistant"]
    text: str
    at: str
    """ISO-8601 UTC."""
    job: str


@dataclass(frozen=True)
class Job:
    """One question to the pipeline. ``request`` is `pipeline.types.request_to_json`; ``error`` the plain
    reason of a failed or cancelled job; ``diagnosis`` and ``manifest`` are JSON, set when it is done."""

    key: str
    participant: str
    period: int
    request: str
    photo: str
    """SHA-256 of the photo the question is about; in ``request``, too."""
    status: JobStatus
    error: str | None
    diagnosis: str | None
    manifest: str | None
    created_at: str
    finished_at: str | None

    @property
    def open(self) -> bool:
        return self.status in OPEN

    @property
    def abstained(self) -> bool:
        """Answered, and the assistant could not tell what the photo shows."""
        return self.status == "done" and self.diagnosis is not None and json.loads(self.diagnosis)["label"] is None


@dataclass(frozen=True)
class Exposure:
    """One participant's encounter with one condition."""

    period: int
    condition: str
    photo: str
    """SHA-256 of the clean photo's PNG: the newest one, where photos were exchanged."""
    known_label: str | None
    started_at: str
    finished_at: str | None
    """Set when the participant went on to rate."""
    another_photo_wanted_at: str | None
    """Set while the participant chooses another photo, after "I cannot tell"; None before and after."""
    turns: tuple[StoredTurn, ...]
    """In order. A participant's turn without a later assistant's turn is unanswered."""
    jobs: tuple[Job, ...]
    """In order of creation; at most one is open. The last one says how the last question stands."""

    @property
    def about_photo(self) -> tuple[Job, ...]:
        """The questions about the photo as it is now; those about photos given back before are left out."""
        return tuple(job for job in self.jobs if job.photo == self.photo)

    @property
    def earlier_photos(self) -> tuple[str, ...]:
        """Photos given back, in the order shown. None of them comes back (see `PhotoExchange.replace`)."""
        return tuple(dict.fromkeys(job.photo for job in self.jobs if job.photo != self.photo))

    def had(self, photo: str) -> bool:
        """Whether this is or was a photo of the exposure."""
        return photo in (self.photo, *self.earlier_photos)

    @property
    def answered(self) -> bool:
        """At least one explanation of this photo is complete: the participant may go on to rate."""
        return any(job.status == "done" for job in self.about_photo)

    @property
    def abstained(self) -> bool:
        """The assistant could not tell what this photo shows: another one may be chosen instead."""
        first = next((job for job in self.about_photo if job.status == "done"), None)
        return first is not None and first.abstained


@dataclass(frozen=True)
class ParticipantState:
    """Snapshot of one participant, read in one transaction."""

    participant: str
    """Public id, P0001."""
    definition_hash: str
    run_kind: RunKind
    status: Status
    exclusion_reason: str | None
    consented: bool | None
    """None: not asked yet."""
    sequence: tuple[str, ...]
    """Condition keys in the order met; empty before allocation."""
    answers: Mapping[tuple[str, int | None], Value]
    """(item or question id, period or None) -> newest value."""
    steps_done: frozenset[str]
    """Keys of the steps the participant closed with "Next": see `flow.Step`."""
    exposures: Mapping[int, Exposure]
    """period (1, 2, ...) -> exposure, once a photo was chosen."""
    arrived_at: str = ""
    """ISO-8601 UTC."""
    cases: tuple[str, ...] = ()
    """The assigned case of each period, drawn together with the sequence; empty where photos are chosen."""
