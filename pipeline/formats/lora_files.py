"""LoRA files as diffusers, peft and kohya's sd-scripts write them -> one form: down, up and alpha by layer.

The three differ in the names only. Every name is understood or the file is refused; nothing is left out silently.
What a LoRA adds to a layer's weight is alpha / rank x up x down (Hu et al. 2021, section 4.1).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open
from torch import Tensor

from pipeline.formats.errors import WeightsError, checked_file, listed

Part = Literal["unet", "text_encoder"]

_KOHYA = re.compile(r"lora_(?P<part>unet|te1?)_(?P<layer>[^.]+)\.(?P<what>lora_down\.weight|lora_up\.weight|alpha)")
_DOTTED = re.compile(
    r"(?P<layer>.+?)(?:\.|_)(?P<what>lora_[AB](?:\.[^.]+)?\.weight"
    r"|lora(?:_linear_layer)?\.(?:down|up)\.weight|lora_(?:down|up)\.weight|alpha)"
)
_KOHYA_PARTS: dict[str, Part] = {"unet": "unet", "te": "text_encoder", "te1": "text_encoder"}
_OLD_NAMES = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj", "to_out_0": "out_proj"}
_OTHERS = {
    "lora_te2_": "Stable Diffusion XL",
    "text_encoder_2.": "Stable Diffusion XL",
    "lora_unet_input_blocks_": "Stable Diffusion XL",
    "lora_unet_output_blocks_": "Stable Diffusion XL",
    "lora_unet_middle_block_": "Stable Diffusion XL",
    "transformer.": "a diffusion transformer (SD 3, Flux)",
    "lora_unet_double_blocks_": "Flux",
}


@dataclass(frozen=True)
class LoraLayer:
    """What is added to one layer: ``up`` (out, rank) times ``down`` (rank, in), convolutions with two axes more."""

    down: Tensor
    up: Tensor
    alpha: float

    @property
    def rank(self) -> int:
        return int(self.down.shape[0])


@dataclass(frozen=True)
class LoraFile:
    """One LoRA as it lies in its file, not yet compared with a model."""

    path: Path
    parts: Mapping[Part, Mapping[str, LoraLayer]]
    """part -> layer's name with _ for every dot -> what is added"""
    trained_on: str | None
    """What the file itself says about its base model (kohya's ``ss_base_model_version``)"""


def read_lora(path: Path, sha256: str | None = None) -> LoraFile:
    """``path``: a .safetensors file, or peft's folder with adapter_config.json. Raises WeightsError."""
    file = path / "adapter_model.safetensors" if path.is_dir() else path
    if path.is_dir() and not file.exists() and (path / "adapter_model.bin").exists():
        file = path / "adapter_model.bin"
    tensors, header = _open(checked_file(file, sha256))
    _refuse_others(file, tensors)
    found: dict[Part, dict[str, dict[str, Tensor]]] = {}
    strange = []
    for name, tensor in tensors.items():
        place = _place(name, file)
        if place is None:
            strange.append(name)
        else:
            part, layer, what = place
            found.setdefault(part, {}).setdefault(layer, {})[what] = tensor
    if strange:
        raise WeightsError(f"{file}: is not a LoRA that can be used here, it holds {listed(sorted(strange))}")
    alphas = {part: _Alphas.read(file, header, part, tensors) for part in found}
    parts = {part: _layers(file, part, layers, alphas[part]) for part, layers in found.items()}
    return LoraFile(file, parts, header.get("ss_base_model_version"))


def _open(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(file, "pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            return tensors, opened.metadata() or {}
    except SafetensorError as error:
        raise WeightsError(f"{file}: cannot be read as safetensors ({error}); fetch it again") from error


def _refuse_others(file: Path, tensors: Mapping[str, Tensor]) -> None:
    if not tensors:
        raise WeightsError(f"{file}: holds no weights; fetch it again")
    for start, model in _OTHERS.items():
        if any(name.startswith(start) for name in tensors):
            raise WeightsError(f"{file}: was trained for {model}, not for Stable Diffusion 1.x; get another LoRA")
    for mark, kind in (("dora_scale", "DoRA"), ("lora_magnitude", "DoRA"), ("hada_", "LoHa"), ("lokr_", "LoKr")):
        if any(mark in name for name in tensors):
            raise WeightsError(f"{file}: is a {kind}; only plain LoRA files can be used here")


def _place(name: str, file: Path) -> tuple[Part, str, str] | None:
    """Part, layer (with _ for every dot), and down, up or alpha; None for a name of no LoRA."""
    if kohya := _KOHYA.fullmatch(name):
        return _KOHYA_PARTS[kohya["part"]], _without_text_model(kohya["layer"]), _role(kohya["what"])
    part: Part = "text_encoder" if "text_encoder" in file.parent.name else "unet"  # peft: a folder for each
    rest = name.removeprefix("base_model.model.")
    for start in ("unet.", "text_encoder."):
        if rest.startswith(start):
            part, rest = ("unet" if start == "unet." else "text_encoder"), rest.removeprefix(start)
    dotted = _DOTTED.fullmatch(rest)
    if dotted is None or rest.startswith("lora_"):
        return None
    layer = dotted["layer"].replace(".processor", "").replace(".", "_")
    if part == "text_encoder":
        return part, _without_text_model(_with_new_name(layer)), _role(dotted["what"])
    return part, re.sub(r"_to_out$", "_to_out_0", layer), _role(dotted["what"])


def _role(what: str) -> str:
    if what == "alpha":
        return "alpha"
    return "down" if "down" in what or "lora_A" in what else "up"


def _without_text_model(layer: str) -> str:
    return layer.removeprefix("text_model_")


def _with_new_name(layer: str) -> str:
    """The text encoder's attention, as diffusers named it before 2023."""
    for old, new in _OLD_NAMES.items():
        if layer.endswith(f"self_attn_{old}"):
            return layer.removesuffix(old) + new
    return layer


@dataclass(frozen=True)
class _Alphas:
    """Alpha where it is not beside the layer: peft's adapter_config.json, or diffusers' header."""

    every: float | None
    patterns: Mapping[str, float]
    by_root: bool
    """peft's use_rslora: alpha / sqrt(rank) instead of alpha / rank"""

    @classmethod
    def read(cls, file: Path, header: Mapping[str, str], part: Part, tensors: Mapping[str, Tensor]) -> _Alphas:
        config = file.with_name("adapter_config.json")
        said: dict[str, Any] = {}
        if any(name.startswith("base_model.model.") for name in tensors):
            if not config.is_file():
                raise WeightsError(
                    f"{file}: is peft's, but adapter_config.json, which holds its alpha, is not beside it"
                )
            said = json.loads(config.read_text())
        elif "lora_adapter_metadata" in header:
            every = json.loads(header["lora_adapter_metadata"])
            said = {k.removeprefix(f"{part}."): v for k, v in every.items() if k.startswith(f"{part}.")}
        if said.get("use_dora"):
            raise WeightsError(f"{file}: is a DoRA; only plain LoRA files can be used here")
        if said.get("fan_in_fan_out") or said.get("modules_to_save"):
            raise WeightsError(f"{file}: changes more than a LoRA does (fan_in_fan_out or modules_to_save is set)")
        patterns = {k: float(v) for k, v in (said.get("alpha_pattern") or {}).items()}
        every_alpha = said.get("lora_alpha")
        return cls(None if every_alpha is None else float(every_alpha), patterns, bool(said.get("use_rslora")))

    def of(self, layer: str, rank: int) -> float:
        """Of ``layer`` (with _ for dots). Where nothing is said, alpha is the rank, as in the originals."""
        # peft matches the end of the dotted name, or all of it after ^
        ends = (
            alpha
            for pattern, alpha in self.patterns.items()
            if re.fullmatch(("" if pattern[0] == "^" else r"(?:.*_)?") + _flat(pattern), layer)
        )
        alpha = next(ends, self.every)
        if alpha is None:
            return float(rank)
        return alpha * math.sqrt(rank) if self.by_root else alpha


def _flat(pattern: str) -> str:
    return pattern.lstrip("^").replace("\\.", "_").replace(".", "_")


def _layers(file: Path, part: str, found: Mapping[str, Mapping[str, Tensor]], alphas: _Alphas) -> dict[str, LoraLayer]:
    half = [f"{part} {layer} ({', '.join(t)} only)" for layer, t in found.items() if not {"down", "up"} <= set(t)]
    if half:
        raise WeightsError(f"{file}: is incomplete, down and up belong together: {listed(half)}; fetch it again")
    out = {}
    for layer, tensors in found.items():
        down, up = tensors["down"], tensors["up"]
        if down.ndim < 2 or up.ndim < 2 or up.shape[1] != down.shape[0]:
            raise WeightsError(f"{file}: {part} {layer}: down {tuple(down.shape)} and up {tuple(up.shape)} do not fit")
        rank = int(down.shape[0])
        alpha = float(tensors["alpha"].item()) if "alpha" in tensors else alphas.of(layer, rank)
        out[layer] = LoraLayer(down, up, alpha)
    return out
