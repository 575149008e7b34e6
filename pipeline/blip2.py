"""One vision-language model of BLIP-2's architecture: a picture and a question in, words out.

SkinGPT and the captioner are two of these (transformers' `Blip2ForConditionalGeneration` with a LLaMA
text model, as in SkinGPT-4). The picture is encoded once and its vectors are used for every question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from transformers import Blip2ForConditionalGeneration, Blip2Processor

from pipeline.prompting import SEPARATOR, conversation, image_slot
from pipeline.streaming import streamed


@dataclass(frozen=True)
class Seen:
    """A picture as the model sees it."""

    tokens: Tensor
    """(1, queries, language width): what stands in the prompt for the picture"""
    feature: Tensor
    """(1, vision width): the visual encoder's pooled output, for novelty detection"""


class VisionLanguageModel:
    """Greedy decoding: the same picture and conversation give the same words."""

    def __init__(self, model: Blip2ForConditionalGeneration, processor: Blip2Processor) -> None:
        self.model, self.processor, self.words = model.eval(), processor, processor.tokenizer
        self.queries = int(model.config.num_query_tokens)
        self._end = self.words.convert_tokens_to_ids(SEPARATOR)

    @classmethod
    def load(cls, folder: Path) -> VisionLanguageModel:
        """From a folder as written by `save_pretrained` (safetensors). Raises OSError when it is not there."""
        model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        return cls(model, Blip2Processor.from_pretrained(folder, local_files_only=True))

    @torch.inference_mode()
    def see(self, image: Image.Image) -> Seen:
        """Encode an RGB picture of any size."""
        x = self.processor.image_processor(image, return_tensors="pt").pixel_values
        feature = self.model.vision_model(x).pooler_output
        return Seen(self.model.get_image_features(x).pooler_output, feature)

    @torch.inference_mode()
    def _prompt(self, seen: Seen, exchanges: Iterable[tuple[str, str]], question: str) -> Tensor:
        text = self.words.bos_token + conversation(image_slot(self.queries), exchanges, question)
        ids = self.words(text, return_tensors="pt").input_ids
        vectors = self.model.get_input_embeddings()(ids)
        vectors[ids == self.model.config.image_token_index] = seen.tokens.reshape(-1, vectors.shape[-1])
        return vectors

    def stream(
        self, seen: Seen, question: str, exchanges: Iterable[tuple[str, str]] = (), most: int = 80
    ) -> Iterator[str]:
        """The answer, piece by piece; at most ``most`` tokens. Closing the iterator stops the model."""
        vectors = self._prompt(seen, exchanges, question)
        generate = partial(
            self.model.language_model.generate,
            inputs_embeds=vectors,
            attention_mask=torch.ones(vectors.shape[:2], dtype=torch.long),
            max_new_tokens=most,
            do_sample=False,
            eos_token_id=[self._end, self.words.eos_token_id],
            pad_token_id=self.words.pad_token_id,
        )
        yield from streamed(generate, self.words)

    def answer(self, seen: Seen, question: str, exchanges: Iterable[tuple[str, str]] = (), most: int = 80) -> str:
        """The whole answer at once."""
        return "".join(self.stream(seen, question, exchanges, most)).strip()
