"""The job runner: asks the models and stores what they answer, whatever happens to the page.

One per app process. A question is stored before it is asked; a thread per open question reads the door's
events, copies pictures into the media store and stores progress; the page only reads the store. A closed
tab changes nothing; after a restart `resume` goes on with what was open, under the same keys, so that an
answer is stored exactly once.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from pipeline.client import JobUnknown, PictureUnknown, PipelineClient, PipelineUnavailable, QueueFull
from pipeline.jobqueue import CANCELLED
from pipeline.types import ExplainRequest, request_to_json
from study_app.job_events import Diverged
from study_app.job_run import JobRun
from study_app.model_copies import ModelCopies
from study_app.study.errors import NotSaved, Refused
from study_app.study.media import MediaStore
from study_app.study.state import Job
from study_app.study.store import Store

T = TypeVar("T")

SAVE_EVERY_S = 0.2
ASK_AGAIN_AFTER_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Waits while the model server does not answer, for instance while it is being started."""
RUNS = 3
"""A server that died under a question this many times is not asked it again."""
SAVE_AGAIN_AFTER_S = 2.0

UNREACHABLE = "The assistant cannot be reached at present. Try again in a few minutes."
FULL = "Too many people are asking at the moment. Try again in a minute."
BROKE = "The answer could not be completed. Ask again."
RESTARTED = "The assistant was restarted in the middle of the answer. Ask again."

log = logging.getLogger(__name__)


class JobRunner:
    """Questions on their way. All methods may be called from any thread and return at once."""

    def __init__(
        self,
        store: Store,
        media: MediaStore,
        client: PipelineClient,
        save_every_s: float = SAVE_EVERY_S,
        ask_again_after_s: Sequence[float] = ASK_AGAIN_AFTER_S,
    ) -> None:
        self._store = store
        self._media = media
        self._client = client
        self._copies = ModelCopies(client)
        self._save_every_s = save_every_s
        self._ask_again_after_s = tuple(ask_again_after_s)
        self._threads: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def start(self, participant: str, period: int, request: ExplainRequest) -> None:
        """Store the question, then ask it. The same request started again is the same job.

        Raises what `JobLog.start` raises (Refused, NotSaved); then nothing was asked.
        """
        self._store.jobs.start(request.key, participant, period, request_to_json(request), request.question)
        self._launch(request.key)

    def resume(self) -> None:
        """At the app's start: go on with every question that has no answer yet."""
        for job in self._store.jobs.open_jobs():
            self._launch(job.key)

    def cancel(self, key: str) -> None:
        """The participant does not want to wait. A question already answered stays answered.

        Raises NotSaved.
        """
        if self._store.jobs.fail(key, CANCELLED, cancelled=True):
            threading.Thread(target=self._tell_cancelled, args=(key,), daemon=True).start()

    def wait(self, key: str, timeout_s: float) -> bool:
        """True when nothing is being done about the question (any more) within ``timeout_s``."""
        with self._lock:
            thread = self._threads.get(key)
        if thread is not None:
            thread.join(timeout_s)
        return thread is None or not thread.is_alive()

    def stop(self) -> None:
        """Leave open questions open, for `resume`."""
        self._stopping.set()
        with self._lock:
            threads = tuple(self._threads.values())
        for thread in threads:
            thread.join(5)

    def _launch(self, key: str) -> None:
        with self._lock:
            if key in self._threads or self._stopping.is_set():
                return
            thread = threading.Thread(target=self._run, args=(key,), name=f"job {key[:8]}", daemon=True)
            self._threads[key] = thread
            thread.start()

    def _run(self, key: str) -> None:
        try:
            job = self._saved(lambda: self._store.jobs.get(key))
            if job is not None:
                try:
                    self._ask_until_over(key)
                finally:
                    self._forget_if_erased(job)
        except NotSaved:
            log.warning("Job %s stays open: the app stops and the database takes nothing", key)
        except Exception:
            reference = secrets.token_hex(4)
            log.exception("Job %s could not be run, reference %s", key, reference)
            self._give_up(key, f"{BROKE} (Reference {reference})")
        finally:
            with self._lock:
                del self._threads[key]

    def _ask_until_over(self, key: str) -> None:
        """Try until the question is answered, has failed, or the models stay away."""
        waits = list(self._ask_again_after_s)
        runs = 0
        while not self._stopping.is_set():
            job = self._saved(lambda: self._store.jobs.get(key))
            if job is None or not job.open:
                return
            try:
                run = JobRun(self._store.jobs, self._media, self._client, job, self._saved)
                run.follow(self._save_every_s, self._stopping)
                return
            except Refused:  # the participant withdrew while a picture was copied: see `_forget_if_erased`
                return
            except QueueFull:
                self._give_up(key, FULL)
            except Diverged:
                log.exception("Job %s, run again, gave another answer", key)
                self._give_up(key, RESTARTED)
            except (JobUnknown, PictureUnknown):
                runs += 1
                if runs == RUNS:
                    self._give_up(key, BROKE)
            except PipelineUnavailable as error:
                log.warning("Job %s waits: %s", key, error)
                if waits:
                    self._stopping.wait(waits.pop(0))
                else:
                    self._give_up(key, UNREACHABLE)

    def _forget_if_erased(self, job: Job) -> None:
        """The participant withdrew while this was asked, perhaps from the command line, which knows no models."""
        if self._saved(lambda: self._store.jobs.get(job.key)) is None:
            self._copies.forget((job.key,), () if self._media.has(job.photo) else (job.photo,))

    def _give_up(self, key: str, reason: str) -> None:
        self._saved(lambda: self._store.jobs.fail(key, reason))

    def _tell_cancelled(self, key: str) -> None:
        try:
            self._client.cancel(key)
        except (JobUnknown, PipelineUnavailable):
            log.info("Job %s was cancelled without the model server", key)

    def _saved(self, write: Callable[[], T]) -> T:
        """Repeat a harmless write until the database takes it: a full disk may last, the answer is there."""
        while True:
            try:
                return write()
            except NotSaved as error:
                log.warning("Waiting for the database: %s", error)
                if self._stopping.wait(SAVE_AGAIN_AFTER_S):
                    raise
