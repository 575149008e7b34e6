"""Phantoms as the UNet and its adapters meet them: encoded once, with areas to paint, and kept on disk.

A step would otherwise spend a fifth of its time on the encoder, for photos that it sees ten times over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional as F

from pipeline.training.data import Phantoms
from pipeline.training.device import accelerated, device_of
from pipeline.training.loop import pixels
from pipeline.training.session import LATENTS, Session

AREAS = 3
"""Areas to paint on each photo; with eight ways to turn it that is 24 for one photo."""
BATCH = 64


@dataclass(frozen=True)
class Encoded:
    """``n`` phantoms in latents of 24 x 24, float16."""

    photos: Tensor
    """(n, 4, h, w)"""
    areas: Tensor
    """(n, AREAS, 1, h, w), 0 or 1: to be painted"""
    masked: Tensor
    """(n, AREAS, 4, h, w): the photos without these areas"""
    nothing: Tensor
    """(4, h, w): a photo of which everything is to be painted"""

    def drawn(self, rows: list[int], generator: torch.Generator, whole: float) -> tuple[Tensor, Tensor, Tensor]:
        """Photos (B, 4, h, w), areas (B, 1, h, w) and what is masked (B, 4, h, w), float32.

        whole: the share of photos of which everything is to be painted
        """
        which = torch.randint(AREAS, (len(rows),), generator=generator)
        everything = (torch.rand(len(rows), generator=generator) < whole)[:, None, None, None]
        at = torch.tensor(rows)
        areas = torch.where(everything, 1.0, self.areas[at, which].float())
        masked = torch.where(everything, self.nothing.float(), self.masked[at, which].float())
        return self.photos[at].float(), areas, masked


def painted_area(lesions: Tensor, generator: torch.Generator, whole: float) -> Tensor:
    """(B, H, W) bool lesions -> (B, 1, H, W) float: the area to paint, always more than the lesions.

    The lesions' smooth dilation by a random margin, or (mostly) a rounded shape around all of them, for the area that
    another condition left tells nothing of where the lesions of the new one lie; or the ``whole`` picture (then the
    model draws from words alone).
    """
    size = lesions.shape[-1]
    out = torch.empty(len(lesions), 1, size, size)
    axis = torch.arange(size).float()
    for i, lesion in enumerate(lesions):
        way = float(torch.rand(1, generator=generator))
        margin = int(torch.randint(3, 12, (1,), generator=generator))
        rows, cols = (lesion.any(d).nonzero().flatten().float() for d in (1, 0))
        if way < whole or len(rows) == 0:
            out[i] = 1
        elif way < whole + 0.25:
            soft = F.avg_pool2d(lesion[None, None].float(), 2 * margin + 1, 1, margin)
            out[i] = (soft[0] > 0.02).float()
        else:
            cy, cx = (rows[0] + rows[-1]) / 2, (cols[0] + cols[-1]) / 2
            wide, power = 1 + 0.3 * torch.rand(1, generator=generator), 2 + 2 * torch.rand(1, generator=generator)
            ry, rx = ((v[-1] - v[0]) / 2 * wide + margin for v in (rows, cols))
            far = ((axis[:, None] - cy) / ry).abs() ** power + ((axis[None] - cx) / rx).abs() ** power
            out[i] = ((far < 1) | lesion).float()
    return out


def latents(vae: AutoencoderKL, x: Tensor) -> Tensor:
    """(B, 3, H, W), -1 to 1 -> (B, 4, H / 4, W / 4), of unit variance."""
    return vae.encode(x).latent_dist.mean * vae.config.scaling_factor


def encoded(session: Session, data: Phantoms, vae: AutoencoderKL) -> Encoded:
    """``data`` by this VAE, kept in `LATENTS`; those of other phantoms, another VAE or other code are never taken."""
    path = LATENTS / f"{data.name}-{_fingerprint(vae)[:12]}-{_painting()[:4]}.pt"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")  # another part may encode the same
        with accelerated(device_of(session.device), vae):
            columns = _columns(data, vae)
        torch.save(columns, partial)
        partial.replace(path)
    return Encoded(**torch.load(path, weights_only=True, mmap=True))


@cache
def _painting() -> str:
    """SHA-256 of this module, in hex."""
    return sha256(Path(__file__).read_bytes()).hexdigest()


def _fingerprint(vae: AutoencoderKL) -> str:
    """SHA-256 of the weights, in hex."""
    digest = sha256()
    for tensor in vae.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def _columns(data: Phantoms, vae: AutoencoderKL) -> dict[str, Tensor]:
    photos, areas, masked = (torch.cat(column).cpu() for column in zip(*_pieces(data, vae), strict=True))
    return {
        "photos": photos,
        "areas": areas,
        "masked": masked,
        "nothing": latents(vae, torch.zeros(1, 3, 96, 96))[0].half().cpu(),
    }


def _pieces(data: Phantoms, vae: AutoencoderKL) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    for start in range(0, len(data), BATCH):
        rows = slice(start, start + BATCH)
        x, lesions = pixels(data.images[rows]), torch.from_numpy(np.array(data.masks[rows]))
        several = [painted_area(lesions, generator, 0.0) for _ in range(AREAS)]
        small = torch.stack([F.interpolate(area, scale_factor=0.25) for area in several], 1)
        masked = torch.stack([latents(vae, x * (area < 0.5)) for area in several], 1)
        yield latents(vae, x).half(), small.half(), masked.half()
