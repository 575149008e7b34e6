"""What may be done to a photo of skin without changing its diagnosis."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def turned(x: Tensor, generator: torch.Generator) -> Tensor:
    """(B, C, H, W) mirrored and turned by quarter turns, the same way for the whole batch."""
    way = int(torch.randint(8, (1,), generator=generator))
    x = x.flip(-1) if way & 1 else x
    return torch.rot90(x, way >> 1, (-2, -1))


def cropped(x: Tensor, generator: torch.Generator, least: float = 0.7) -> Tensor:
    """A random square of at least ``least`` of the side, scaled back to (H, W); one for the batch."""
    side = x.shape[-1]
    part = int(side * (least + (1 - least) * float(torch.rand(1, generator=generator))))
    top, left = (int(v) for v in torch.randint(side - part + 1, (2,), generator=generator))
    piece = x[..., top : top + part, left : left + part]
    return F.interpolate(piece, (side, side), mode="bilinear", antialias=True)


def lit(x: Tensor, generator: torch.Generator) -> Tensor:
    """Small changes of exposure and contrast for each picture; values stay in -1 to 1."""
    gain = 1 + 0.08 * torch.randn(len(x), 1, 1, 1, generator=generator)
    offset = 0.04 * torch.randn(len(x), 1, 1, 1, generator=generator)
    return (x * gain + offset).clamp(-1, 1)
