"""The VAE once more, on whole pictures: what two encoders of the pack see in a photo they shall see after decoding.

`vae` learns from small squares and counts every pixel alike, so that it saves on what is small and rare: the horny
surface of a seborrheic keratosis and its brown. Here lesions count more, and the layers of CLIP and of SkinGPT's ViT
are compared (Johnson et al. 2016, "Perceptual Losses"; Stable Diffusion's own VAE was trained with LPIPS, which is
the same with other encoders). The judge has no part in it.
"""

from __future__ import annotations

import copy

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.training.augment import turned
from pipeline.training.data import phantoms
from pipeline.training.loop import Schedule, pick, pixels, train
from pipeline.training.readers import encoders
from pipeline.training.session import Session
from pipeline.training.unet import load_vae
from pipeline.training.vae import hues, write


class Seen(nn.Module):
    """How differently two pictures are seen by frozen encoders."""

    def __init__(self, towers: tuple[nn.Module, ...]) -> None:
        super().__init__()
        self.towers = nn.ModuleList(towers).eval().requires_grad_(False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean over encoders, layers and places of the squared distance between directions, 0 to 4.

        x, y: (B, 3, H, W), -1 to 1; gradients reach ``y`` alone
        """
        apart = []
        for tower in self.towers:
            with torch.no_grad():
                wanted = self._layers(tower, x)
            apart += [(a - b).square().sum(-1).mean() for a, b in zip(wanted, self._layers(tower, y), strict=True)]
        return torch.stack(apart).mean()

    @staticmethod
    def _layers(tower: nn.Module, x: Tensor) -> list[Tensor]:
        states = tower(x, output_hidden_states=True).hidden_states[1:]
        return [F.normalize(state.float(), dim=-1) for state in states]


def weights(masks: Tensor, lesion: float) -> Tensor:
    """(B, H, W) bool -> (B, 1, H, W), mean 1: a pixel on or beside a lesion counts ``lesion`` times as much."""
    near = F.max_pool2d(masks[:, None].float(), 7, 1, 3)
    weight = 1 + (lesion - 1) * near
    return weight / weight.mean()


def difference(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """As `vae.loss` has it, weighted: L1, L2, edges and, at the scale of a lesion's surface, colour."""
    edges = sum(((y - x).diff(dim=d).abs() * weight.narrow(d, 1, x.shape[d] - 1)).mean() for d in (2, 3))
    colour = ((hues(y) - hues(x)).abs() * F.avg_pool2d(weight, 4)).mean()
    return ((y - x).abs() * weight).mean() + 2 * ((y - x).square() * weight).mean() + edges + 5 * colour


def run(session: Session) -> None:
    """Train on from ``vae/`` and write it again; latents stay near those that it began with, and of unit variance."""
    settings = session.recipe("vae_whole")
    torch.manual_seed(settings["seed"])
    data = phantoms("train", settings["phantoms"], clear=0.05, least_extent=settings["least_extent"])
    before = load_vae(session.pack)
    vae: AutoencoderKL = copy.deepcopy(before).requires_grad_(True).to(memory_format=torch.channels_last)
    seen = Seen(encoders(session.pack))

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        rows = pick(generator, len(data), settings["batch"])
        masks = torch.as_tensor(data.masks[rows])
        together = turned(torch.cat([pixels(data.images[rows]), weights(masks, settings["lesion"])], 1), generator)
        x, weight = together[:, :3].contiguous(memory_format=torch.channels_last), together[:, 3:]
        posterior = vae.encode(x).latent_dist
        y = vae.decode(posterior.mean + posterior.std * torch.randn(posterior.mean.shape, generator=generator)).sample
        with torch.no_grad():
            was = before.encode(x).latent_dist.mean
        moved = F.mse_loss(posterior.mean.float(), was.float())
        pull = posterior.kl().mean() / x[0].numel()
        return (
            difference(x, y.float(), weight)
            + settings["seen_weight"] * seen(x, y.float())
            + settings["kl_weight"] * pull
            + settings["near_weight"] * moved
        )

    train(
        session,
        "vae-whole",
        vae,
        step_loss,
        Schedule(session.steps or settings["steps"], settings["lr"], save_every=100),
        True,
        [before, seen],
    )
    write(session.pack, vae, data)
