"""Masked image generation (paper, section 4.3 and Figure 6), the way of lang-segment-anything.

GroundingDINO finds the condition by its name and gives boxes; SAM or SAM 2 turns photo and boxes into a mask.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import (
    GroundingDinoForObjectDetection,
    GroundingDinoProcessor,
    Sam2Model,
    SamModel,
    SamProcessor,
)

from pipeline.formats.sam_files import Sam2Eye, read_sam
from pipeline.placing import options_of
from pipeline.profile import Profile, ProfileError
from pipeline.roles import Role

Boxes = list[list[float]]
"""x0, y0, x1, y1 in photo pixels"""


@dataclass(frozen=True)
class Found:
    """What segmentation gives: a mask (H, W) bool in photo pixels, the box around it, the detector's score."""

    mask: NDArray[np.bool_]
    box: tuple[int, int, int, int]
    score: float
    prompt: str
    """The phrase that found it: the condition, or the fallback."""


class FindsAreas(Protocol):
    """What fills the roles detect and segment."""

    threshold: float
    """Least score of a box, 0 to 1"""

    def find(self, image: Image.Image, label: str) -> Found | None:
        """The area of ``label`` in the photo, or None when there is no box or the box holds nothing."""
        ...


def load_segmenter(profile: Profile) -> FindsAreas:
    """GroundingDINO with SAM or SAM 2, or lang_sam, as the profile says. Raises ProfileError, WeightsError."""
    role, s = profile.spec("segment"), profile.settings
    threshold, fallback = float(s["box_threshold"]), str(s["fallback_prompt"])
    if role.form == "lang_sam":
        from pipeline.langsam import LangSamSegmenter

        return LangSamSegmenter.of(profile, threshold, fallback)
    detect, segment = profile.folder("detect"), profile.folder("segment")
    return Segmenter.load(detect, segment, threshold, fallback, profile.spec("detect"), role)


class Segmenter:
    """GroundingDINO and SAM behind one verb."""

    def __init__(
        self,
        detector: tuple[GroundingDinoForObjectDetection, GroundingDinoProcessor],
        sam: tuple[SamModel | Sam2Model, SamProcessor | Sam2Eye],
        threshold: float,
        fallback: str,
        margin: float = 0.03,
    ) -> None:
        self.detector, self.reader = detector[0].eval(), detector[1]
        self.sam, self.eye = sam[0].eval(), sam[1]
        self.threshold, self.fallback, self.margin = threshold, fallback, margin

    @classmethod
    def load(
        cls,
        detect: Path,
        segment: Path,
        threshold: float,
        fallback: str,
        detect_role: Role | None = None,
        segment_role: Role | None = None,
    ) -> Segmenter:
        """``threshold``: least score of a box, 0 to 1; ``fallback``: what to look for when the name finds nothing.

        The roles say where the models go and in which numbers; without them, as the embedded ones.
        """
        there = options_of(detect_role or Role("detect", embedded=True))
        detector = GroundingDinoForObjectDetection.from_pretrained(detect, local_files_only=True, **there)
        reader = GroundingDinoProcessor.from_pretrained(detect, local_files_only=True)
        eye = load_sam(segment, segment_role or Role("segment", embedded=True))
        return cls((detector, reader), eye, threshold, fallback)

    def find(self, image: Image.Image, label: str) -> Found | None:
        """The area of ``label`` in the photo, or None when there is no box or the box holds nothing."""
        for prompt in (label, self.fallback):
            boxes, scores = self.boxes(image, prompt)
            if not len(boxes):
                continue
            mask = self.mask(image, self.widened(image, boxes))
            if mask.any():
                rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
                box = (int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1)
                return Found(mask, box, float(max(scores)), prompt)
        return None

    @torch.inference_mode()
    def boxes(self, image: Image.Image, prompt: str) -> tuple[Boxes, list[float]]:
        """Boxes that score at least the threshold, best first, and scores."""
        text = prompt.lower().rstrip(".") + "."
        inputs = self.reader(images=image, text=text, return_tensors="pt")
        found = self.reader.post_process_grounded_object_detection(
            on_cpu(self.detector(**beside(self.detector, inputs))),
            inputs.input_ids,
            threshold=self.threshold,
            text_threshold=self.threshold,
            target_sizes=[image.size[::-1]],
        )[0]
        order = found["scores"].argsort(descending=True).tolist()
        width, height = image.size
        limits = torch.tensor([width, height, width, height])
        boxes = [torch.minimum(found["boxes"][i].clamp(min=0), limits).tolist() for i in order]
        return boxes, [float(found["scores"][i]) for i in order]

    def widened(self, image: Image.Image, boxes: Boxes) -> Boxes:
        """Boxes with ``margin`` of the photo's longer side around them: a tight one cuts the lesion's border off."""
        margin, (width, height) = self.margin * max(image.size), image.size
        return [
            [
                max(0.0, x0 - margin),
                max(0.0, y0 - margin),
                min(float(width), x1 + margin),
                min(float(height), y1 + margin),
            ]
            for x0, y0, x1, y1 in boxes
        ]

    @torch.inference_mode()
    def uncut(self, image: Image.Image, boxes: Boxes) -> list[NDArray[np.bool_]]:
        """SAM's mask for each box, (H, W), wherever in the photo it lies."""
        inputs = self.eye(images=image, input_boxes=[boxes], return_tensors="pt")
        sizes = [inputs["original_sizes"]]
        if "reshaped_input_sizes" in inputs:  # SAM pads to a square, SAM 2 squeezes
            sizes.append(inputs["reshaped_input_sizes"])
        there = beside(self.sam, inputs)
        out = self.sam(pixel_values=there["pixel_values"], input_boxes=there["input_boxes"], multimask_output=False)
        masks = self.eye.image_processor.post_process_masks(out.pred_masks.float().cpu(), *sizes)[0]
        return [mask.numpy().astype(np.bool_) for mask in masks[:, 0]]

    def mask(self, image: Image.Image, boxes: Boxes) -> NDArray[np.bool_]:
        """SAM's mask for each box, cut to that box, united."""
        united = np.zeros(image.size[::-1], dtype=np.bool_)
        for mask, (x0, y0, x1, y1) in zip(self.uncut(image, boxes), boxes, strict=True):
            inside = np.zeros_like(united)
            inside[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = True
            united |= mask & inside
        return united


def load_sam(place: Path, role: Role) -> tuple[SamModel | Sam2Model, SamProcessor | Sam2Eye]:
    """A transformers folder of SAM or SAM 2, or a file as segment-anything saves it (.pth), SkinSAM's too.

    Raises ProfileError for another model, WeightsError for a file that is not whole.
    """
    if place.is_file():
        return read_sam(place, options_of(role))
    if not (place / "config.json").is_file():
        raise ProfileError(f"role {role.name!r}: {place} has no config.json; a transformers folder of SAM is wanted")
    kind = json.loads((place / "config.json").read_text()).get("model_type")
    if kind == "sam":
        eye = SamProcessor.from_pretrained(place, local_files_only=True)
        return SamModel.from_pretrained(place, local_files_only=True, **options_of(role)), eye
    if kind in ("sam2", "sam2_video"):  # the published folders are of the video model, which holds the other
        return Sam2Model.from_pretrained(place, local_files_only=True, **options_of(role)), Sam2Eye.load(place)
    raise ProfileError(f"role {role.name!r}: {place} is a {kind!r} model; sam, sam2 or sam2_video is wanted")


def beside(model: Any, inputs: Any) -> dict[str, Any]:
    """Inputs where the model is; pixels in its numbers, boxes in float32 (1,023.5 has no float16)."""
    there = {name: x.to(model.device) if isinstance(x, Tensor) else x for name, x in inputs.items()}
    there["pixel_values"] = there["pixel_values"].to(model.dtype)
    if "input_boxes" in there:
        there["input_boxes"] = there["input_boxes"].float()
    return there


def on_cpu(out: Any) -> Any:
    """The detector's answer, logits and boxes in float32 on the CPU."""
    out.logits, out.pred_boxes = out.logits.float().cpu(), out.pred_boxes.float().cpu()
    return out
