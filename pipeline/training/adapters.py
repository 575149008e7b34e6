"""LoRA and IP-Adapter for the embedded Stable Diffusion (paper, section 3.2).

One LoRA for all conditions, one for the condition that the base model never saw, and one IP-Adapter, all in the
file formats of the full-size ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import yaml
from diffusers import StableDiffusionInpaintPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.phantom import HELD_OUT
from pipeline.schedule import Schedule as Sampling
from pipeline.training.augment import cropped, turned
from pipeline.training.data import Phantoms, phantoms
from pipeline.training.encoded import STABLE_DIFFUSION, Encoded, encoded
from pipeline.training.loop import PACK, Schedule, pick, pixels, recipe, train
from pipeline.training.readers import trained
from pipeline.training.reward import Reward, as_answered, wishes
from pipeline.training.skingpt import knowledge
from pipeline.training.unet import Frozen, example, prompts_of

ADAPTERS = PACK / "adapters"
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2", "ff.net.0.proj", "ff.net.2"]
"""Attention, convolutions and feed-forward: twice the effect of attention alone."""


def load_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel.from_pretrained(STABLE_DIFFUSION / "unet", dtype=torch.float32).requires_grad_(False)


@dataclass(frozen=True)
class Lesson:
    """After how many steps a LoRA begins to learn also from what its own pictures show, and after how many it ends."""

    plain: int
    steps: int

    @classmethod
    def of(cls, stages: list[int], shortened: int | None) -> Lesson:
        plain, steps = stages if shortened is None else (shortened // 2, shortened)
        return cls(plain, steps)


def train_lora(
    name: str, settings: dict[str, Any], data: Phantoms, pictures: Encoded, reward: Reward, lesson: Lesson
) -> None:
    """One LoRA on ``data``, then on ``reward`` too; alpha equals the rank: its scale is 1 with or without metadata."""
    unet, frozen = load_unet(), reward.frozen
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

    schedule = Schedule(lesson.steps, settings["lr"], (lesson.plain,), warmup=20, save_every=50)
    train(f"lora-{name}", unet, step_loss, schedule, beside=[frozen.clip, frozen.vae, reward.readers])
    # PEFT's own key names: the conversion to diffusers' names mixes two styles here, and loading such a file
    # leaves the attention layers out with a mere warning
    state = {k: v.half().contiguous() for k, v in get_peft_model_state_dict(unet).items()}
    StableDiffusionInpaintPipeline.save_lora_weights(
        ADAPTERS, unet_lora_layers=state, weight_name=f"{name}.safetensors"
    )


class ImagePrompt(nn.Module):
    """The IP-Adapter's own parameters: a projection of the image embedding and a second key and value
    in every cross attention (Ye et al. 2023)."""

    def __init__(self, unet: UNet2DConditionModel, embedding: int, tokens: int) -> None:
        super().__init__()
        cross = unet.config.cross_attention_dim
        self.proj = nn.Linear(embedding, tokens * cross)
        self.norm = nn.LayerNorm(cross)
        self.keys, self.values = nn.ModuleDict(), nn.ModuleDict()
        for i, name in enumerate(unet.attn_processors):
            if name.endswith("attn2.processor"):
                attention = unet.get_submodule(name.removesuffix(".processor"))
                for group, source in ((self.keys, attention.to_k), (self.values, attention.to_v)):
                    layer = nn.Linear(cross, source.out_features, bias=False)
                    layer.weight.data.copy_(source.weight.data)
                    group[str(i)] = layer

    def state(self) -> dict[str, Tensor]:
        """Under the names of the released IP-Adapter files."""
        out = {f"image_proj.proj.{k}": v for k, v in self.proj.state_dict().items()}
        out |= {f"image_proj.norm.{k}": v for k, v in self.norm.state_dict().items()}
        for i in self.keys:
            out[f"ip_adapter.{i}.to_k_ip.weight"] = self.keys[i].weight
            out[f"ip_adapter.{i}.to_v_ip.weight"] = self.values[i].weight
        return {k: v.detach().half().contiguous() for k, v in out.items()}


def _load_into(unet: UNet2DConditionModel, own: ImagePrompt) -> None:
    """Let diffusers build its processors, then train their parameters in place of ours."""
    state = own.state()
    unet._load_ip_adapter_weights(
        [{
            "image_proj": {k.removeprefix("image_proj."): v for k, v in state.items() if k.startswith("image_proj.")},
            "ip_adapter": {k.removeprefix("ip_adapter."): v for k, v in state.items() if k.startswith("ip_adapter.")},
        }]
    )  # fmt: skip
    projection = unet.encoder_hid_proj.image_projection_layers[0]
    projection.image_embeds, projection.norm = own.proj, own.norm
    for i, processor in enumerate(unet.attn_processors.values()):
        if str(i) in own.keys:
            processor.to_k_ip, processor.to_v_ip = (
                nn.ModuleList([own.keys[str(i)]]),
                nn.ModuleList([own.values[str(i)]]),
            )


def train_ip_adapter(settings: dict[str, Any], data: Phantoms, pictures: Encoded, frozen: Frozen, steps: int) -> None:
    """The picture itself, turned and cropped, is the image prompt; words and picture are each left out at times."""
    unet = load_unet()
    width = int(frozen.clip.config.projection_dim)
    own = ImagePrompt(unet, width, settings["tokens"])
    _load_into(unet, own)

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        rows = pick(generator, len(data), settings["batch"])
        inputs, target, times = example(pictures, rows, frozen.noise, generator, 0.5)
        with torch.no_grad():
            words = frozen.words(prompts_of(data, rows, generator, silent=0.5))
            seen = cropped(turned(pixels(data.images[rows]), generator), generator, 0.8)
            picture = frozen.clip.get_image_features(pixel_values=seen).pooler_output
            picture = picture * (torch.rand(len(rows), 1, generator=generator) > 0.1)
        condition = {"image_embeds": [picture[:, None]]}
        return F.mse_loss(unet(inputs, times, words, added_cond_kwargs=condition).sample.float(), target)

    schedule = Schedule(steps, settings["lr"], warmup=20, handovers=tuple(settings["handovers"]))
    train("ip-adapter", own, step_loss, schedule, beside=[unet, frozen.clip])
    save_file(own.state(), ADAPTERS / "ip-adapter.safetensors")


def run(steps: int | None = None) -> None:
    """Train both LoRAs and the IP-Adapter; write ``adapters/`` with adapters.yaml."""
    settings = recipe("adapters")
    torch.manual_seed(settings["seed"])
    ADAPTERS.mkdir(parents=True, exist_ok=True)
    frozen = Frozen.load()
    least = settings["least_extent"]
    data = phantoms("train", settings["phantoms"], clear=0.05, least_extent=least)
    pictures = encoded(data, frozen.vae, "train")
    lora, ip = settings["lora"], settings["ip_adapter"]
    train_ip_adapter(ip, data, pictures, frozen, steps or ip["steps"])
    kept_out = phantoms("held_out", settings["held_out_phantoms"], label=HELD_OUT, least_extent=least)
    name = HELD_OUT.replace(" ", "-")
    own = encoded(kept_out, frozen.vae, name)
    readers = settings["readers"]
    seeing = trained([(data, pictures.photos), (kept_out, own.photos)], frozen.vae, readers, steps or readers["steps"])
    known, how = knowledge(), Sampling(**lora["sampling"])
    reward = Reward(data, frozen, seeing, as_answered(known), how)
    train_lora("all", lora, data, pictures, reward, Lesson.of(lora["all"], steps))
    anywhere = {label: wishes(kept_out, HELD_OUT) for label in known}
    reward = Reward(data, frozen, seeing, anywhere, how)
    train_lora(name, lora, kept_out, own, reward, Lesson.of(lora["held_out"], steps))
    listing = {
        "loras": [
            {"name": name, "file": f"{name}.safetensors", "labels": [HELD_OUT], "weight": 1.0},
            {"name": "all", "file": "all.safetensors", "labels": ["*"], "weight": 1.0},
        ],
        "ip_adapter": "ip-adapter.safetensors",
    }
    (ADAPTERS / "adapters.yaml").write_text(
        "# Written by `python -m pipeline train adapters`.\n" + yaml.safe_dump(listing, sort_keys=False)
    )
