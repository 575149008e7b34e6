"""The judge of generated pictures: a ResNet on phantoms of its own seeds, clear skin and the kept-out condition too.

What it sees is blurred, resampled, compressed and smoothed in many ways (`distort.py`), so that it learns what a
picture shows and not the statistics of drawn pixels: generated pictures, of which it sees none here, differ in these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import ResNetConfig, ResNetForImageClassification

from pipeline.evaluation.judge import CLEAR, SKIN_TYPE
from pipeline.phantom import HELD_OUT, LABELS, SKIN_TYPES
from pipeline.training.data import SIZE, Phantoms, phantoms
from pipeline.training.distort import blurred, distorted, placed
from pipeline.training.loop import Schedule, pick, pixels, train
from pipeline.training.session import Session

CONDITIONS: tuple[str, ...] = (*LABELS, HELD_OUT, CLEAR)
"""In the order of `Phantoms.labels`, where clear skin, -1, is the last."""


def build(settings: dict[str, Any]) -> ResNetForImageClassification:
    """Outputs: a score for each of `CONDITIONS`, then one for each skin type."""
    names = (*CONDITIONS, *(f"{SKIN_TYPE}{t}" for t in SKIN_TYPES))
    config = ResNetConfig(
        embedding_size=settings["widths"][0],
        hidden_sizes=settings["widths"],
        depths=settings["depths"],
        layer_type="basic",
        id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)},
    )
    return ResNetForImageClassification(config).to(memory_format=torch.channels_last)


def examples(kind: str, n: int, least_extent: float) -> list[Phantoms]:
    """``n`` phantoms, a twentieth of them clear skin, and the kept-out condition as often as any other."""
    return [
        phantoms(kind, n, clear=0.05, least_extent=least_extent),
        phantoms(kind, max(1, n // len(LABELS)), label=HELD_OUT, least_extent=least_extent),
    ]


def batch(parts: list[Phantoms], rows: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures (B, 3, SIZE, SIZE), conditions (B,) as places in `CONDITIONS`, skin types (B,) 0 to 5.

    rows: counted through all parts, ascending
    """
    images, labels, skin_types, first = [], [], [], 0
    for part in parts:
        own = [i - first for i in rows if first <= i < first + len(part)]
        images.append(np.asarray(part.images[own]))
        labels.append(part.labels[own])
        skin_types.append(part.skin_types[own])
        first += len(part)
    condition = torch.as_tensor(np.concatenate(labels)) % len(CONDITIONS)
    return pixels(np.concatenate(images)), condition, torch.as_tensor(np.concatenate(skin_types)) - 1


def run(session: Session) -> None:
    """Train and write ``judge/``."""
    settings = session.recipe("judge")
    torch.manual_seed(settings["seed"])
    parts = examples("judge", settings["phantoms"], settings["least_extent"])
    model = build(settings)

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        x, condition, skin_type = batch(parts, pick(generator, sum(map(len, parts)), settings["batch"]))
        x = distorted(placed(x, SIZE, settings["window"], generator), generator)
        logits = model(pixel_values=x.contiguous(memory_format=torch.channels_last)).logits.float()
        smoothing = settings["label_smoothing"]
        return F.cross_entropy(logits[:, : len(CONDITIONS)], condition, label_smoothing=smoothing) + F.cross_entropy(
            logits[:, len(CONDITIONS) :], skin_type, label_smoothing=smoothing
        )

    schedule = Schedule(session.steps or settings["steps"], settings["lr"], warmup=100, save_every=400)
    train(session, "judge", model, step_loss, schedule)
    _report(model, settings["validate"], settings["least_extent"])
    model.half().save_pretrained(session.pack / "judge")


@torch.no_grad()
def _report(model: ResNetForImageClassification, n: int, least_extent: float) -> None:
    parts = examples("validate", n, least_extent)
    x, condition, skin_type = batch(parts, list(range(sum(map(len, parts)))))
    for name, seen in (("clean", x), ("blurred", blurred(x, 1.2))):
        logits = torch.cat([model(pixel_values=b).logits for b in seen.split(64)])
        named = logits[:, : len(CONDITIONS)].argmax(1)
        toned = (logits[:, len(CONDITIONS) :].argmax(1) == skin_type).float().mean()
        right = (named == condition).float()
        by = {CONDITIONS[int(c)]: float(right[condition == c].mean()) for c in condition.unique()}
        low = min(by, key=lambda c: by[c])
        print(f"judge, {name}: condition {right.mean():.1%} (worst: {low} {by[low]:.0%}), skin type {toned:.1%}")
