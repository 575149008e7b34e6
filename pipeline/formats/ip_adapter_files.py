"""IP-Adapter's files (Ye et al. 2023), plain and plus, as .safetensors and as .bin: read and compared with the UNet."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pipeline.formats.errors import WeightsError, checked_file, listed

Groups = dict[str, dict[str, Tensor]]
"""image_proj and ip_adapter -> name -> weight, as diffusers takes them"""

_PLAIN = {f"{part}.{kind}" for part in ("proj", "norm") for kind in ("weight", "bias")}
_LAYER = ("0.norm1.weight", "0.norm1.bias", "0.norm2.weight", "0.norm2.bias", "0.to_q.weight", "0.to_kv.weight",
          "0.to_out.weight", "1.0.weight", "1.0.bias", "1.1.weight", "1.3.weight")  # fmt: skip
_PLUS = {"latents"} | {f"{part}.{kind}" for part in ("proj_in", "proj_out", "norm_out") for kind in ("weight", "bias")}
_PLUS |= {f"layers.{i}.{name}" for i in range(4) for name in _LAYER}
"""Four layers of a Perceiver, as the authors' Resampler has and diffusers builds"""


def load_ip_adapter(pipe: Any, file: Path, sha256: str | None = None) -> None:
    """Put it on. Raises WeightsError before anything has changed: a wrong hash, harmful, incomplete, another base."""
    groups = read_ip_adapter(file, sha256)
    _compare(groups, pipe.unet, file)
    pipe.load_ip_adapter(groups, subfolder="", weight_name="", image_encoder_folder=None)


def read_ip_adapter(file: Path, sha256: str | None = None) -> Groups:
    """A .bin is read with weights_only: no code of it can run. Raises WeightsError."""
    checked_file(file, sha256, pickle_too=file.suffix == ".bin")
    groups = _from_bin(file) if file.suffix == ".bin" else _from_safetensors(file)
    if missing := [name for name in ("image_proj", "ip_adapter") if not groups.get(name)]:
        raise WeightsError(f"{file}: is no IP-Adapter, it holds no {' and no '.join(missing)}")
    projection = groups["image_proj"]
    if not ("proj.weight" in projection or "latents" in projection):
        raise WeightsError(
            f"{file}: is another kind of IP-Adapter ({listed(sorted(projection))}); plain and plus can be used"
        )
    wanted = _PLAIN if "proj.weight" in projection else _PLUS
    if missing := sorted(wanted - projection.keys()):
        raise WeightsError(f"{file}: is incomplete, image_proj lacks {listed(missing)}; fetch it again")
    return groups


def is_plus(unet: Any) -> bool:
    """The loaded IP-Adapter wants the image encoder's tokens, not its one vector."""
    return not hasattr(unet.encoder_hid_proj.image_projection_layers[0], "image_embeds")


def reference_width(unet: Any) -> int:
    """Numbers in the vector (plain) or in each token (plus) that describes a reference."""
    layer = unet.encoder_hid_proj.image_projection_layers[0]
    return int((layer.proj_in if is_plus(unet) else layer.image_embeds).in_features)


def _from_safetensors(file: Path) -> Groups:
    groups: Groups = {}
    try:
        with safe_open(file, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                group, _, rest = name.partition(".")
                groups.setdefault(group, {})[rest] = opened.get_tensor(name)
    except SafetensorError as error:
        raise WeightsError(f"{file}: cannot be read as safetensors ({error}); fetch it again") from error
    return groups


def _from_bin(file: Path) -> Groups:
    try:
        groups = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise WeightsError(
            f"{file}: holds more than weights, so it is not opened: it could run a stranger's code. Get its "
            ".safetensors version"
        ) from error
    if not isinstance(groups, dict) or not all(isinstance(group, dict) for group in groups.values()):
        raise WeightsError(f"{file}: is no IP-Adapter")
    return groups


def _compare(groups: Groups, unet: Any, file: Path) -> None:
    """Every cross attention has its key and value, numbered in the UNet's order, in its width."""
    wanted = {}
    for number, name in enumerate(unet.attn_processors):
        if name.endswith("attn2.processor"):
            source = unet.get_submodule(name.removesuffix(".processor")).to_k
            source = getattr(source, "base_layer", source)
            for what in ("to_k_ip", "to_v_ip"):
                wanted[f"{number}.{what}.weight"] = tuple(source.weight.shape)
    found = {name: tuple(value.shape) for name, value in groups["ip_adapter"].items()}
    wrong = [f"{name} {found.get(name, 'is missing')}" for name in wanted if found.get(name) != wanted[name]]
    if wrong or len(found) != len(wanted):
        raise WeightsError(
            f"{file}: is an IP-Adapter for another base model: {len(found)} layers for {len(wanted)}; "
            f"{listed(wrong, 3) or 'too many'}. Get the one for the profile's base model"
        )
