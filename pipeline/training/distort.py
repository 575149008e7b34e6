"""What cameras, files and image decoders do to a picture: for models that must judge what it shows, not its pixels.

All functions take and give (B, 3, H, W) float pictures, -1 to 1, and draw from the given generator, for each picture
on its own.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F


def _uniform(x: Tensor, low: float, high: float, generator: torch.Generator) -> Tensor:
    """(B, 1, 1, 1)"""
    return low + (high - low) * torch.rand(len(x), 1, 1, 1, generator=generator)


def _some(x: Tensor, changed: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """``changed`` for about ``share`` of the pictures, ``x`` for the others."""
    return torch.where(torch.rand(len(x), 1, 1, 1, generator=generator) < share, changed, x)


def placed(x: Tensor, side: int, window: Sequence[float], generator: torch.Generator) -> Tensor:
    """A window of the picture, turned and mirrored at random, as (B, 3, side, side).

    window: least and most of the picture's side; above 1 the picture is shown smaller, its surroundings mirrored
    """
    n = len(x)
    part = _uniform(x, window[0], window[1], generator).flatten()
    turn = torch.rand(n, generator=generator) * 2 * math.pi
    mirrored = torch.randint(0, 2, (n,), generator=generator) * 2.0 - 1
    room = (1 - part).abs()
    dx, dy = ((torch.rand(n, generator=generator) * 2 - 1) * room for _ in range(2))
    c, s = turn.cos() * part, turn.sin() * part
    rows = torch.stack([torch.stack([c * mirrored, -s, dx], 1), torch.stack([s * mirrored, c, dy], 1)], 1)
    grid = F.affine_grid(rows, [n, 3, side, side], align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of ``sigma`` pixels."""
    reach = max(1, math.ceil(2.5 * sigma))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).repeat(3, 1, 1, 1)
    padded = F.pad(x, (reach,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel, groups=3), kernel.transpose(-1, -2), groups=3)


def shrunk(x: Tensor, generator: torch.Generator) -> Tensor:
    """Fine detail below a threshold is lost and the rest weakened, strong edges stay: as autoencoders give back."""
    coarse = blurred(x, 1.0 + 1.5 * float(torch.rand(1, generator=generator)))
    return coarse + _kept(x - coarse, _uniform(x, 0.0, 0.12, generator))


def _kept(detail: Tensor, threshold: Tensor) -> Tensor:
    return detail.sign() * (detail.abs() - threshold).clamp(min=0)


def shifted(x: Tensor, generator: torch.Generator) -> Tensor:
    """A smooth error of colour, as decoders make: a few levels, varying over the picture."""
    cells = torch.randn(len(x), 3, 4, 4, generator=generator) * _uniform(x, 0, 0.04, generator)
    return x + F.interpolate(cells, x.shape[-2:], mode="bicubic")


def resampled(x: Tensor, generator: torch.Generator) -> Tensor:
    """Scaled to a lower resolution and back (one resolution for the batch)."""
    side = int(torch.randint(x.shape[-1] // 2, x.shape[-1], (1,), generator=generator))
    small = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
    return F.interpolate(small, x.shape[-2:], mode="bicubic")


def noised(x: Tensor, generator: torch.Generator) -> Tensor:
    return x + torch.randn(x.shape, generator=generator) * _uniform(x, 0, 0.06, generator)


def lit(x: Tensor, generator: torch.Generator) -> Tensor:
    """Exposure and contrast changed by a few percent: more would make another skin type of it."""
    return (x + 1) * _uniform(x, 0.95, 1.05, generator) - 1 + _uniform(x, -0.03, 0.03, generator)


def jittered(x: Tensor, generator: torch.Generator) -> Tensor:
    """Exposure, contrast and colour changed so much that skin tone alone no longer tells which photo it is."""
    gain = _uniform(x, 0.8, 1.2, generator) * (0.94 + 0.12 * torch.rand(len(x), 3, 1, 1, generator=generator))
    return (x * gain + _uniform(x, -0.15, 0.15, generator)).clamp(-1, 1)


def saved(x: Tensor, generator: torch.Generator) -> Tensor:
    """Saved as JPEG, quality 40 to 95, and read again."""
    out = []
    for picture, quality in zip(x, torch.randint(40, 96, (len(x),), generator=generator).tolist(), strict=True):
        file = io.BytesIO()
        levels = ((picture.clamp(-1, 1) + 1) * 127.5).byte().permute(1, 2, 0).cpu().numpy()
        Image.fromarray(levels).save(file, "JPEG", quality=quality)
        out.append(torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1))
    return torch.stack(out).float() / 127.5 - 1


def distorted(x: Tensor, generator: torch.Generator) -> Tensor:
    """Each picture with some of all this, in the order in which it happens to a picture."""
    x = _some(x, shrunk(x, generator), 0.4, generator)
    x = _some(x, blurred(x, 0.5 + float(torch.rand(1, generator=generator))), 0.3, generator)
    x = _some(x, resampled(x, generator), 0.3, generator)
    x = _some(x, shifted(x, generator), 0.4, generator)
    x = _some(x, noised(x, generator), 0.4, generator)
    x = lit(x, generator)
    return _some(x, saved(x, generator), 0.3, generator).clamp(-1, 1)
