"""Which pictures are drawn at once, what is done when the memory does not hold them, and a drawing as a stream."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from pipeline.adapt import AdapterSet, drawn_together
from pipeline.formats.extras import slice_attention
from pipeline.types import AdapterPlan

Batch = tuple[AdapterSet, Sequence[int]]
"""What the generator wears, and the places of the orders that are drawn so"""
Tell = Callable[[Any], None]


class Batches:
    """Orders that can share an adapter set, at most ``most`` at a time."""

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe
        self.most: int | None = None
        """Pictures in one batch, at most; lowered when the memory does not hold more"""
        self.remarks: list[str] = []
        """Where it is said that the memory was short"""
        self._sliced = False

    def of(self, plans: Sequence[AdapterPlan]) -> deque[Batch]:
        """All of them, in the order in which they are drawn."""
        groups = drawn_together(plans)
        return deque(batch for adapters, places in groups.items() for batch in self.cut(adapters, places))

    def cut(self, adapters: AdapterSet, places: Sequence[int]) -> list[Batch]:
        size = self.most or len(places)
        return [(adapters, places[i : i + size]) for i in range(0, len(places), size)]

    def save_memory(self, n: int) -> None:
        """After ``n`` pictures at once were too many: from here on half as many; or attention in slices.

        To be called while the error is handled; it is raised again when nothing is left to save.
        """
        if self.pipe.device.type == "cuda":
            torch.cuda.empty_cache()
        if n > 1:
            self.most = n // 2
            self.remarks.append(f"the memory did not hold {n} pictures at once: {self.most} at a time were drawn")
        elif not self._sliced:
            slice_attention(self.pipe)
            self._sliced = True
            self.remarks.append("the memory did not hold one picture: attention was computed in slices")
        else:
            raise


def on_a_thread(call: Callable[[Tell, threading.Event], None]) -> Iterator[Any]:
    """What ``call`` tells, as it comes, up to a list, which is the last; what it raises is raised here.

    Closing the iterator sets the event and waits for the call to end.
    """
    news: queue.Queue[Any] = queue.Queue()
    cancelled = threading.Event()

    def run() -> None:
        try:
            call(news.put, cancelled)
        except BaseException as error:  # handed to the reader, which raises it
            news.put(error)

    work = threading.Thread(target=run, daemon=True)
    work.start()
    try:
        while True:
            item = news.get()
            if isinstance(item, BaseException):
                raise item
            yield item
            if isinstance(item, list):
                return
    finally:
        cancelled.set()
        work.join()
