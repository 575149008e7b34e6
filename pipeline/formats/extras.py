"""What a profile may add to the generator: IP-Adapter, few-step LoRA, previews; where and in which numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from pipeline.formats.errors import WeightsError, listed
from pipeline.placing import device_of, dtype_of
from pipeline.profile import Profile
from pipeline.schedule import Precision

FEW_STEP_SETTINGS = ("scheduler", "steps", "guidance", "guidance_until", "few_step_weight")


@dataclass(frozen=True)
class Extras:
    """Files of the optional roles; None where the profile has none, or has it as optional and it is not there."""

    ip_adapter: Path | None = None
    few_step: Path | None = None
    """A LoRA that is always worn (LCM, Hyper-SD); the setting ``scheduler`` goes with it"""
    previews: Path | None = None
    """Folder of a TAESD (AutoencoderTiny)"""
    device: str = "cpu"
    dtype: torch.dtype = torch.float32

    @property
    def precision(self) -> Precision | None:
        """Half precision of the weights themselves; None: float32, computed as the setting ``precision`` says."""
        if self.dtype == torch.float16:
            return "float16"
        return "bfloat16" if self.dtype == torch.bfloat16 else None

    @classmethod
    def of(cls, profile: Profile, role: str = "generate") -> Extras:
        """``role``: generate or text_to_image. Raises ProfileError for a role that is not optional and not there."""
        spec = profile.spec(role)
        embedded = spec.embedded
        places = {role: place_of(profile, role) for role in ("ip_adapter", "few_step", "previews")}
        return cls(
            ip_adapter=places["ip_adapter"] and one_file(places["ip_adapter"], _wanted(profile, "ip_adapter")),
            few_step=places["few_step"] and one_file(places["few_step"], _wanted(profile, "few_step")),
            previews=places["previews"],
            device="cpu" if embedded else str(device_of(spec)),
            dtype=torch.float32 if embedded else dtype_of(spec),
        )


def place_of(profile: Profile, role: str) -> Path | None:
    """None: the profile has no such role, or has it as optional and it is not there. Raises ProfileError."""
    if role not in profile.roles:
        return None
    if profile.spec(role).optional and not (profile.root / profile.roles[role]).exists():
        return None
    return profile.folder(role)


def with_few_steps(profile: Profile) -> Profile:
    """The settings that a few-step LoRA needs (its `options`), in the place of the profile's, where it is there.

    With 30 guided steps, as without it, its pictures are burnt.
    """
    if place_of(profile, "few_step") is None:
        return profile
    options = profile.spec("few_step").options
    said = {name: value for name, value in options.items() if name in FEW_STEP_SETTINGS}
    return replace(profile, settings={**profile.settings, **said})


def _wanted(profile: Profile, role: str) -> str | None:
    return profile.spec(role).options.get("file")


def one_file(place: Path, wanted: str | None) -> Path:
    """``place`` itself, ``wanted`` below it, or the one weight file there. Raises WeightsError."""
    if place.is_file():
        return place
    if wanted is not None:
        return place / wanted
    found = sorted(
        p for p in place.rglob("*") if p.suffix in (".safetensors", ".bin") and "image_encoder" not in p.parts
    )
    if len(found) != 1:
        names = listed([p.relative_to(place).as_posix() for p in found]) or "none"
        raise WeightsError(f"{place}: holds {names}; say which below the role, `options: {{file: NAME}}`")
    return found[0]


def tune(pipe: Any, settings: dict[str, Any], extras: Extras) -> None:
    """Onto the device; then the settings ``channels_last``, ``compile`` and ``attention_slicing`` (auto, on, off).

    auto slices attention on a card with less than 6 GiB left after loading. Compiled, the first picture waits.
    """
    if extras.device != "cpu" or extras.dtype != torch.float32:
        pipe.to(extras.device, extras.dtype)
    if settings.get("channels_last"):
        pipe.unet.to(memory_format=torch.channels_last)
    slicing = settings.get("attention_slicing", "auto")
    if slicing not in ("auto", True, False, "on", "off"):
        raise WeightsError(f"the profile's attention_slicing is {slicing!r}; it can be auto, on or off")
    if slicing in (True, "on") or (slicing == "auto" and _short(extras.device)):
        slice_attention(pipe)
    if settings.get("compile"):
        pipe.unet.compile()


def slice_attention(pipe: Any) -> None:
    """Less memory, more time: half of the heads at once; pictures decoded one by one.

    Not diffusers' own switch, which would put its processors in the place of the IP-Adapter's.
    """
    from diffusers.models.attention_processor import Attention

    for module in pipe.unet.modules():
        if isinstance(module, Attention) and "IPAdapter" not in type(module.processor).__name__:
            module.set_attention_slice(max(1, module.sliceable_head_dim // 2))
    pipe.vae.enable_slicing()


def _short(device: str) -> bool:
    return device.startswith("cuda") and torch.cuda.mem_get_info(torch.device(device))[0] < 6 * 1024**3
