"""From the originals' files to one folder for transformers: first the whole plan, then one shard at a time.

Every complaint is raised before anything is written. Tensors are read when their shard is written, so the memory
needed is one shard, not the model. The folder appears under its name only when it is complete.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import (
    AutoTokenizer,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipImageProcessorPil,
)

from pipeline.convert.architecture import LN_VISION_EPS, SKINGPT4, Architecture, target_config
from pipeline.convert.names import place
from pipeline.convert.sources import ConversionError, Lazy, first_line, read_llama, read_pth
from pipeline.convert.templates import TEMPLATES

IMAGE = "<image>"
FACTS = "skingpt4.json"
"""Beside the weights: the conversation template and what transformers' configuration cannot say."""
_VOCABULARY = ("language_model.model.embed_tokens.weight", "language_model.lm_head.weight")
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""The originals' picture normalisation (blip_processors.py)."""


@dataclass(frozen=True)
class Files:
    """The four parts, in the order in which the originals load them: a later one replaces an earlier one's tensor."""

    eva: Path
    """eva_vit_g.pth"""
    qformer: Path
    """blip2_pretrained_flant5xxl.pth: queries, Q-Former, ln_vision"""
    llama: Path
    """Folder of Vicuna (delta applied) or Llama-2-chat"""
    checkpoint: Path
    """MiniGPT-4's or SkinGPT-4's .pth: what was trained, at the least llama_proj"""


@dataclass(frozen=True)
class Planned:
    """One tensor of the target."""

    name: str
    shape: tuple[int, ...]
    read: Callable[[], Tensor]


@dataclass(frozen=True)
class Plan:
    """Everything that will be written, and everything that will not."""

    config: Blip2Config
    tensors: tuple[Planned, ...]
    left_out: dict[str, str]
    """original name -> reason"""


def make_plan(files: Files, sizes: Architecture, image_token: int) -> Plan:
    """Match all names and shapes without reading a value. Raises ConversionError listing all that does not fit."""
    text_config, llama = read_llama(files.llama)
    found = {
        **read_pth(files.eva, "visual_encoder."),
        **read_pth(files.qformer, inside="model"),
        **llama,
        # SkinGPT-4 says llm_model where MiniGPT-4 says llama_model
        **{_one_name(k): v for k, v in read_pth(files.checkpoint, inside="model").items()},
    }
    _refuse_without_qformer(found, sizes)
    config = target_config(sizes, text_config, image_token)
    wanted = _wanted(config)
    parts, left_out, complaints = _sort(found, sizes, wanted)
    tensors = []
    for name, shape in wanted.items():
        try:
            tensors.append(Planned(name, shape, _reader(name, shape, parts.get(name, {}))))
        except ConversionError as error:
            complaints.append(str(error))
    if complaints:
        raise ConversionError("the parts do not make one model:\n" + "\n".join(f"- {c}" for c in complaints))
    return Plan(config, tuple(tensors), left_out)


def _one_name(name: str) -> str:
    return name.replace("llm_model.", "llama_model.", 1) if name.startswith("llm_model.") else name


def _wanted(config: Blip2Config) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        model = Blip2ForConditionalGeneration(config)
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def _sort(
    found: Mapping[str, Lazy], sizes: Architecture, wanted: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Lazy]], dict[str, str], list[str]]:
    """target -> its parts ("" or q and v); original -> reason; complaints."""
    parts: dict[str, dict[str, Lazy]] = {}
    left_out: dict[str, str] = {}
    complaints = []
    for name, lazy in found.items():
        there = place(name, sizes.layers)
        if there is None or (there.target is not None and there.target not in wanted):
            complaints.append(f"unexpected: {name} {lazy.shape} in {lazy.file.name}")
        elif there.target is None:
            left_out[name] = there.reason
        else:
            parts.setdefault(there.target, {})[there.half] = lazy
    return parts, left_out, complaints


def _reader(name: str, shape: tuple[int, ...], parts: Mapping[str, Lazy]) -> Callable[[], Tensor]:
    """How the target's tensor is put together. Raises ConversionError naming it."""
    if not parts or (name.endswith("qkv.bias") and set(parts) != {"q", "v"}):
        raise ConversionError(f"missing: {name} {shape}")
    if name.endswith("qkv.bias"):
        have: tuple[int, ...] = (3 * parts["q"].shape[0],)
        read: Callable[[], Tensor] = partial(_query_and_value_bias, parts["q"], parts["v"])
        fits = have == shape and parts["q"].shape == parts["v"].shape
    else:
        have, read = parts[""].shape, parts[""].read
        fits = have == shape
        if not fits and name in _VOCABULARY and have[1:] == shape[1:] and have[0] < shape[0]:
            return partial(_with_rows, parts[""], shape[0])
    if not fits:
        raise ConversionError(f"wrong shape: {name} is {have}, {shape} is wanted")
    return read


def _query_and_value_bias(q: Lazy, v: Lazy) -> Tensor:
    a, b = q.read(), v.read()
    return torch.cat([a, torch.zeros_like(a), b])


def _with_rows(table: Lazy, rows: int) -> Tensor:
    """New rows (for the image token) are copies of token 0, "unknown": their logits never exceed that one's, so greedy
    decoding says what the original says."""
    old = table.read()
    return torch.cat([old, old[:1].expand(rows - len(old), -1)])


def _refuse_without_qformer(found: Mapping[str, Lazy], sizes: Architecture) -> None:
    projection = found.get("llama_proj.weight")
    if projection is not None and len(projection.shape) == 2 and projection.shape[1] == 4 * sizes.width:
        raise ConversionError(
            f"{projection.file}: llama_proj reads {projection.shape[1]} numbers, four patches at once: this is "
            "MiniGPT-4's Llama-2 7B variant, which has no Q-Former; only variants with a Q-Former are converted"
        )


def shards(tensors: tuple[Planned, ...], item_bytes: int, most_bytes: int) -> list[list[Planned]]:
    """Consecutive tensors, at most ``most_bytes`` together (one tensor alone may be larger)."""
    out: list[list[Planned]] = [[]]
    used = 0
    for tensor in tensors:
        size = item_bytes * torch.Size(tensor.shape).numel()
        if out[-1] and used + size > most_bytes:
            out.append([])
            used = 0
        out[-1].append(tensor)
        used += size
    return out


def convert(
    files: Files,
    out: Path,
    template: str = "skingpt4",
    sizes: Architecture = SKINGPT4,
    dtype: torch.dtype = torch.float16,
    shard_bytes: int = 2 * 1024**3,
) -> Iterator[str]:
    """Write ``out``, a folder for `load_converted`; yields a line of progress per shard.

    Raises ConversionError before anything is written, also when ``out`` is there already.
    """
    if template not in TEMPLATES:
        raise ConversionError(f"no template {template!r}; there are {', '.join(TEMPLATES)}")
    if out.exists():
        raise ConversionError(f"{out} is there already; remove it or choose another folder")
    words = _tokenizer(files.llama)
    plan = make_plan(files, sizes, words.convert_tokens_to_ids(IMAGE))
    partial_folder = out.with_name(out.name + ".partial")
    shutil.rmtree(partial_folder, ignore_errors=True)  # of a conversion that was cut off
    partial_folder.mkdir(parents=True)
    yield from _write_shards(plan, partial_folder, dtype, shard_bytes)
    plan.config.dtype = dtype
    plan.config.architectures = ["Blip2ForConditionalGeneration"]
    plan.config.save_pretrained(partial_folder)
    pixels = BlipImageProcessorPil(
        size={"height": sizes.image_size, "width": sizes.image_size}, image_mean=CLIP_MEAN, image_std=CLIP_STD
    )
    Blip2Processor(pixels, words, num_query_tokens=None).save_pretrained(partial_folder)
    facts = {"ln_vision_eps": LN_VISION_EPS, "template": asdict(TEMPLATES[template]), "left_out": plan.left_out}
    (partial_folder / FACTS).write_text(json.dumps(facts, indent=1))
    os.replace(partial_folder, out)


def _tokenizer(folder: Path) -> Any:
    """The language model's own, with the image token added."""
    if not folder.is_dir():
        raise ConversionError(f"{folder}: no such folder; the language model's (Vicuna or Llama-2) is wanted")
    try:
        words = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, ImportError) as error:
        raise ConversionError(
            f"{folder}: its tokenizer cannot be read. Where there is a tokenizer.model and no tokenizer.json (Vicuna "
            f"v0), `pip install sentencepiece` lets transformers read it. ({first_line(error)})"
        ) from error
    words.add_special_tokens({"additional_special_tokens": [IMAGE]})
    return words


def _write_shards(plan: Plan, folder: Path, dtype: torch.dtype, most_bytes: int) -> Iterator[str]:
    groups = shards(plan.tensors, dtype.itemsize, most_bytes)
    where, total = {}, 0
    for number, group in enumerate(groups, 1):
        file = f"model-{number:05d}-of-{len(groups):05d}.safetensors"
        tensors = {t.name: t.read().to(dtype).contiguous() for t in group}
        save_file(tensors, folder / file, metadata={"format": "pt"})
        where.update(dict.fromkeys(tensors, file))
        total += sum(t.nbytes for t in tensors.values())
        del tensors
        yield f"{file}: {len(group)} tensors, shard {number} of {len(groups)}"
    index = {"metadata": {"total_size": total}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))


def load_converted(folder: Path, dtype: torch.dtype = torch.float16, **options: Any) -> Blip2ForConditionalGeneration:
    """The converted model as the original computes. ``options``: from_pretrained's (device_map, quantisation)."""
    facts = json.loads((folder / FACTS).read_text())
    model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=dtype, local_files_only=True, **options)
    model.vision_model.post_layernorm.eps = facts["ln_vision_eps"]
    return model.eval()
