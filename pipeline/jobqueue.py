"""Jobs of the model server: a bounded queue, one worker thread, and what each job has said so far.

Models are not re-entrant, so one thread loads them and then runs jobs in the order they came. A job's
events are kept as lines of JSON, numbered from 1, so that a reader who was cut off continues where it
stopped. The last event is always `Explained` or `Failed`. What was asked and said is forgotten in time, or at once
when the app asks for it (`JobQueue.forget`), with the pictures drawn for it.
"""

from __future__ import annotations

import gc
import logging
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from pipeline.images import DiskImages
from pipeline.types import (
    Condition,
    Event,
    Explained,
    Explainer,
    ExplainRequest,
    Failed,
    Queued,
    event_to_json,
)

log = logging.getLogger(__name__)

MAX_WAITING = 32
KEEP_JOBS = 256
KEEP_S = 3600.0
"""A finished job is forgotten after this many seconds, or when `KEEP_JOBS` newer ones are finished."""

TIDY_EVERY_S = 60.0
"""So often at least finished jobs and unused pictures are looked at, also while nobody asks anything."""

STALL_S = 300.0
"""A running job that says nothing for this long hangs: a thread cannot be stopped, so the server is."""

CANCELLED = "Cancelled before the answer was complete."
BROKE = "The answer could not be completed. Ask again."
UNFINISHED = "The answer stopped before its end. Ask again."
STALLED = "The answer took too long and was stopped. Ask again."
STOPPING = "The model server was stopped. Ask again."

Explainers = Mapping[Condition, Explainer]


class QueueFull(RuntimeError):
    """As many jobs wait as are allowed."""


class JobConflict(ValueError):
    """The key belongs to a job with another request."""


class Job:
    """One request and its numbered events. All methods may be called from any thread."""

    def __init__(self, request: ExplainRequest) -> None:
        self.request = request
        self.pictures: set[str] = set()
        """SHA-256 of what was put while it ran, shown or not."""
        self.forgotten = False
        self.cancelled = threading.Event()
        self.finished_at: float | None = None
        self.heard_at = time.monotonic()
        self._lines: list[str] = []
        self._wakers: set[Callable[[], None]] = set()
        self._lock = threading.Lock()

    def publish(self, event: Event) -> None:
        """Append an event and wake the readers. Ignored after the last event."""
        with self._lock:
            if self.finished_at is not None:
                return
            self._lines.append(event_to_json(event))
            self.heard_at = time.monotonic()
            if isinstance(event, Explained | Failed):
                self.finished_at = time.monotonic()
            wakers = tuple(self._wakers)
        for wake in wakers:
            wake()

    def since(self, after: int) -> tuple[list[tuple[int, str]], bool]:
        """(n, event JSON) with n > ``after``, and whether the job is over."""
        with self._lock:
            lines = [(n, line) for n, line in enumerate(self._lines[after:], start=after + 1)]
            return lines, self.finished_at is not None

    @contextmanager
    def listening(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call ``wake`` (from the worker's thread) at every event while the context is open."""
        with self._lock:
            self._wakers.add(wake)
        try:
            yield
        finally:
            with self._lock:
                self._wakers.discard(wake)


class JobQueue:
    """Jobs by key, and the thread that runs them over the explainers that ``load`` returns."""

    def __init__(
        self,
        load: Callable[[], Explainers],
        images: DiskImages,
        max_waiting: int = MAX_WAITING,
        keep_jobs: int = KEEP_JOBS,
        keep_s: float = KEEP_S,
        stall_s: float = STALL_S,
        on_broken: Callable[[], None] = lambda: None,
    ) -> None:
        """``load`` runs in the worker's thread; ``images`` is where its explainers put pictures. ``on_broken`` is
        called when loading raises, and when a job hangs: the process is of no more use then."""
        self._load = load
        self._images = images
        self._max_waiting = max_waiting
        self._keep_jobs = keep_jobs
        self._keep_s = keep_s
        self._stall_s = stall_s
        self._on_broken = on_broken
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._loading: str | None = "The models are loading."
        self._thread = threading.Thread(target=self._work, name="models", daemon=True)

    def start(self) -> None:
        self._thread.start()
        threading.Thread(target=self._watch, name="job watch", daemon=True).start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Cancel everything and wait a while for the running job to notice; loading cannot be stopped."""
        with self._changed:
            self._stopping = True
            waiting, running = tuple(self._waiting), self._running
            self._waiting.clear()
            self._changed.notify_all()
        for job in waiting:
            job.publish(Failed(STOPPING, _reference()))
        if running is not None:
            running.cancelled.set()
        if self._loading is None:
            self._thread.join(timeout_s)

    @property
    def loading(self) -> str | None:
        """A sentence until the models are loaded, then None."""
        return self._loading

    def __len__(self) -> int:
        """Jobs waiting or running."""
        with self._changed:
            return len(self._waiting) + (self._running is not None)

    def submit(self, request: ExplainRequest) -> Job:
        """Queue a job, or attach to the one with this key. Raises QueueFull, JobConflict."""
        with self._changed:
            self._forget_old()
            known = self._jobs.get(request.key)
            if known is not None:
                if known.request != request:
                    raise JobConflict(f"job {request.key} exists with another request; use a new key")
                return known
            if len(self._waiting) >= self._max_waiting or self._stopping:
                raise QueueFull(f"{len(self._waiting)} jobs are waiting; try again later")
            job = Job(request)
            ahead = len(self._waiting) + (self._running is not None)
            if ahead or self._loading:
                job.publish(Queued(ahead))
            self._jobs[request.key] = job
            self._waiting.append(job)
            self._changed.notify_all()
            return job

    def get(self, key: str) -> Job:
        """Raises KeyError for a job that never was or is forgotten."""
        with self._changed:
            return self._jobs[key]

    def cancel(self, key: str) -> None:
        """End a job at its next step, or at once while it waits. Raises KeyError."""
        with self._changed:
            job = self._jobs[key]
            job.cancelled.set()
            waits = job in self._waiting
            if waits:
                self._waiting.remove(job)
                self._tell_positions()
        if waits:
            job.publish(Failed(CANCELLED, _reference()))

    def forget(self, key: str) -> None:
        """Let go of a job: its question, its answer and the pictures drawn for it. One that runs is cancelled, and
        what it still draws goes when it has stopped. Raises KeyError."""
        self.cancel(key)
        with self._changed:
            job = self._jobs.pop(key)
            job.forgotten = True
            if job is not self._running:
                self._erase_pictures(job)

    def uses(self, sha256: str) -> bool:
        """Whether a job that is known is about this picture or put it."""
        with self._changed:
            return self._used(sha256)

    def _used(self, sha256: str) -> bool:
        return any(sha256 == job.request.photo or sha256 in job.pictures for job in self._jobs.values())

    def _erase_pictures(self, job: Job) -> None:
        """A case that two were shown is one picture: what another job put as well stays."""
        for sha256 in job.pictures:
            if not self._used(sha256):
                self._images.erase(sha256)

    def _forget_old(self) -> None:
        over = [(key, job.finished_at) for key, job in self._jobs.items() if job.finished_at is not None]
        now = time.monotonic()
        for index, (key, finished_at) in enumerate(over):
            if now - finished_at > self._keep_s or index < len(over) - self._keep_jobs:
                del self._jobs[key]

    def _tell_positions(self) -> None:
        for place, job in enumerate(self._waiting):
            job.publish(Queued(place + (self._running is not None)))

    def _work(self) -> None:
        try:
            explainers = self._load()
        except Exception:
            log.exception("The models could not be loaded")
            self._loading = "The models could not be loaded; the server's log says why."
            self._on_broken()
            return
        gc.collect()
        gc.freeze()  # what was loaded stays: no collection needs to walk over it again
        self._loading = None
        while (job := self._next()) is not None:
            with self._images.noting(job.pictures):
                run_job(job, explainers)

    def _next(self) -> Job | None:
        with self._changed:
            over, self._running = self._running, None
            if over is not None and over.forgotten:
                self._erase_pictures(over)
            while not self._waiting and not self._stopping:
                self._changed.wait()
            if self._stopping:
                return None
            self._running = self._waiting.popleft()
            self._running.heard_at = time.monotonic()
            self._tell_positions()
            return self._running

    def _watch(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(min(self._stall_s / 4, TIDY_EVERY_S))
                job = self._running
                if self._stopping:
                    return
                self._forget_old()
            self._images.sweep()
            if job is not None and time.monotonic() - job.heard_at > self._stall_s:
                reference = _reference()
                log.error("Job %s hangs, reference %s", job.request.key, reference)
                job.publish(Failed(STALLED, reference))
                self._on_broken()
                return


def run_job(job: Job, explainers: Explainers) -> None:
    """Run one job to its last event. Never raises: what goes wrong becomes `Failed` and a line in the log."""
    reference = _reference()
    try:
        _forward(job, explainers[job.request.condition].explain(job.request))
    except Exception:
        log.exception("Job %s failed, reference %s", job.request.key, reference)
        job.publish(Failed(BROKE, reference))
        return
    if job.finished_at is not None:
        return
    if job.cancelled.is_set():
        job.publish(Failed(CANCELLED, reference))
        return
    log.error("Job %s ended without Explained, reference %s", job.request.key, reference)
    job.publish(Failed(UNFINISHED, reference))


def _forward(job: Job, stream: Iterator[Event]) -> None:
    try:
        for event in stream:
            if job.cancelled.is_set() and not isinstance(event, Explained):
                return
            job.publish(event)
            if isinstance(event, Explained):
                return
    finally:
        # Closing a generator ends its work at the step it is at; other iterators have nothing to end.
        close = getattr(stream, "close", None)
        if close is not None:
            close()


def _reference() -> str:
    return secrets.token_hex(4)
