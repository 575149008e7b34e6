"""The VAE of the embedded Stable Diffusion: 96 x 96 x 3 <-> 24 x 24 x 4."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional as F

from pipeline.training.data import Phantoms, phantoms
from pipeline.training.loop import Schedule, pick, pixels, train
from pipeline.training.session import Session


def build(settings: dict) -> AutoencoderKL:
    levels = len(settings["channels"])
    return AutoencoderKL(
        block_out_channels=settings["channels"],
        down_block_types=["DownEncoderBlock2D"] * levels,
        up_block_types=["UpDecoderBlock2D"] * levels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=96,
        mid_block_add_attention=False,
    )


def hues(x: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 2, H / 4, W / 4): red less green and green less blue, of areas of 4 x 4 pixels."""
    return F.avg_pool2d(x[:, :2] - x[:, 1:], 4)


def loss(vae: AutoencoderKL, x: Tensor, generator: torch.Generator, kl_weight: float) -> Tensor:
    """L1 + L2 + difference of edges + difference of colour, with a light pull of the latents towards N(0, 1).

    Skin is all one hue, so that without a term of its own the little colour that tells conditions apart is lost.
    """
    posterior = vae.encode(x).latent_dist
    z = posterior.mean + posterior.std * torch.randn(posterior.mean.shape, generator=generator)
    y = vae.decode(z).sample
    edges = sum((F.l1_loss(y.diff(dim=d), x.diff(dim=d)) for d in (2, 3)), torch.tensor(0.0))
    colour = F.l1_loss(hues(y), hues(x))
    pull = posterior.kl().mean() / x[0].numel()
    return F.l1_loss(y, x) + 2 * F.mse_loss(y, x) + edges + 5 * colour + kl_weight * pull


def piece(x: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """A square of ``side`` pixels out of (B, C, H, W): what a VAE learns is local, and small squares are quick."""
    top, left = (int(v) for v in torch.randint(x.shape[-1] - side + 1, (2,), generator=generator))
    return x[..., top : top + side, left : left + side]


def run(session: Session) -> None:
    """Train and write ``vae/``."""
    settings = session.recipe("vae")
    torch.manual_seed(settings["seed"])
    data = phantoms("train", settings["phantoms"], clear=0.05, least_extent=settings["least_extent"])
    vae = build(settings).to(memory_format=torch.channels_last)

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        x = piece(pixels(data.images[pick(generator, len(data), settings["batch"])]), settings["piece"], generator)
        return loss(vae, x.contiguous(memory_format=torch.channels_last), generator, settings["kl_weight"])

    train(session, "vae", vae, step_loss, Schedule(session.steps or settings["steps"], settings["lr"]), average=True)
    write(session.pack, vae, data)


@torch.no_grad()
def write(pack: Path, vae: AutoencoderKL, data: Phantoms) -> None:
    """Set the scaling factor so that latents have unit variance, say how exact it is, write ``vae/``."""
    pieces = [pixels(data.images[i : i + 64]) for i in range(0, min(256, len(data)), 64)]
    z = torch.cat([vae.encode(piece).latent_dist.mean for piece in pieces])
    vae.register_to_config(scaling_factor=float(1 / z.std()))
    x = pixels(phantoms("validate", 252).images)
    error = F.mse_loss(vae.decode(vae.encode(x).latent_dist.mean).sample.clamp(-1, 1), x)
    print(f"vae: {10 * torch.log10(4 / error):.1f} dB on unseen phantoms")
    vae.half().save_pretrained(pack / "stable-diffusion" / "vae", safe_serialization=True)
