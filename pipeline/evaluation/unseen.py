"""The phantoms that every figure is measured on, and what more than one part needs of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from PIL import Image

from pipeline.phantom import LABELS, SKIN_TYPES, Phantom, draw
from pipeline.training.data import SEEDS

PHOTO = 256
"""Pixels on a side of the photos the pipeline is given; it works at the pack's own size."""

T = TypeVar("T")


def cell(i: int) -> tuple[str, int]:
    """Condition and skin type of the ``i``-th phantom: conditions in turn, then skin types."""
    return LABELS[i % len(LABELS)], SKIN_TYPES[i // len(LABELS) % len(SKIN_TYPES)]


def unseen(n: int) -> list[Phantom]:
    """``n`` phantoms of the test seeds, which no training uses, balanced over conditions and skin types."""
    return [draw(SEEDS["test"] + i, PHOTO, *cell(i)) for i in shown(range(n), "drawing the phantoms", n)]


def photo(phantom: Phantom) -> Image.Image:
    """The phantom as a participant would hand it in, RGB."""
    return Image.fromarray(phantom.image)


def conditions(test: Iterable[Phantom]) -> list[str]:
    """Group names: the condition of each phantom."""
    return [str(p.label) for p in test]


def skin_types(test: Iterable[Phantom]) -> list[str]:
    """Group names: ``type 1`` to ``type 6``."""
    return [f"type {p.skin_type}" for p in test]


def shown(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """``items``, counted on stderr at every fifth of the way: plain lines, since two parts may run side by side.

    total: how many there are, where ``items`` has no length
    """
    n = len(items) if isinstance(items, Sized) else total
    began = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if n and (done == n or done * 5 // n != (done - 1) * 5 // n):
            print(f"{what}: {done}/{n}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
