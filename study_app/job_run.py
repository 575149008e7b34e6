"""One run of one question: from the photo's way to the model server to the stored answer."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol, TypeVar

from pipeline.client import PipelineClient, PipelineError
from pipeline.jobqueue import CANCELLED
from pipeline.types import (
    CasesFound,
    Diagnosis,
    DiagnosisMade,
    Event,
    Explained,
    Failed,
    ImageProgress,
    ImagesReady,
    MaskFound,
    Queued,
    TextDelta,
    event_from_json,
    event_to_json,
    request_from_json,
)
from study_app.job_events import Continuation, coalesced, gathered
from study_app.study.job_log import JobLog
from study_app.study.media import MediaStore
from study_app.study.state import Job

T = TypeVar("T")


class Saver(Protocol):
    """Repeats a harmless write or read until the database takes it."""

    def __call__(self, write: Callable[[], T], /) -> T: ...


class JobRun:
    """Follows one job's events and stores what they bring. Used once, by one thread."""

    def __init__(self, log: JobLog, media: MediaStore, client: PipelineClient, job: Job, saved: Saver) -> None:
        self._log = log
        self._media = media
        self._client = client
        self._job = job
        self._saved = saved
        self._request = request_from_json(job.request)
        stored = [(n, event_from_json(line)) for n, line in saved(lambda: log.events(job.key))]
        self._last_n = stored[-1][0] if stored else 0
        self._stored = [event for _, event in stored]
        self._continuation = Continuation(self._stored)
        self._running = job.status == "running"
        self._text = ""
        self._diagnosis: Diagnosis | None = self._request.diagnosis

    def follow(self, every_s: float, stop: threading.Event) -> None:
        """Until the job is over or ``stop`` is set. Raises what the client raises, and Diverged."""
        failed = next((event for event in self._stored if isinstance(event, Failed)), None)
        if failed is not None:  # the app stopped between storing the event and the status
            self._fail(failed)
            return
        self._client.put_image(self._media.get(self._request.photo))
        self._client.submit(self._request)
        for batch in gathered(self._client.events(self._job.key), every_s, stop):
            if not self._take(batch):
                return

    def _take(self, batch: Iterable[Event]) -> bool:
        """Store a batch. False when the job is over."""
        fresh: list[Event] = []
        last: Event | None = None
        for last in coalesced(batch):
            self._note(last)
            new = self._continuation.new(last)
            if new is not None:
                fresh.append(new)
        if not self._store(fresh):  # cancelled, or erased by a withdrawal: then the runner has it forgotten, too
            with suppress(PipelineError):
                self._client.cancel(self._job.key)
            return False
        if isinstance(last, Explained):
            self._finish(last)
        elif isinstance(last, Failed):
            self._fail(last)
        else:
            return True
        return False

    def _note(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            self._text += event.text
        elif isinstance(event, DiagnosisMade):
            self._diagnosis = event.diagnosis

    def _store(self, events: list[Event]) -> bool:
        """Pictures first, so that a page never reads of one it cannot show. False when the job is over."""
        job = self._saved(lambda: self._log.get(self._job.key))
        if job is None or not job.open:
            return False
        if not self._running and any(not isinstance(event, Queued) for event in events):
            self._running = self._saved(lambda: self._log.mark_running(self._job.key))
        for event in events:
            for sha256 in pictures(event):
                self._copy(sha256)
        numbered = [(n, event_to_json(event)) for n, event in enumerate(events, start=self._last_n + 1)]
        self._last_n += len(numbered)
        return self._saved(lambda: self._log.append_events(self._job.key, numbered))

    def _copy(self, sha256: str) -> None:
        png = self._client.get_image(sha256)
        self._saved(lambda: self._media.keep(self._job.participant, png))

    def _finish(self, explained: Explained) -> None:
        diagnosis = None if self._diagnosis is None else json.dumps(dataclasses.asdict(self._diagnosis))
        manifest = json.dumps(dataclasses.asdict(explained.manifest))
        self._saved(lambda: self._log.finish(self._job.key, self._text, diagnosis, manifest))

    def _fail(self, failed: Failed) -> None:
        cancelled = failed.reason == CANCELLED
        self._saved(lambda: self._log.fail(self._job.key, failed.reason, cancelled=cancelled))


def pictures(event: Event) -> tuple[str, ...]:
    """The hashes an event names."""
    match event:
        case CasesFound(cases):
            return tuple(case.image for case in cases)
        case MaskFound(mask):
            return () if mask is None else (mask.image, mask.overlay)
        case ImageProgress():
            return event.previews
        case ImagesReady(images):
            return tuple(image.image for image in images)
        case _:
            return ()
