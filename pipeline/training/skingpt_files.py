"""SkinGPT and its captioner on disk: two folders of one model that differ in the projection alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import Blip2ForConditionalGeneration, Blip2Processor, BlipImageProcessorPil, PreTrainedTokenizerFast

from pipeline.training.data import SIZE
from pipeline.training.loop import PACK


def load_vit() -> nn.Module:
    """SkinGPT's ViT as the pack has it: (B, 3, H, W), -1 to 1, to ``pooler_output``."""
    model = Blip2ForConditionalGeneration.from_pretrained(PACK / "skingpt", dtype=torch.float32)
    model.set_attn_implementation("eager")  # as in `skingpt.build`
    return model.vision_model


def save(
    model: Blip2ForConditionalGeneration, words: PreTrainedTokenizerFast, queries: int, folder: Path, common: Path
) -> None:
    """As `save_pretrained`, in two shards: SkinGPT and its captioner differ in the projection alone.

    common: the folder beside ``folder`` that holds the other weights for both; the index in ``folder`` leads there.
    Each file takes the place of the one before at once and whole: other parts of `make pack` may be reading it.
    """
    with TemporaryDirectory(dir=folder.parent) as name:
        made = Path(name)
        new = made / folder.name
        model.half().save_pretrained(new)
        model.float()
        size = {"height": SIZE, "width": SIZE}
        half = [0.5, 0.5, 0.5]
        eye = BlipImageProcessorPil(size=size, image_mean=half, image_std=half)
        Blip2Processor(eye, words, num_query_tokens=None).save_pretrained(new)
        without_spaces(new / "tokenizer.json")
        in_shards(new, made / common.name)
        for file in sorted(made.glob("*/*")):
            place = folder.parent / file.relative_to(made)
            place.parent.mkdir(exist_ok=True)
            file.replace(place)


def in_shards(folder: Path, common: Path) -> None:
    """Replace ``folder/model.safetensors`` by its projection, the other weights in ``common``, and their index."""
    whole = folder / "model.safetensors"
    tensors = load_file(whole)
    own = {name: tensor for name, tensor in tensors.items() if name.startswith("language_projection.")}
    shared = {name: tensor for name, tensor in tensors.items() if name not in own}
    common.mkdir(parents=True, exist_ok=True)
    files = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    save_file(shared, common / files[0], metadata={"format": "pt"})
    save_file(own, folder / files[1], metadata={"format": "pt"})
    there = Path(os.path.relpath(common, folder), files[0]).as_posix()
    size = sum(tensor.nbytes for tensor in tensors.values())
    where = dict.fromkeys(shared, there) | dict.fromkeys(own, files[1])
    index = {"metadata": {"total_size": size}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, separators=(",", ":")))
    whole.unlink()


def without_spaces(path: Path) -> None:
    """The same JSON in a third less bytes: two tokenizers are part of a pack that is to stay small."""
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
