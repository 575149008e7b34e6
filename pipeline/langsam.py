"""lang-segment-anything in the place of `segment.Segmenter`, where its user has installed it (requirements.txt)."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from PIL import Image

from pipeline.profile import ProfileError
from pipeline.segment import Found


class LangSamSegmenter:
    """`lang_sam.LangSAM` behind `Segmenter`'s verb: the same result, the same fallback prompt."""

    def __init__(self, model: Any, threshold: float, fallback: str) -> None:
        self.model, self.threshold, self.fallback = model, threshold, fallback

    @classmethod
    def load(cls, threshold: float, fallback: str, sam_type: str = "sam2.1_hiera_small") -> LangSamSegmenter:
        """Raises ProfileError when lang_sam is not installed. It fetches its own weights at the first use."""
        try:
            kind = importlib.import_module("lang_sam").LangSAM
        except ImportError as error:
            raise ProfileError(
                "the profile's segmentation is lang_sam, which is not installed: "
                "`pip install git+https://github.com/luca-medeiros/lang-segment-anything.git`"
            ) from error
        return cls(kind(sam_type=sam_type), threshold, fallback)

    def find(self, image: Image.Image, label: str) -> Found | None:
        """The area of ``label`` in the photo, or None when there is no box or the box holds nothing."""
        for prompt in (label, self.fallback):
            text = prompt.lower().rstrip(".") + "."
            said = self.model.predict([image], [text], box_threshold=self.threshold, text_threshold=self.threshold)[0]
            if not len(said["masks"]):
                continue
            mask = np.any(np.asarray(said["masks"]).reshape(-1, image.height, image.width) > 0, axis=0)
            if mask.any():
                rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
                return Found(mask, box, float(np.max(said["scores"])), prompt)
        return None
