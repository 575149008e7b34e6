"""SkinGPT and its captioner on disk: two folders of one model that differ in the projection alone.

Three shards: the ViT, which is a part of its own and comes first; the language model and the Q-Former; the projection.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors.torch import load_file, save_file
from transformers import (
    Blip2ForConditionalGeneration,
    Blip2Processor,
    Blip2VisionConfig,
    Blip2VisionModel,
    BlipImageProcessorPil,
    PreTrainedTokenizerFast,
)

from pipeline.schedule import bfloat16_pays
from pipeline.training.data import SIZE
from pipeline.training.session import recipe

SHARDS = tuple(f"model-{i:05d}-of-00003.safetensors" for i in (1, 2, 3))
"""ViT; language model and Q-Former; projection."""
VIT, PROJECTION = "vision_model.", "language_projection."


def vit_config() -> dict[str, Any]:
    """Of the ViT, as the recipe of `skingpt_sight` has it."""
    settings = recipe("skingpt_sight")
    width = settings["width"]
    return {
        "hidden_size": width, "intermediate_size": width * 4, "num_hidden_layers": settings["layers"],
        "num_attention_heads": 4, "image_size": SIZE, "patch_size": 8, "initializer_range": 0.02,
    }  # fmt: skip


def new_vit() -> Blip2VisionModel:
    """A ViT that knows nothing: (B, 3, H, W), -1 to 1, to ``pooler_output``."""
    vit = Blip2VisionModel(Blip2VisionConfig(**vit_config()))
    vit.set_attn_implementation("eager" if bfloat16_pays() else "sdpa")  # each the faster one there, by a sixth
    return vit


def save_vit(vit: Blip2VisionModel, pack: Path) -> None:
    """As float16, as the first of SkinGPT's shards."""
    folder = pack / "skingpt"
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {VIT + name: tensor.half().contiguous() for name, tensor in vit.state_dict().items()}
    save_file(tensors, folder / SHARDS[0], metadata={"format": "pt"})


def load_vit(pack: Path) -> Blip2VisionModel:
    """The pack's, as float32."""
    vit = new_vit()
    tensors = load_file(pack / "skingpt" / SHARDS[0])
    vit.load_state_dict({name.removeprefix(VIT): tensor.float() for name, tensor in tensors.items()})
    return vit


def save(
    model: Blip2ForConditionalGeneration, words: PreTrainedTokenizerFast, queries: int, folder: Path, common: Path
) -> None:
    """As `save_pretrained`, in three shards: SkinGPT and its captioner differ in the last alone.

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
    common.mkdir(parents=True, exist_ok=True)
    where: dict[str, str] = {}
    for shard, place in zip(SHARDS, (common, common, folder), strict=True):
        own = {name: tensor for name, tensor in tensors.items() if _shard_of(name) == shard}
        save_file(own, place / shard, metadata={"format": "pt"})
        where |= dict.fromkeys(own, Path(os.path.relpath(place, folder), shard).as_posix())
    size = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, separators=(",", ":")))
    whole.unlink()


def _shard_of(name: str) -> str:
    return SHARDS[0] if name.startswith(VIT) else SHARDS[2] if name.startswith(PROJECTION) else SHARDS[1]


def without_spaces(path: Path) -> None:
    """The same JSON in a third less bytes: two tokenizers are part of a pack that is to stay small."""
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
