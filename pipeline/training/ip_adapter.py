"""The IP-Adapter of the embedded Stable Diffusion (paper, section 3.2), in the format of the released files."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.training.augment import cropped, turned
from pipeline.training.data import Phantoms, phantoms
from pipeline.training.encoded import Encoded, encoded
from pipeline.training.loop import Schedule, pick, pixels, train
from pipeline.training.session import Session
from pipeline.training.unet import Frozen, example, load_unet, prompts_of


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


def train_adapter(
    session: Session, settings: dict[str, Any], data: Phantoms, pictures: Encoded, frozen: Frozen
) -> None:
    """The picture itself, turned and cropped, is the image prompt; words and picture are each left out at times."""
    unet = load_unet(session.pack)
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

    schedule = Schedule(
        session.steps or settings["steps"], settings["lr"], warmup=20, handover_every=settings["handover_every"]
    )
    train(session, "ip-adapter", own, step_loss, schedule, beside=[unet, frozen.clip])
    folder = session.pack / "adapters"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(own.state(), folder / "ip-adapter.safetensors")


def run(session: Session) -> None:
    """Train and write ``adapters/ip-adapter.safetensors``."""
    settings = session.recipe("ip_adapter")
    torch.manual_seed(settings["seed"])
    frozen = Frozen.load(session.pack)
    data = phantoms("train", settings["phantoms"], clear=0.05, least_extent=settings["least_extent"])
    train_adapter(session, settings, data, encoded(session, data, frozen.vae), frozen)
