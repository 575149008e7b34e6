"""SkinGPT-4 or MiniGPT-4 as `python -m pipeline.convert` wrote it: its own prompt form, its own end of an answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoProcessor, Blip2ForConditionalGeneration, StoppingCriteria

from pipeline.blip2 import Seen
from pipeline.convert.skingpt4 import FACTS, load_converted
from pipeline.convert.templates import Template, prompt_ids
from pipeline.placing import options_of
from pipeline.roles import Role
from pipeline.streaming import streamed, up_to

TOKENS = 300
"""Most of an answer (the originals' demo: max_new_tokens=300)."""


class _Ends(StoppingCriteria):
    """The template's stop rule, on the answer's ids alone."""

    def __init__(self, template: Template) -> None:
        self.template = template

    def __call__(self, input_ids: Tensor, scores: Any, **kwargs: Any) -> Any:
        return torch.tensor([self.template.ends(ids) for ids in input_ids.tolist()], device=input_ids.device)


class ConvertedSkinGPT:
    """Greedy decoding. A picture is encoded once; its vectors stand in the prompt of every question."""

    def __init__(
        self, model: Blip2ForConditionalGeneration, processor: Any, template: Template, tokens: int = TOKENS
    ) -> None:
        self.model, self.processor, self.words = model.eval(), processor, processor.tokenizer
        self.template, self.tokens = template, tokens

    @classmethod
    def load(cls, folder: Path, role: Role) -> ConvertedSkinGPT:
        """Raises OSError or ValueError when the folder is not a converted one, ProfileError for its precision."""
        options = options_of(role)
        model = load_converted(folder, options.pop("dtype"), **options)
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        template = read_template(json.loads((folder / FACTS).read_text())["template"])
        return cls(model, processor, template, int(role.options.get("tokens", TOKENS)))

    @torch.inference_mode()
    def see(self, image: Image.Image) -> Seen:
        """Encode an RGB picture of any size."""
        pixels = self.processor.image_processor(image, return_tensors="pt").pixel_values
        where = self.model.get_input_embeddings().weight
        out = self.model.get_image_features(pixels.to(self.model.device, self.model.query_tokens.dtype))
        return Seen(out.pooler_output.to(where.device, where.dtype), out.vision_outputs.pooler_output.float().cpu())

    @torch.inference_mode()
    def _prompt(self, seen: Seen, exchanges: Iterable[tuple[str, str]], question: str) -> Tensor:
        image_token, queries = self.model.config.image_token_index, int(self.model.config.num_query_tokens)
        ids = prompt_ids(self._tokenize, self.template.render(exchanges, question), queries, image_token)
        placed = torch.tensor([ids], device=seen.tokens.device)
        vectors = self.model.get_input_embeddings()(placed)
        vectors[placed == image_token] = seen.tokens.reshape(-1, vectors.shape[-1])
        return vectors

    def _tokenize(self, text: str, first: bool) -> list[int]:
        start = [self.words.bos_token_id] if first else []
        return start + list(self.words(text, add_special_tokens=False).input_ids)

    def stream(self, seen: Seen, question: str, exchanges: Iterable[tuple[str, str]] = ()) -> Iterator[str]:
        """The answer, piece by piece, without the separator that ends it."""
        vectors = self._prompt(seen, exchanges, question)
        generate = partial(
            self.model.language_model.generate,
            inputs_embeds=vectors,
            attention_mask=torch.ones(vectors.shape[:2], dtype=torch.long, device=vectors.device),
            max_new_tokens=self.tokens,
            do_sample=False,
            pad_token_id=self.words.pad_token_id or self.words.eos_token_id,
        )
        yield from up_to(streamed(generate, self.words, [_Ends(self.template)]), self.template.stop_text)


def read_template(said: Mapping[str, Any]) -> Template:
    """As `convert` wrote it: JSON knows no tuples."""
    return Template(**{**said, "stop_ids": tuple(tuple(ids) for ids in said["stop_ids"])})
