"""Recaptioning (paper, section 4.4): BLIP-2 describes the user's photo."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from pipeline.blip2 import VisionLanguageModel

CAPTION_PROMPT = "A photo of"
"""BLIP-2's captioning prompt."""


class Captioner:
    def __init__(self, model: VisionLanguageModel) -> None:
        self.model = model

    @classmethod
    def load(cls, folder: Path) -> Captioner:
        return cls(VisionLanguageModel.load(folder))

    def caption(self, image: Image.Image) -> str:
        """`brown skin with a plaque, silvery scale and redness`"""
        return self.model.answer(self.model.see(image), CAPTION_PROMPT, most=40)


def skin_of(caption: str) -> str:
    """What a caption says of the skin itself, before what is on it: `brown skin`."""
    return caption.split(" with ")[0].removeprefix("clear ")
