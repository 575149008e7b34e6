"""Recaptioning (paper, section 4.4): BLIP-2 describes the user's photo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.blip2 import VisionLanguageModel
from pipeline.profile import Profile
from pipeline.talker import Talker, form_of, load_talker

CAPTION_PROMPT = "A photo of"
"""BLIP-2's captioning prompt."""
INSTRUCTION = (
    "Describe this photo in one short phrase without naming a disease: the skin's tone, then the word 'with', then "
    "what is seen on the skin."
)
"""For a chat model, which continues no phrase."""
LONGEST = 300
"""Characters of a caption that go on to the generator's prompt"""


class Captioner:
    def __init__(self, model: Talker[Any], prompt: str = CAPTION_PROMPT) -> None:
        self.model, self.prompt = model, prompt

    @classmethod
    def load(cls, folder: Path) -> Captioner:
        """The embedded model."""
        return cls(VisionLanguageModel.load(folder))

    @classmethod
    def of(cls, profile: Profile) -> Captioner:
        """Whatever the profile names. Raises ProfileError."""
        role = profile.spec("caption")
        if role.embedded:
            return cls.load(profile.folder("caption"))
        talks = role.remote is not None or form_of(role, profile.folder("caption")) in ("chat", "skingpt4")
        return cls(load_talker(profile, "caption"), INSTRUCTION if talks else CAPTION_PROMPT)

    def caption(self, image: Image.Image) -> str:
        """`brown skin with a plaque, silvery scale and redness`"""
        if isinstance(self.model, VisionLanguageModel):
            return self.model.answer(self.model.see(image), CAPTION_PROMPT, most=40)
        said = "".join(self.model.stream(self.model.see(image), self.prompt))
        return " ".join(said.replace("*", "").split())[:LONGEST].strip().rstrip(".")


def skin_of(caption: str) -> str:
    """What a caption says of the skin itself, before what is on it: `brown skin`."""
    return caption.split(" with ")[0].removeprefix("clear ")
