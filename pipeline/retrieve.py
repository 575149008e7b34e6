"""Case retrieval (paper, section 4.4): similar cases by label, caption and image from a case library."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPModel, CLIPTokenizer

from pipeline.casefile import VECTORS
from pipeline.caseindex import EXACT_UP_TO, CaseIndex
from pipeline.placing import options_of
from pipeline.roles import Role

Vectors = NDArray[np.float32]


class ClipEmbedder:
    """CLIP's two encoders; embeddings are unit vectors of shape (n, dim)."""

    def __init__(self, model: CLIPModel, words: CLIPTokenizer) -> None:
        self.model, self.words = model.eval(), words
        self.side = int(model.config.vision_config.image_size)
        self.mean, self.std = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.5)
        self.cropped = False
        """True: the middle square of the picture is seen, as OpenAI's and LAION's CLIP do; else all of it, squeezed"""

    @classmethod
    def load(cls, folder: Path, role: Role | None = None) -> ClipEmbedder:
        """``role`` says where the model goes and in which numbers; without it, as the embedded one."""
        there = options_of(role or Role("clip", embedded=True))
        model = CLIPModel.from_pretrained(folder, local_files_only=True, **there)
        out = cls(model, CLIPTokenizer.from_pretrained(folder, local_files_only=True))
        if (folder / "preprocessor_config.json").is_file():
            said = json.loads((folder / "preprocessor_config.json").read_text())
            out.mean, out.std = (torch.tensor(said[k]).view(3, 1, 1) for k in ("image_mean", "image_std"))
            out.cropped = bool(said.get("do_center_crop", False))
        return out

    def pixels(self, images: Sequence[Image.Image]) -> Tensor:
        """RGB pictures -> (n, 3, side, side), normalised as the model wants it; without its word, -1 to 1."""
        size = (self.side, self.side)
        fit = [ImageOps.fit(i, size, Image.Resampling.BICUBIC) for i in images] if self.cropped else images
        small = [np.asarray(i.resize(size, Image.Resampling.BICUBIC)) for i in fit]
        pixels = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float()
        if (self.mean == 0.5).all() and (self.std == 0.5).all():
            return pixels / 127.5 - 1
        return (pixels / 255 - self.mean) / self.std

    @torch.inference_mode()
    def images(self, images: Sequence[Image.Image]) -> Vectors:
        return self._unit(self.raw_images(images))

    @torch.inference_mode()
    def raw_images(self, images: Sequence[Image.Image]) -> Tensor:
        """Projected image embeddings before normalisation, on the CPU: what the IP-Adapter takes."""
        return self.model.get_image_features(pixel_values=self._there(self.pixels(images))).pooler_output.float().cpu()

    @torch.inference_mode()
    def tokens(self, images: Sequence[Image.Image]) -> Tensor:
        """(n, tokens, dim) of the last layer but one: what IP-Adapter plus takes."""
        return self._tokens(self.pixels(images))

    @torch.inference_mode()
    def no_tokens(self) -> Tensor:
        """(1, tokens, dim) of an all-zero input: what IP-Adapter plus is given without a picture (its authors' way)."""
        return self._tokens(torch.zeros(1, 3, self.side, self.side))

    def _tokens(self, pixels: Tensor) -> Tensor:
        seen = self.model.vision_model(pixel_values=self._there(pixels), output_hidden_states=True)
        return seen.hidden_states[-2].float().cpu()

    def _there(self, pixels: Tensor) -> Tensor:
        return pixels.to(self.model.device, self.model.dtype)

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Vectors:
        tokens = self.words(list(texts), padding=True, truncation=True, return_tensors="pt")
        return self._unit(self.model.get_text_features(**tokens.to(self.model.device)).pooler_output.float().cpu())

    @staticmethod
    def _unit(x: Tensor) -> Vectors:
        out: Vectors = F.normalize(x, dim=-1).numpy()
        return out


@dataclass(frozen=True)
class Hit:
    """One case found."""

    index: int
    case_id: str
    label: str
    caption: str
    file: Path
    similarity: float


class CaseLibrary:
    """A folder with cases.json (id, label, caption, file) and cases.safetensors (image and text vectors).

    Vectors are compared with those of the same CLIP only; see `casefile.of_another_clip`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = json.loads((folder / "cases.json").read_text())
        vectors = load_file(folder / VECTORS)
        self.image_vectors: Vectors = vectors["image"].float().numpy()
        self.text_vectors: Vectors = vectors["text"].float().numpy()
        self._labels = np.array([row["label"] for row in self.rows])
        self._skin_types = np.array([row.get("skin_type") or 0 for row in self.rows])
        self._index: CaseIndex | None = None
        if len(self.rows) > EXACT_UP_TO:
            self._index = CaseIndex(np.concatenate([self.image_vectors, self.text_vectors], axis=1))

    def search(
        self, image: Vectors, caption: Vectors, label: str | None = None, k: int = 4, skin_type: int | None = None
    ) -> list[Hit]:
        """The ``k`` most similar cases, of ``label`` and of ``skin_type`` (1 to 6) only when they are given.

        image, caption: unit vectors (dim,). Similarity is the mean of the two cosines, -1 to 1. All cases are
        compared up to EXACT_UP_TO; among more, an index finds them.
        """
        wanted = np.ones(len(self.rows), dtype=np.bool_) if label is None else self._labels == label
        among = np.flatnonzero(wanted if skin_type is None else wanted & (self._skin_types == skin_type))
        if self._index is not None and len(among) > EXACT_UP_TO:
            few = among if len(among) < len(self.rows) else None
            among = np.array(self._index.search(np.concatenate([image, caption]), 4 * k, few), dtype=np.intp)
        if self._index is None:
            score = (self.image_vectors @ image + self.text_vectors @ caption) / 2
        else:
            score = np.zeros(len(self.rows), dtype=np.float32)
            score[among] = (self.image_vectors[among] @ image + self.text_vectors[among] @ caption) / 2
        best = among[np.argsort(-score[among], kind="stable")[:k]]
        return [self._hit(int(i), float(score[i])) for i in best]

    def _hit(self, i: int, similarity: float) -> Hit:
        row = self.rows[i]
        return Hit(i, row["id"], row["label"], row["caption"], self.folder / row["file"], similarity)
