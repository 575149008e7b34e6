"""Questions to the pipeline, stored before they are asked (`Store.jobs`)."""

from __future__ import annotations

from collections.abc import Sequence

from study_app.study.state import Job


class JobLog:
    """Each write is one transaction; each is harmless when repeated."""

    def next_key(self, participant: str, period: int) -> str:
        """Idempotency key for the next question of an exposure: the same until a job with it is started,
        so that two tabs or a double click make one job. Unique across databases (hex, 32 characters)."""
        raise NotImplementedError

    def start(self, key: str, participant: str, period: int, request: str, question: str) -> bool:
        """Store the job as queued, together with the participant's turn (not doubled when the same question
        is asked again after a failure). False: the key exists already with this request.
        Raises Refused: another job of the exposure is open, another request has the key, or the exposure
        is finished."""
        raise NotImplementedError

    def get(self, key: str) -> Job | None:
        """None when there is no such job (any more: withdrawal erases)."""
        raise NotImplementedError

    def open_jobs(self) -> tuple[Job, ...]:
        """Queued and running, oldest first: to be resumed when the app starts."""
        raise NotImplementedError

    def mark_running(self, key: str) -> bool:
        """False when the job is gone or over."""
        raise NotImplementedError

    def append_events(self, key: str, events: Sequence[tuple[int, str]]) -> bool:
        """Keep (n, event JSON) rows; an n already kept is skipped. False when the job is gone or over:
        stop consuming."""
        raise NotImplementedError

    def events(self, key: str, after: int = 0) -> tuple[tuple[int, str], ...]:
        """(n, event JSON) with n > after, in order."""
        raise NotImplementedError

    def last_event(self, key: str) -> int:
        """Highest n kept; 0 when none."""
        raise NotImplementedError

    def finish(self, key: str, answer: str, diagnosis: str | None, manifest: str) -> bool:
        """Answer turn, diagnosis, manifest and status done, in one transaction. False when the job is gone
        or over (then nothing is written)."""
        raise NotImplementedError

    def fail(self, key: str, reason: str, cancelled: bool = False) -> bool:
        """Status failed or cancelled. False when the job is gone or over."""
        raise NotImplementedError
