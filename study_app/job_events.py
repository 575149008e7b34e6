"""A job's stream of events, made fit for the store: gathered, coalesced, and joined to what is stored."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from pipeline.types import (
    CasesFound,
    DiagnosisMade,
    Event,
    Explained,
    Failed,
    ImageProgress,
    ImagesReady,
    MaskFound,
    Queued,
    TextDelta,
)

_LOOK_UP_S = 0.5


class Diverged(RuntimeError):
    """A job that was run again said something else than what is stored of its first run."""


def gathered(events: Iterator[tuple[int, Event]], every_s: float, stop: threading.Event) -> Iterator[list[Event]]:
    """Events in lists, at most one list per ``every_s`` seconds, the first at once.

    ``events`` is read in a thread of its own, so that words already there are not held back by a quiet
    stream. Ends early when ``stop`` is set; raises what reading raised.
    """
    arrived: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
    enough = threading.Event()
    reader = threading.Thread(target=_read, args=(events, arrived, enough), name="job events", daemon=True)
    reader.start()
    try:
        while not stop.is_set():
            try:
                items = [arrived.get(timeout=_LOOK_UP_S)]
            except queue.Empty:
                continue
            sent = time.monotonic()
            while not arrived.empty():
                items.append(arrived.get())
            yield [item for item in items if isinstance(item, Event)]
            last = items[-1]
            if isinstance(last, BaseException):
                raise last
            if last is None:
                return
            stop.wait(max(0.0, sent + every_s - time.monotonic()))
    finally:
        enough.set()


def _read(
    events: Iterator[tuple[int, Event]],
    arrived: queue.SimpleQueue[Event | BaseException | None],
    enough: threading.Event,
) -> None:
    try:
        for _, event in events:
            arrived.put(event)
            if enough.is_set():
                return
        arrived.put(None)
    except BaseException as error:  # raised again where the lists are read
        arrived.put(error)


def coalesced(events: Iterable[Event]) -> list[Event]:
    """Words in a row become one event; of steps, or places in the queue, in a row the last stays."""
    kept: list[Event] = []
    for event in events:
        last = kept[-1] if kept else None
        if isinstance(event, TextDelta) and isinstance(last, TextDelta):
            kept[-1] = replace(last, text=last.text + event.text)
        elif isinstance(event, ImageProgress | Queued) and type(event) is type(last):
            kept[-1] = event
        else:
            kept.append(event)
    return kept


class Continuation:
    """Joins a job's stream, read from its beginning, to the events already stored.

    After a restart of the app the server still has the job; after a restart of the server the job is run
    again from the same seed. Either way the stream repeats what is stored, and then goes on.
    """

    def __init__(self, stored: Iterable[Event]) -> None:
        self._text = ""
        self._results: deque[DiagnosisMade | CasesFound | MaskFound | ImagesReady] = deque()
        self._step = -1
        self._queued: Queued | None = None
        self._begun = self._complete = False
        for event in stored:
            self._remember(event)

    def _remember(self, event: Event) -> None:
        match event:
            case TextDelta(text):
                self._text += text
            case ImageProgress(step):
                self._step = max(self._step, step)
            case Queued():
                self._queued = event
            case DiagnosisMade() | CasesFound() | MaskFound() | ImagesReady():
                self._results.append(event)
            case Explained():
                self._complete = True
            case Failed():
                pass
        self._begun = self._begun or not isinstance(event, Queued)

    def new(self, event: Event) -> Event | None:
        """The part of ``event`` that is not stored yet, or None. Raises Diverged."""
        match event:
            case TextDelta(text):
                return self._new_text(text)
            case ImageProgress(step):
                return event if step > self._step else None
            case Queued():
                return None if self._begun or event == self._queued else event
            case DiagnosisMade() | CasesFound() | MaskFound() | ImagesReady():
                if not self._results:
                    return event
                if self._results.popleft() != event:
                    raise Diverged(f"{event.type} differs from what is stored")
                return None
            case Explained():
                return None if self._complete else event
            case Failed():
                return event

    def _new_text(self, text: str) -> TextDelta | None:
        overlap = min(len(text), len(self._text))
        if text[:overlap] != self._text[:overlap]:
            raise Diverged("the words differ from what is stored")
        self._text = self._text[overlap:]
        return TextDelta(text[overlap:]) if text[overlap:] else None
