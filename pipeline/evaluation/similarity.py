"""How like a drawn picture is to a photo: DINOv2 and CLIP similarity and mean squared error, as in the paper's Table 2,
and its tone.

Both encoders are the pack's own small ones, trained on phantoms: their scores rank pictures of this pack and mean
nothing beside published ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F
from transformers import Dinov2Model

from pipeline.evaluation.judge import batches
from pipeline.retrieve import Vectors


class DinoEmbedder:
    """DINOv2's image embedding (the class token after the last norm), as unit vectors of shape (n, dim)."""

    def __init__(self, model: Dinov2Model) -> None:
        self.model = model.eval()

    @classmethod
    def load(cls, folder: Path) -> DinoEmbedder:
        """Read ``config.json`` and ``model.safetensors``. Raises OSError when they are not there."""
        return cls(Dinov2Model.from_pretrained(folder, dtype=torch.float32, local_files_only=True))

    @torch.inference_mode()
    def images(self, images: Sequence[Image.Image]) -> Vectors:
        side = int(self.model.config.image_size)
        parts = [self.model(pixel_values=x).pooler_output for x in batches(images, side)]
        out: Vectors = F.normalize(torch.cat(parts), dim=-1).numpy()
        return out


def squared_error(a: Image.Image, b: Image.Image) -> float:
    """Mean squared difference of two pictures of one size, in units of the whole range: 0 to 1."""
    difference = (np.asarray(a, dtype=np.float32) - np.asarray(b, dtype=np.float32)) / 255
    return float(np.square(difference).mean())


def tones(images: Sequence[Image.Image]) -> Vectors:
    """(n, 3): each picture's median colour in CIELAB (D65; lightness 0 to 100), which on these photos is the skin's."""
    pixels = [np.asarray(image.convert("RGB")).reshape(-1, 3) for image in images]
    return np.stack([np.median(lab(p), axis=0) for p in pixels]).astype(np.float32)


def lab(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """sRGB levels (..., 3), 0 to 255, in CIELAB: IEC 61966-2-1, then CIE 15 with white D65."""
    x = levels / 255
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    relative = linear @ _TO_XYZ.T / _TO_XYZ.sum(1)
    f = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def nearest_is_own(pictures: Vectors, references: Vectors) -> list[bool]:
    """Whether the reference nearest to each picture is the one with the same place.

    pictures, references: (k, dim) each. Of unit vectors the nearest is also the one of the largest cosine. With no
    influence of the references chance is 1 / k.
    """
    distance = np.linalg.norm(pictures[:, None] - references[None], axis=-1)
    return [bool(i == best) for i, best in enumerate(distance.argmin(1))]
