"""Readers of drawn pictures for `reward`: copies of two encoders of the pack, taught what decoders do to a picture.

SkinGPT's ViT and CLIP's image encoder know photos; of pictures that went through the autoencoder they misread a good
part. Here copies of both are trained on with decoded pictures, also of the kept-out condition, whose LoRA they help to
teach. They are not shipped, see none of the judge's phantoms and are of another kind than the judge.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPModel

from pipeline.phantom import HELD_OUT, LABELS, SKIN_TYPES
from pipeline.training.augment import lit, turned
from pipeline.training.data import Phantoms
from pipeline.training.distort import distorted
from pipeline.training.loop import Schedule, pick, pixels, train
from pipeline.training.session import Session
from pipeline.training.skingpt_files import load_vit

NAMES: tuple[str, ...] = (*LABELS, HELD_OUT)
"""In the order of `Phantoms.labels`; clear skin comes after them."""


def encoders(pack: Path) -> tuple[nn.Module, nn.Module]:
    """SkinGPT's ViT and CLIP's image encoder as the pack has them: (B, 3, H, W), -1 to 1, to ``pooler_output``."""
    clip = CLIPModel.from_pretrained(pack / "clip", dtype=torch.float32, attn_implementation="eager")
    return load_vit(pack), clip.vision_model


class Readers(nn.Module):
    """Two encoders, each with a head for the condition and one for the skin type."""

    def __init__(self, vit: nn.Module, clip: nn.Module) -> None:
        super().__init__()
        self.towers = nn.ModuleList([vit, clip])
        self.conditions = nn.ModuleList([nn.LazyLinear(len(NAMES) + 1), nn.LazyLinear(len(NAMES) + 1)])
        self.tones = nn.ModuleList([nn.LazyLinear(len(SKIN_TYPES)), nn.LazyLinear(len(SKIN_TYPES))])

    @classmethod
    def begin(cls, pack: Path) -> Readers:
        """From the pack's ``skingpt/`` and ``clip/``, with heads that know nothing yet."""
        return cls(*encoders(pack))

    def loss(self, x: Tensor, conditions: Tensor, skin_types: Tensor) -> Tensor:
        """Mean cross entropy over both encoders, of condition and, at half the weight, of skin type.

        x: (B, 3, H, W), -1 to 1; conditions: (B,) places in `NAMES`, or their number for clear skin; skin_types: (B,)
        1 to 6
        """
        said = [self.read(i, x) for i in range(len(self.towers))]
        named = torch.stack([F.cross_entropy(condition, conditions) for condition, _ in said]).mean()
        return named + 0.5 * torch.stack([F.cross_entropy(tone, skin_types - 1) for _, tone in said]).mean()

    def read(self, i: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Log odds of conditions (B, names + 1) and skin types (B, 6), by encoder ``i``."""
        seen = self.towers[i](x).pooler_output.float()
        return self.conditions[i](seen), self.tones[i](seen)


def decoded(latents: Tensor, vae: AutoencoderKL, generator: torch.Generator) -> Tensor:
    """(B, 4, h, w) -> (B, 3, H, W): what a sampler may leave, from exact latents to such that miss by a fifth."""
    missed = 0.2 * torch.rand(len(latents), 1, 1, 1, generator=generator)
    with torch.no_grad():
        noisy = latents + missed * torch.randn(latents.shape, generator=generator)
        return vae.decode(noisy / vae.config.scaling_factor).sample.float().clamp(-1, 1)


def examples(
    data: Phantoms, latents: Tensor, rows: list[int], vae: AutoencoderKL, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures, conditions and skin types: three in four decoded around the lesion or as a whole, the others photos."""
    photos = pixels(data.images[rows])
    area = F.max_pool2d(torch.as_tensor(data.masks[rows])[:, None].float(), 15, 1, 7)
    whole = torch.rand(len(rows), 1, 1, 1, generator=generator) < 0.3
    drawn = decoded(latents[rows].float(), vae, generator)
    mixed = torch.where((area > 0) | whole, drawn, photos)
    through = torch.rand(len(rows), 1, 1, 1, generator=generator) < 0.75
    x = turned(torch.where(through, mixed, photos), generator).contiguous()
    conditions = torch.as_tensor(data.labels[rows]) % (len(NAMES) + 1)
    return lit(distorted(x, generator), generator), conditions, torch.as_tensor(data.skin_types[rows])


def train_readers(
    session: Session, parts: list[tuple[Phantoms, Tensor]], vae: AutoencoderKL, settings: dict[str, Any]
) -> Readers:
    """Readers that know what the autoencoder does, frozen.

    parts: phantoms and their latents; each batch takes from each as many as ``settings["shares"]`` says
    """
    readers = Readers.begin(session.pack)
    readers.loss(torch.zeros(1, 3, 96, 96), torch.zeros(1, dtype=torch.long), torch.ones(1, dtype=torch.long))

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        taken = [
            examples(data, latents, pick(generator, len(data), share), vae, generator)
            for (data, latents), share in zip(parts, settings["shares"], strict=True)
        ]
        x, conditions, skin_types = (torch.cat(column) for column in zip(*taken, strict=True))
        return readers.loss(x, conditions, skin_types)

    schedule = Schedule(session.steps or settings["steps"], settings["lr"], handover_every=settings["handover_every"])
    train(session, "readers", readers, step_loss, schedule, beside=[vae])
    return readers.eval().requires_grad_(False)
