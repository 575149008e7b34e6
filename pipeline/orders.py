"""What the generator is asked for, and what it says on the way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from pipeline.types import AdapterPlan


class DrawingFailed(RuntimeError):
    """The generator gave something that is not a picture (not finite, or one flat colour)."""


@dataclass(frozen=True)
class Order:
    """One picture to draw."""

    label: str
    prompt: str
    plan: AdapterPlan
    reference: Tensor | None
    """(1, dim) image embedding of the reference case, (1, tokens, dim) for IP-Adapter plus; None without one"""
    seed: int


@dataclass(frozen=True)
class Progress:
    """After step ``step`` of ``steps``; ``previews`` in the order of the orders, or empty."""

    step: int
    steps: int
    previews: tuple[Image.Image, ...] = ()


def seed_of(seed: int, label: str) -> int:
    """A seed of its own for each label, the same in every batch and on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{label}".encode()).digest()[:6], "big")
