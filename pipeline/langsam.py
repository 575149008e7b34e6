"""lang-segment-anything in the place of `segment.Segmenter`, where its user has installed it (requirements.txt).

segment:
  hub: facebook/sam2.1-hiera-small        # or `path`: SAM 2's own checkpoint file
  files: ["*.pt"]
  form: lang_sam
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.placing import device_of
from pipeline.profile import Profile, ProfileError
from pipeline.segment import Found

SAM_TYPE = "sam2.1_hiera_small"


class LangSamSegmenter:
    """`lang_sam.LangSAM` behind `Segmenter`'s verb: the same result, the same fallback prompt."""

    def __init__(self, model: Any, threshold: float, fallback: str) -> None:
        self.model, self.threshold, self.fallback = model, threshold, fallback

    @classmethod
    def load(
        cls, threshold: float, fallback: str, sam_type: str = SAM_TYPE, files: dict[str, Any] | None = None
    ) -> LangSamSegmenter:
        """``files``: what lang_sam is told of places and device, where its version can be told.

        Raises ProfileError when lang_sam is not installed. What it was not told it fetches itself at the first use.
        """
        try:
            kind = importlib.import_module("lang_sam").LangSAM
        except ImportError as error:
            raise ProfileError(
                "the profile's segmentation is lang_sam, which is not installed: "
                "`pip install git+https://github.com/luca-medeiros/lang-segment-anything.git`"
            ) from error
        known = inspect.signature(kind.__init__).parameters
        told = {name: value for name, value in (files or {}).items() if name in known}
        return cls(kind(sam_type=sam_type, **told), threshold, fallback)

    @classmethod
    def of(cls, profile: Profile, threshold: float, fallback: str) -> LangSamSegmenter:
        """The profile's checkpoint of SAM 2, and its GroundingDINO where it names one. Raises ProfileError."""
        role = profile.spec("segment")
        checkpoint = _checkpoint(profile.folder("segment"))
        files: dict[str, Any] = {"device": device_of(role), "ckpt_path": str(checkpoint)}
        files["sam_ckpt_path"] = str(checkpoint)  # its later name
        if "detect" in profile.roles:
            detector = str(profile.folder("detect"))
            files |= {"gdino_model_ckpt_path": detector, "gdino_processor_ckpt_path": detector}
        return cls.load(threshold, fallback, str(role.options.get("sam_type", checkpoint.stem)), files)

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


def _checkpoint(place: Path) -> Path:
    """The file itself, or the one below the folder. Raises ProfileError."""
    found = [place] if place.is_file() else sorted(place.glob("*.pt"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ProfileError(f"role 'segment': {place} holds {names}; lang_sam wants one of SAM 2's .pt files as `path`")
    return found[0]
