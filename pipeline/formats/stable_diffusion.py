"""Stable Diffusion 1.x as its authors and others give it away: a diffusers folder of any layout, or one file.

Both inpainting (9 channels) and text-to-image UNets (4 channels) load into diffusers' inpainting pipeline, which with
4 channels blends the photo's noised latents back in outside the mask after every step.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionInpaintPipeline, UNet2DConditionModel

from pipeline.formats.errors import WeightsError, checked_file, listed

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
_PLAIN = re.compile(r"(diffusion_pytorch_)?model(-\d+-of-\d+)?\.(safetensors|bin)|pytorch_model.*\.bin")
_CHANNELS = (4, 9)
"""Of text-to-image, and of inpainting: latents, mask, masked photo's latents"""
_LDM = {"unet": "model.diffusion_model.", "vae": "first_stage_model.", "text_encoder": "cond_stage_model."}
_FIRST = "model.diffusion_model.input_blocks.0.0.weight"
_LEFT_OUT = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}


def load_stable_diffusion(
    place: Path, dtype: torch.dtype = torch.float32, config: Path | None = None, sha256: str | None = None
) -> StableDiffusionInpaintPipeline:
    """``place``: a diffusers folder, or a .safetensors file in the original names.

    ``config``: for a file, the base model's folder without its weights (its .json files and the tokenizer); where it
    is not given, the folder beside the file that has the file's name without .safetensors.
    Raises WeightsError for another base model and for missing weights.
    """
    if place.is_dir():
        pipe = _from_folder(place, dtype)
    else:
        pipe = _from_file(checked_file(place, sha256), config or place.with_suffix(""))
    _refuse_holes(pipe, place)
    for part in ("unet", "vae", "text_encoder"):  # of a file, as it was stored; converted once it is known to be whole
        getattr(pipe, part).to(dtype)
    return pipe


def same_weights(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    """Both hold the same numbers, on the same device, under the same names."""
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(
        x.device == theirs[name].device and x.dtype == theirs[name].dtype and torch.equal(x, theirs[name])
        for name, x in ours.items()
    )


def _from_folder(folder: Path, dtype: torch.dtype) -> StableDiffusionInpaintPipeline:
    _checked_folder(folder)
    return StableDiffusionInpaintPipeline.from_pretrained(
        folder, dtype=dtype, **_LEFT_OUT, image_encoder=None, variant=_variant(folder / "unet"), local_files_only=True
    )


def _checked_folder(folder: Path) -> None:
    """Raises WeightsError when the folder is not a whole Stable Diffusion 1.x."""
    if not (folder / "model_index.json").is_file():
        raise WeightsError(f"{folder}: has no model_index.json; a folder that diffusers saved is wanted")
    if "text_encoder_2" in json.loads((folder / "model_index.json").read_text()):
        raise WeightsError(f"{folder}: is Stable Diffusion XL or later; the pipeline draws with Stable Diffusion 1.x")
    if missing := [part for part in PARTS if not (folder / part).is_dir()]:
        raise WeightsError(f"{folder}: is incomplete, {', '.join(missing)} is missing; fetch it again")
    read = {part: json.loads((folder / part / "config.json").read_text()) for part in ("unet", "text_encoder")}
    channels, width = read["unet"]["in_channels"], read["unet"]["cross_attention_dim"]
    if channels not in _CHANNELS:
        raise WeightsError(f"{folder}: its UNet takes {channels} channels; inpainting needs one with 4 or 9")
    if (words := read["text_encoder"]["hidden_size"]) != width:
        raise WeightsError(f"{folder}: its UNet reads texts {width} wide, its text encoder writes them {words} wide")


def _variant(unet: Path) -> str | None:
    """fp16 where that is the only one there."""
    names = [path.name for path in unet.iterdir()]
    if any(_PLAIN.fullmatch(name) for name in names):
        return None
    return "fp16" if any(".fp16" in name for name in names) else None


def _from_file(file: Path, config: Path) -> StableDiffusionInpaintPipeline:
    channels = _checked_names(file)
    if not (config / "model_index.json").is_file():
        raise WeightsError(
            f"{file}: a single file says nothing of sizes and words. Put the base model's .json files and its "
            f"tokenizer (its diffusers folder without weights, some 2 MB) into {config}"
        )
    try:
        unet = UNet2DConditionModel.from_single_file(
            str(file), config=str(config), subfolder="unet", in_channels=channels, local_files_only=True
        )
        return StableDiffusionInpaintPipeline.from_single_file(
            str(file), config=str(config), unet=unet, local_files_only=True, **_LEFT_OUT
        )
    except NotImplementedError as error:  # torch's word for a weight that was declared and never filled
        raise _incomplete(file, _holes_of(file, config)) from error
    except (ValueError, RuntimeError, KeyError) as error:
        raise WeightsError(f"{file}: does not fit {config}: {str(error).splitlines()[0]}") from error


def _checked_names(file: Path) -> int:
    """Channels that the UNet takes. Raises WeightsError when the file is not a whole Stable Diffusion 1.x."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as opened:
            names = list(opened.keys())
            if missing := [part for part, start in _LDM.items() if not any(n.startswith(start) for n in names)]:
                raise WeightsError(f"{file}: is no whole Stable Diffusion 1.x, {' and '.join(missing)} {_other(names)}")
            if not any(n.startswith("cond_stage_model.transformer.") for n in names):
                raise WeightsError(f"{file}: is Stable Diffusion 2; the pipeline draws with Stable Diffusion 1.x")
            channels = int(opened.get_slice(_FIRST).get_shape()[1]) if _FIRST in names else 0
    except SafetensorError as error:
        raise WeightsError(f"{file}: cannot be read as safetensors ({error}); fetch it again") from error
    if channels not in _CHANNELS:
        raise WeightsError(f"{file}: its UNet takes {channels or 'no'} channels; inpainting needs one with 4 or 9")
    return channels


def _other(names: list[str]) -> str:
    if any(n.startswith("conditioner.embedders.") for n in names):
        return "is missing: it is Stable Diffusion XL"
    if any(n.startswith("lora_") for n in names):
        return "is missing: it is a LoRA, which belongs into adapters.yaml"
    return "is missing; fetch it again"


def _refuse_holes(pipe: Any, place: Path) -> None:
    """A weight that the files did not hold would be random, or nothing at all."""
    holes = [
        f"{part}.{name}"
        for part in ("unet", "vae", "text_encoder")
        for name, value in getattr(pipe, part).state_dict().items()
        if value.is_meta
    ]
    if holes:
        raise _incomplete(place, holes)


def _incomplete(place: Path, holes: list[str]) -> WeightsError:
    return WeightsError(f"{place}: is incomplete, it lacks {listed(holes)}; fetch it again")


def _holes_of(file: Path, config: Path) -> list[str]:
    """Weights of UNet and VAE that the file does not hold, under diffusers' names."""
    from diffusers import AutoencoderKL
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
    from safetensors.torch import load_file

    state, holes = load_file(file), []
    for part, kind, convert in (
        ("unet", UNet2DConditionModel, convert_ldm_unet_checkpoint),
        ("vae", AutoencoderKL, convert_ldm_vae_checkpoint),
    ):
        described = kind.load_config(config, subfolder=part, local_files_only=True)
        with torch.device("meta"):
            wanted = kind.from_config(described).state_dict()
        holes += [f"{part}.{name}" for name in wanted.keys() - convert(state, described).keys()]
    return sorted(holes)
