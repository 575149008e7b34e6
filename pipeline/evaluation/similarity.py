"""How like a drawn picture is to a photo: DINOv2 and CLIP similarity and mean squared error, as in the paper's Table 2.

Both encoders are the pack's own small ones, trained on phantoms: their scores rank pictures of this pack and mean
nothing beside published ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
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


def nearest_is_own(pictures: Vectors, references: Vectors) -> list[bool]:
    """Whether the reference nearest to each picture is the one with the same place.

    pictures, references: unit vectors, (k, dim) each. With no influence of the references chance is 1 / k.
    """
    return [bool(i == best) for i, best in enumerate((pictures @ references.T).argmax(1))]
