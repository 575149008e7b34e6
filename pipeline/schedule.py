"""How many steps a picture takes, which of them are guided, and in which numbers they are computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor

Precision = Literal["float32", "bfloat16", "float16"]

GUIDED_VALUES = ("latents", "prompt_embeds", "mask", "masked_image_latents")
"""What diffusers' inpainting hands to a callback after a step, and takes back."""


@dataclass(frozen=True)
class Schedule:
    """How long and how strongly the prompt is followed."""

    steps: int
    guidance: float
    """Classifier-free guidance; 1 is none"""
    guidance_until: float = 1.0
    """Share of the steps that are guided, 0 to 1; each of the others costs half. Kynkäänniemi et al., "Applying
    Guidance in a Limited Interval" (2024): late steps gain nothing from it."""

    @classmethod
    def of(cls, settings: dict[str, Any]) -> Schedule:
        """From a profile's settings; ``guidance_until`` may be left out."""
        until = float(settings.get("guidance_until", 1.0))
        return cls(int(settings["steps"]), float(settings["guidance"]), until)

    @property
    def guided(self) -> int:
        """Steps with guidance."""
        return self.guided_of(self.steps)

    def guided_of(self, steps: int) -> int:
        """The same where the scheduler takes ``steps``: PNDM takes one more than it is asked for."""
        return round(steps * self.guidance_until) if self.guidance > 1 else 0


SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "lcm": ("LCMScheduler", {}),
    "hyper-sd": ("DDIMScheduler", {"timestep_spacing": "trailing"}),
    "tcd": ("TCDScheduler", {}),
    "ddim": ("DDIMScheduler", {}),
    "dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
}
"""A profile's setting ``scheduler``: the first three go with few-step LoRAs, as their model cards say."""


def change_scheduler(pipe: Any, name: str | None) -> None:
    """In place of the scheduler that came with the weights; None keeps that one. Raises ValueError."""
    if name is None:
        return
    if name not in SCHEDULERS:
        raise ValueError(f"the profile's scheduler is {name!r}; it can be {', '.join(SCHEDULERS)}")
    import diffusers

    kind, options = SCHEDULERS[name]
    pipe.scheduler = getattr(diffusers, kind).from_config(pipe.scheduler.config, **options)


def unguided(pipe: Any, values: dict[str, Tensor]) -> dict[str, Tensor]:
    """From here on without guidance: of what was doubled for it, the half with the prompt (diffusers' dynamic CFG)."""
    pipe._guidance_scale = 1.0
    return {name: x if name == "latents" else x.chunk(2)[-1] for name, x in values.items()}


@cache
def bfloat16_pays() -> bool:
    """Whether this processor multiplies faster in bfloat16 than in float32: with AMX's tiles, and on ARM.

    AVX-512 has it, too, but no faster: measured on the embedded UNet without AMX, 1.14 s in bfloat16, 0.89 in float32.
    """
    able = torch.cpu.get_capabilities()
    return any(bool(able.get(way)) for way in ("amx_bf16", "arm_bf16"))


def precision_of(wanted: str) -> Precision:
    """``auto``: bfloat16 where that is faster on this processor.

    Raises ValueError for anything but auto, float32 and bfloat16.
    """
    if wanted not in ("auto", "float32", "bfloat16"):
        raise ValueError(f"the profile's precision is {wanted!r}; it can be auto, float32 or bfloat16")
    if wanted == "auto":
        return "bfloat16" if bfloat16_pays() else "float32"
    return "float32" if wanted == "float32" else "bfloat16"
