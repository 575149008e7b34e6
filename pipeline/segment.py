"""Masked image generation (paper, section 4.3 and Figure 6), the way of lang-segment-anything.

GroundingDINO finds the condition by its name and gives boxes; SAM turns photo and boxes into a mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import (
    GroundingDinoForObjectDetection,
    GroundingDinoProcessor,
    SamModel,
    SamProcessor,
)


@dataclass(frozen=True)
class Found:
    """What segmentation gives: a mask (H, W) bool in photo pixels, the box around it, the detector's score."""

    mask: NDArray[np.bool_]
    box: tuple[int, int, int, int]
    score: float
    prompt: str
    """The phrase that found it: the condition, or the fallback."""


class Segmenter:
    """GroundingDINO and SAM behind one verb."""

    def __init__(
        self,
        detector: tuple[GroundingDinoForObjectDetection, GroundingDinoProcessor],
        sam: tuple[SamModel, SamProcessor],
        threshold: float,
        fallback: str,
        margin: float = 0.03,
    ) -> None:
        self.detector, self.reader = detector[0].eval(), detector[1]
        self.sam, self.eye = sam[0].eval(), sam[1]
        self.threshold, self.fallback, self.margin = threshold, fallback, margin

    @classmethod
    def load(cls, detect: Path, segment: Path, threshold: float, fallback: str) -> Segmenter:
        """``threshold``: least score of a box, 0 to 1; ``fallback``: what to look for when the name finds nothing."""
        here = {"local_files_only": True}
        return cls(
            (
                GroundingDinoForObjectDetection.from_pretrained(detect, dtype=torch.float32, **here),
                GroundingDinoProcessor.from_pretrained(detect, **here),
            ),
            (
                SamModel.from_pretrained(segment, dtype=torch.float32, **here),
                SamProcessor.from_pretrained(segment, **here),
            ),
            threshold,
            fallback,
        )

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
    def boxes(self, image: Image.Image, prompt: str) -> tuple[list[list[float]], list[float]]:
        """Boxes (x0, y0, x1, y1 in photo pixels) that score at least the threshold, best first, and scores."""
        text = prompt.lower().rstrip(".") + "."
        inputs = self.reader(images=image, text=text, return_tensors="pt")
        found = self.reader.post_process_grounded_object_detection(
            self.detector(**inputs),
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

    def widened(self, image: Image.Image, boxes: list[list[float]]) -> list[list[float]]:
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
    def mask(self, image: Image.Image, boxes: list[list[float]]) -> NDArray[np.bool_]:
        """SAM's mask for each box, cut to that box, united."""
        inputs = self.eye(images=image, input_boxes=[boxes], return_tensors="pt")
        out = self.sam(
            pixel_values=inputs["pixel_values"],
            input_boxes=inputs["input_boxes"].float(),
            multimask_output=False,
        )
        masks = self.eye.image_processor.post_process_masks(
            out.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"]
        )[0]
        united = np.zeros(image.size[::-1], dtype=np.bool_)
        for mask, (x0, y0, x1, y1) in zip(masks[:, 0].numpy(), boxes, strict=True):
            inside = np.zeros_like(united)
            inside[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = True
            united |= mask.astype(np.bool_) & inside
        return united
