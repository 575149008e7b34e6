"""The UNet of the embedded Stable Diffusion: nine channels, for inpainting (the paper's "SD Inpaint").

Channels: 4 of noisy latents, 1 of mask, 4 of the masked photo's latents, as in Stable Diffusion Inpainting. What
is masked covers the lesion with a margin: the model draws the condition and continues the skin around it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    StableDiffusionInpaintPipeline,
    UNet2DConditionModel,
)
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPModel, CLIPTokenizer

from pipeline.training.augment import turned
from pipeline.training.data import Phantoms, phantoms
from pipeline.training.encoded import Encoded, encoded
from pipeline.training.loop import Schedule, pick, train
from pipeline.training.session import Session
from pipeline.training.text import PROMPT

STABLE_DIFFUSION = "stable-diffusion"
"""Its folder in a pack."""


def scheduler() -> DDPMScheduler:
    return DDPMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        steps_offset=1,
    )


def build(settings: dict[str, Any], words_width: int) -> UNet2DConditionModel:
    channels = settings["channels"]
    return UNet2DConditionModel(
        sample_size=24,
        in_channels=9,
        out_channels=4,
        block_out_channels=channels,
        layers_per_block=1,
        down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        cross_attention_dim=words_width,
        attention_head_dim=[c // 32 for c in channels],
        norm_num_groups=16,
    )


def load_vae(pack: Path) -> AutoencoderKL:
    folder = pack / STABLE_DIFFUSION / "vae"
    return AutoencoderKL.from_pretrained(folder, dtype=torch.float32).eval().requires_grad_(False)


def load_unet(pack: Path) -> UNet2DConditionModel:
    """The pack's, frozen: what an adapter is trained on."""
    folder = pack / STABLE_DIFFUSION / "unet"
    return UNet2DConditionModel.from_pretrained(folder, dtype=torch.float32).requires_grad_(False)


def load_clip(pack: Path) -> tuple[CLIPModel, CLIPTokenizer]:
    model = CLIPModel.from_pretrained(pack / "clip", dtype=torch.float32).eval().requires_grad_(False)
    return model, CLIPTokenizer.from_pretrained(pack / "clip")


@dataclass(frozen=True)
class Frozen:
    """What the UNet, its LoRA and the IP-Adapter are all trained against."""

    vae: AutoencoderKL
    clip: CLIPModel
    tokenizer: CLIPTokenizer
    noise: DDPMScheduler

    @classmethod
    def load(cls, pack: Path) -> Frozen:
        return cls(load_vae(pack), *load_clip(pack), scheduler())

    def words(self, prompts: list[str]) -> Tensor:
        tokens = self.tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt")
        return self.clip.text_model(tokens.input_ids).last_hidden_state


def prompts_of(data: Phantoms, rows: list[int], generator: torch.Generator, silent: float = 0.1) -> list[str]:
    """Label and caption; at times the label alone, at times nothing (for guidance)."""
    out = []
    for i, dice in zip(rows, torch.rand(len(rows), generator=generator).tolist(), strict=True):
        label = data.condition(i)
        full = PROMPT.format(label=label, caption=data.captions[i]) if label else data.captions[i]
        out.append("" if dice < silent else (label or full) if dice < silent + 0.1 else full)
    return out


def timesteps(n: int, generator: torch.Generator, anywhere: float = 0.3) -> Tensor:
    """(n,) long, 0 to 999: mostly from the middle, where what is drawn is decided; a share of ``anywhere`` uniformly.

    Logit-normal, as in Esser et al., "Scaling Rectified Flow Transformers" (2024), section 3.1.
    """
    middle = torch.randn(n, generator=generator).sigmoid()
    uniform = torch.rand(n, generator=generator)
    share = torch.where(torch.rand(n, generator=generator) < anywhere, uniform, middle)
    return (share * 1000).long().clamp(max=999)


def example(
    data: Encoded, rows: list[int], noise: DDPMScheduler, generator: torch.Generator, whole: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Nine-channel input, the v-prediction target, and the timesteps, for phantoms ``rows``."""
    together = turned(torch.cat(data.drawn(rows, generator, whole), 1), generator)
    x0, area, masked = together.split([4, 1, 4], 1)
    added = torch.randn(x0.shape, generator=generator)
    times = timesteps(len(rows), generator)
    noisy = noise.add_noise(x0, added, times)
    return torch.cat([noisy, area, masked], 1), noise.get_velocity(x0, added, times), times


def run(session: Session) -> None:
    """Train and write ``stable-diffusion/`` (UNet, text encoder, tokenizer, scheduler, model_index.json)."""
    settings = session.recipe("unet")
    torch.manual_seed(settings["seed"])
    data = phantoms("train", settings["phantoms"], clear=0.05, least_extent=settings["least_extent"])
    frozen = Frozen.load(session.pack)
    pictures = encoded(session, data, frozen.vae)
    unet = build(settings, frozen.clip.config.text_config.hidden_size)
    unet.set_attn_processor(AttnProcessor())  # on a CPU and in bfloat16 faster than the fused one

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        rows = pick(generator, len(data), settings["batch"])
        inputs, target, times = example(pictures, rows, frozen.noise, generator, settings["whole"])
        with torch.no_grad():
            words = frozen.words(prompts_of(data, rows, generator))
        return F.mse_loss(unet(inputs, times, words).sample.float(), target)

    train(
        session,
        "unet",
        unet,
        step_loss,
        Schedule(session.steps or settings["steps"], settings["lr"], handover_every=settings["handover_every"]),
        average=True,
        beside=[frozen.clip],
    )
    write(unet, frozen, session.pack / STABLE_DIFFUSION)


def sampler(noise: DDPMScheduler) -> DPMSolverMultistepScheduler:
    """What the product draws with, for a model that was trained with ``noise``."""
    return DPMSolverMultistepScheduler.from_config(noise.config, algorithm_type="dpmsolver++", use_karras_sigmas=False)


def write(unet: UNet2DConditionModel, frozen: Frozen, folder: Path) -> None:
    """The folder `StableDiffusionInpaintPipeline.from_pretrained` reads."""
    pipe = StableDiffusionInpaintPipeline(
        vae=frozen.vae, text_encoder=frozen.clip.text_model, tokenizer=frozen.tokenizer, unet=unet,
        scheduler=sampler(frozen.noise),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.to(torch.float16).save_pretrained(folder)
    config = json.loads((folder / "vae" / "config.json").read_text())
    config.pop("_name_or_path", None)  # the folder it was loaded from means nothing elsewhere
    (folder / "vae" / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    unet.float()
    frozen.vae.float()
