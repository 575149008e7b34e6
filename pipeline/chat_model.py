"""Any image-text-to-text model of transformers, through its own processor and chat template.

A picture is encoded once where the class lets its features be handed in (`mm_encoder_outputs`, most current classes);
others encode it again for every question.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor

from pipeline.placing import options_of
from pipeline.roles import Role
from pipeline.streaming import streamed

TOKENS = 300
LONGEST_SIDE = 1024
"""Pixels: some classes make a token of every 28 x 28, and a phone's photo has 12 million."""
PIXELS = ("pixel_values", "pixel_attention_mask")


@dataclass(frozen=True)
class Picture:
    """A picture as a chat model sees it."""

    image: Image.Image
    features: Any | None
    """The class' encoded picture, where it takes one"""
    feature: Tensor | None = None


class ChatModel:
    """Greedy decoding."""

    def __init__(
        self, model: Any, processor: Any, chats: bool = True, options: Mapping[str, Any] | None = None
    ) -> None:
        self.model, self.processor, self.chats = model.eval(), processor, chats
        said = dict(options or {})
        self.system = str(said.get("system", ""))
        self.tokens = int(said.get("tokens", TOKENS))
        self.longest_side = int(said.get("longest_side", LONGEST_SIDE))
        self._encoder = getattr(model.base_model, "get_image_features", None)
        self.encodes_once = (
            self._encoder is not None
            and "mm_encoder_outputs" in inspect.signature(model.forward).parameters
            and "pixel_values" not in inspect.signature(model.generate).parameters  # BLIP-2's own one encodes by itself
        )

    @classmethod
    def load(cls, folder: Path, role: Role, chats: bool) -> ChatModel:
        """Raises OSError, ValueError or ImportError when transformers cannot load it, ProfileError for its precision.

        Code that comes with a model is never run.
        """
        model = AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True, **options_of(role))
        return cls(model, AutoProcessor.from_pretrained(folder, local_files_only=True), chats, role.options)

    @torch.inference_mode()
    def see(self, image: Image.Image) -> Picture:
        """Encode an RGB picture of any size."""
        small = image.copy()
        small.thumbnail((self.longest_side, self.longest_side), Image.Resampling.LANCZOS)
        if self._encoder is None or not self.encodes_once:
            return Picture(small, None)
        inputs = self._inputs(small, "?", ())
        wanted = inspect.signature(self._encoder).parameters
        return Picture(small, self._encoder(**{k: v for k, v in inputs.items() if k in wanted}, return_dict=True))

    def _inputs(self, image: Image.Image, question: str, exchanges: Iterable[tuple[str, str]]) -> Any:
        if self.chats:
            inputs = self.processor.apply_chat_template(
                messages(image, question, exchanges, self.system),
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
        else:
            inputs = self.processor(images=image, text=question_and_answer(question, exchanges), return_tensors="pt")
        inputs = inputs.to(self.model.device)
        return {k: v.to(self.model.dtype) if torch.is_floating_point(v) else v for k, v in inputs.items()}

    def stream(self, seen: Picture, question: str, exchanges: Iterable[tuple[str, str]] = ()) -> Iterator[str]:
        """The answer, piece by piece. Closing the iterator stops the model."""
        inputs = self._inputs(seen.image, question, exchanges)
        if seen.features is not None:
            inputs = {k: v for k, v in inputs.items() if k not in PIXELS}
            inputs["mm_encoder_outputs"] = {"image": seen.features}
        generate = partial(self.model.generate, **inputs, max_new_tokens=self.tokens, do_sample=False)
        yield from streamed(generate, self._words, skip_prompt=True)

    @property
    def _words(self) -> Any:
        return getattr(self.processor, "tokenizer", self.processor)


def messages(
    image: Image.Image, question: str, exchanges: Iterable[tuple[str, str]], system: str = ""
) -> list[dict[str, Any]]:
    """A conversation as chat templates take it; the picture comes with the first question."""
    out: list[dict[str, Any]] = [{"role": "system", "content": [_text(system)]}] if system else []
    first: list[dict[str, Any]] = [{"type": "image", "image": image}]
    for asked, answered in exchanges:
        out.append({"role": "user", "content": [*first, _text(asked)]})
        out.append({"role": "assistant", "content": [_text(answered)]})
        first = []
    return [*out, {"role": "user", "content": [*first, _text(question)]}]


def _text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def question_and_answer(question: str, exchanges: Iterable[tuple[str, str]]) -> str:
    """For models without a chat template: BLIP-2's form (arXiv 2301.12597, section 4.1). What is no question, such as
    the beginning of a caption, is continued as it is."""
    asked = list(exchanges)
    if not asked and not question.rstrip().endswith("?"):
        return question
    return " ".join([*(f"Question: {q} Answer: {a}" for q, a in asked), f"Question: {question} Answer:"])
