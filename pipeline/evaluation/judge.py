"""The judge: names condition and Fitzpatrick skin type of a picture, to score what the generator drew.

A small ResNet, trained on phantoms of seeds of its own (`pipeline/training/judge.py`). The pipeline never asks it, no
model of the pipeline was trained with it, and it was never shown a generated picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from transformers import ResNetForImageClassification

CLEAR = "clear skin"
"""Name of the class without any condition."""

SKIN_TYPE = "skin type "
"""The last six outputs are ``skin type 1`` to ``skin type 6``; those before them are conditions."""

SIDE = 96
"""Pixels on a side of what the network sees."""


@dataclass(frozen=True)
class Verdict:
    """What the judge takes one picture to be."""

    label: str | None
    """Condition; None for clear skin"""
    skin_type: int
    """Fitzpatrick type, 1 to 6"""
    probability: float
    """Of ``label`` among all conditions and clear skin, 0 to 1"""


class Judge:
    """The trained network with the names of its outputs."""

    def __init__(self, model: ResNetForImageClassification) -> None:
        self.model = model.eval()
        names = [name for _, name in sorted(model.config.id2label.items())]
        self.conditions = tuple(name for name in names if not name.startswith(SKIN_TYPE))

    @classmethod
    def load(cls, folder: Path) -> Judge:
        """Read ``config.json`` and ``model.safetensors``. Raises OSError when they are not there."""
        model = ResNetForImageClassification.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        return cls(model)

    @torch.inference_mode()
    def look(self, images: Sequence[Image.Image]) -> list[Verdict]:
        """One verdict for each picture (RGB, any size), in order."""
        verdicts: list[Verdict] = []
        for batch in batches(images, SIDE):
            logits = self.model(pixel_values=batch).logits
            probabilities, best = F.softmax(logits[:, : len(self.conditions)], dim=1).max(1)
            skin_types = logits[:, len(self.conditions) :].argmax(1) + 1
            for i, skin_type, p in zip(best.tolist(), skin_types.tolist(), probabilities.tolist(), strict=True):
                label = self.conditions[i]
                verdicts.append(Verdict(None if label == CLEAR else label, skin_type, p))
        return verdicts


def batches(images: Sequence[Image.Image], side: int, size: int = 64) -> Iterator[Tensor]:
    """Pictures of any size -> (B, 3, side, side), -1 to 1, at most ``size`` in a batch."""
    for start in range(0, len(images), size):
        small = [
            np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC))
            for image in images[start : start + size]
        ]
        yield torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float() / 127.5 - 1
