"""SkinGPT's ViT, and the measure of novelty that is fitted to its features.

A part of its own, for the VAE learns from what this ViT sees, while the rest of SkinGPT has not begun.
"""

from __future__ import annotations

from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import Blip2VisionModel

from pipeline.diagnose import Novelty
from pipeline.phantom import LABELS, STRANGE
from pipeline.training.augment import cropped, lit, turned
from pipeline.training.data import CONCEPTS, SIZE, Phantoms, phantoms
from pipeline.training.loop import Schedule, pick, pixels, train
from pipeline.training.session import Session
from pipeline.training.skingpt_files import new_vit, save_vit


def blended(x: Tensor, labels: Tensor) -> Tensor:
    """(n, C, H, W) -> pictures half one and half the next, where the two differ in label: as strange as can be."""
    other = labels != labels.roll(1)
    return ((x + x.roll(1, 0)) / 2)[other]


def shapes(n: int, generator: torch.Generator) -> Tensor:
    """(n, 3, SIZE, SIZE): noise of any grain over a colour, some with hard blocks; nothing that grows on skin."""
    out = torch.empty(n, 3, SIZE, SIZE)
    for i in range(n):
        cells = int(2 ** (6.6 * float(torch.rand(1, generator=generator)))) + 1
        grain = torch.randn(1, 3, cells, cells, generator=generator) * float(torch.rand(1, generator=generator))
        way = "nearest" if float(torch.rand(1, generator=generator)) < 0.5 else "bicubic"
        colour = torch.rand(3, 1, 1, generator=generator) * 2 - 1
        out[i] = colour + F.interpolate(grain, (SIZE, SIZE), mode=way)[0]
    return out.clamp(-1, 1)


def train_vision(
    session: Session, vit: Blip2VisionModel, data: Phantoms, settings: dict[str, Any]
) -> tuple[Tensor, Tensor]:
    """ViT with heads for condition, skin type and concepts, which are dropped; "no condition" is one more condition.

    Returns weights and biases of the condition head for `Novelty`.
    """
    eyes = settings["width"]
    heads = nn.ModuleDict(
        {
            "condition": nn.Linear(eyes, len(LABELS) + 2),
            "tone": nn.Linear(eyes, 6),
            "concepts": nn.Linear(eyes, len(CONCEPTS)),
        }
    )
    seeing = nn.ModuleDict({"vit": vit, "heads": heads})
    strange = phantoms("strange", settings["strange_phantoms"], label=STRANGE)
    few = settings["batch"] // 4

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        rows = pick(generator, len(data), settings["batch"])
        labels = torch.as_tensor(data.labels[rows]) % (len(LABELS) + 1)
        x = pixels(data.images[rows])
        odd = pixels(strange.images[pick(generator, len(strange), few)])
        odd = torch.cat([odd, blended(x[: few // 2], labels[: few // 2]), shapes(few // 4, generator)])
        x = lit(cropped(turned(torch.cat([x, odd]), generator), generator, 0.8), generator)
        everything = vit(x).pooler_output
        seen = everything[: len(rows)]
        labels = torch.cat([labels, torch.full((len(odd),), len(LABELS) + 1)])
        return (
            F.cross_entropy(heads["condition"](everything), labels)
            + F.cross_entropy(heads["tone"](seen), torch.as_tensor(data.skin_types[rows]) - 1)
            + 3
            * F.binary_cross_entropy_with_logits(heads["concepts"](seen), torch.as_tensor(data.concepts[rows]).float())
        )

    schedule = Schedule(session.steps or settings["steps"], 0.001, save_every=300)
    train(session, "skingpt-vision", seeing, step_loss, schedule)
    with torch.no_grad():
        unseen = phantoms("validate", 252)
        seen = vit(pixels(unseen.images)).pooler_output
        right = (heads["condition"](seen).argmax(1) == torch.as_tensor(unseen.labels)).float().mean()
        tone = (heads["tone"](seen).argmax(1) == torch.as_tensor(unseen.skin_types) - 1).float().mean()
    print(f"skingpt-vision: condition {right:.1%}, skin type {tone:.1%} on unseen phantoms")
    weights = heads["condition"].state_dict()
    return weights["weight"], weights["bias"]


@torch.no_grad()
def fit_novelty(vit: Blip2VisionModel, data: Phantoms, odds: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """`Novelty`'s tensors: class means and shared covariance of the ViT's pooled feature, and the classifier ``odds``.

    The threshold is the 97.7th percentile on phantoms that no training used.
    """
    features = torch.cat(
        [vit(pixels(data.images[i : i + 64])).pooler_output for i in range(0, min(6000, len(data)), 64)]
    )
    labels = torch.as_tensor(data.labels[: len(features)]) % (len(LABELS) + 1)
    means = torch.stack([features[labels == k].mean(0) for k in range(len(LABELS) + 1)])
    spread = (features - means[labels]).T @ (features - means[labels]) / len(features)
    precision = torch.linalg.inv(spread + 1e-3 * spread.diagonal().mean() * torch.eye(len(spread)))
    unseen = phantoms("validate", 960)
    seen = torch.cat([vit(pixels(unseen.images[i : i + 64])).pooler_output for i in range(0, 960, 64)])
    measures = Novelty(means, precision, odds, torch.tensor([[0.0], [1.0]])).measures(seen)
    usual = torch.stack([measures.mean(0), measures.std(0)])
    threshold = Novelty(means, precision, odds, usual).scores(seen).quantile(0.977)
    return {
        "means": means, "precision": precision, "odds_weight": odds[0], "odds_bias": odds[1], "usual": usual,
        "threshold": threshold.reshape(1),
    }  # fmt: skip


def run(session: Session) -> None:
    """Train the ViT and write it into ``skingpt/``, with its measure of novelty."""
    settings = session.recipe("skingpt_sight")
    torch.manual_seed(settings["seed"])
    data, vit = phantoms("train", settings["phantoms"], clear=0.05), new_vit()
    novelty = fit_novelty(vit, data, train_vision(session, vit, data, settings))
    save_vit(vit, session.pack)
    save_file({k: v.contiguous() for k, v in novelty.items()}, session.pack / "skingpt" / "novelty.safetensors")
    print("skingpt-sight: written; what it sees is put into words by `python -m pipeline train skingpt`")
