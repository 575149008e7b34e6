"""LoRAs of the embedded Stable Diffusion (paper, section 3.2), in the format of the full-size ones.

One for all conditions, and one for the condition that the base model never saw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import yaml
from diffusers import StableDiffusionInpaintPipeline
from diffusers.models.attention_processor import AttnProcessor
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from torch import Tensor
from torch.nn import functional as F

from pipeline.phantom import HELD_OUT
from pipeline.schedule import Schedule as Sampling
from pipeline.training.data import Phantoms, phantoms
from pipeline.training.encoded import Encoded, encoded
from pipeline.training.loop import Schedule, pick, train
from pipeline.training.readers import train_readers
from pipeline.training.reward import Reward, as_answered, wishes
from pipeline.training.session import Session
from pipeline.training.skingpt import knowledge
from pipeline.training.unet import Frozen, example, load_unet, prompts_of

TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2", "ff.net.0.proj", "ff.net.2"]
"""Attention, convolutions and feed-forward: twice the effect of attention alone."""


@dataclass(frozen=True)
class Lesson:
    """After how many steps a LoRA begins to learn also from what its own pictures show, and after how many it ends."""

    plain: int
    steps: int
    handover_every: int

    @classmethod
    def of(cls, settings: dict[str, Any], shortened: int | None) -> Lesson:
        if shortened is not None:
            return cls(shortened // 2, shortened, 0)
        return cls(settings["plain"], settings["steps"], settings["handover_every"])


def train_lora(
    session: Session,
    name: str,
    settings: dict[str, Any],
    data: Phantoms,
    pictures: Encoded,
    reward: Reward,
    lesson: Lesson,
) -> None:
    """One LoRA on ``data``, then on ``reward`` too; alpha equals the rank: its scale is 1 with or without metadata."""
    unet, frozen = load_unet(session.pack), reward.frozen
    unet.set_attn_processor(AttnProcessor())  # as in `unet.run`
    unet.add_adapter(LoraConfig(r=settings["rank"], lora_alpha=settings["rank"], target_modules=TARGETS))

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        rows = pick(generator, len(data), settings["batch"])
        inputs, target, times = example(pictures, rows, frozen.noise, generator, 0.05)
        with torch.no_grad():
            words = frozen.words(prompts_of(data, rows, generator, silent=0.05))
        loss = F.mse_loss(unet(inputs, times, words).sample.float(), target)
        if step < lesson.plain:
            return loss
        return loss + settings["reward_weight"] * reward.loss(unet, settings["reward_batch"], generator)

    schedule = Schedule(
        lesson.steps, settings["lr"], (lesson.plain,), warmup=20, save_every=50, handover_every=lesson.handover_every
    )
    train(session, f"lora-{name}", unet, step_loss, schedule, beside=[frozen.clip, frozen.vae, reward.readers])
    # PEFT's own key names: the conversion to diffusers' names mixes two styles here, and loading such a file
    # leaves the attention layers out with a mere warning
    state = {k: v.half().contiguous() for k, v in get_peft_model_state_dict(unet).items()}
    StableDiffusionInpaintPipeline.save_lora_weights(
        session.pack / "adapters", unet_lora_layers=state, weight_name=f"{name}.safetensors"
    )


def run(session: Session) -> None:
    """Train both LoRAs; write them into ``adapters/``, with adapters.yaml."""
    settings = session.recipe("lora")
    torch.manual_seed(settings["seed"])
    folder = session.pack / "adapters"
    folder.mkdir(parents=True, exist_ok=True)
    frozen = Frozen.load(session.pack)
    least = settings["least_extent"]
    data = phantoms("train", settings["phantoms"], clear=0.05, least_extent=least)
    pictures = encoded(session, data, frozen.vae)
    kept_out = phantoms("held_out", settings["held_out_phantoms"], label=HELD_OUT, least_extent=least)
    name = HELD_OUT.replace(" ", "-")
    own = encoded(session, kept_out, frozen.vae)
    both = [(data, pictures.photos), (kept_out, own.photos)]
    seeing = train_readers(session, both, frozen.vae, settings["readers"])
    known, how = knowledge(session.pack), Sampling(**settings["sampling"])
    reward = Reward(data, frozen, seeing, as_answered(known), how)
    train_lora(session, "all", settings, data, pictures, reward, Lesson.of(settings["all"], session.steps))
    anywhere = {label: wishes(kept_out, HELD_OUT) for label in known}
    reward = Reward(data, frozen, seeing, anywhere, how)
    train_lora(session, name, settings, kept_out, own, reward, Lesson.of(settings["held_out"], session.steps))
    listing = {
        "loras": [
            {"name": name, "file": f"{name}.safetensors", "labels": [HELD_OUT], "weight": 1.0},
            {"name": "all", "file": "all.safetensors", "labels": ["*"], "weight": 1.0},
        ],
        "ip_adapter": "ip-adapter.safetensors",
    }
    (folder / "adapters.yaml").write_text(
        "# Written by `python -m pipeline train lora`.\n" + yaml.safe_dump(listing, sort_keys=False)
    )
