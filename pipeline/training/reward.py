"""A LoRA taught by what its finished pictures show: gradients go back through the sampler itself.

The noise-prediction loss asks for a likely picture, not for one in which the condition can be recognised after eight
steps. So a picture is drawn on a photo as the product draws it, models of this pack say which condition they see, and
their cross entropy is differentiated through the last steps of the sampler (AlignProp, Prabhudesai et al. 2023; a
random number of steps, as there; weights of a LoRA, as there). Two readers of different kinds look at it, at pictures
changed at random, since one alone is soon shown what only it takes for the condition. The judge has no part in this.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from diffusers import DPMSolverMultistepScheduler, UNet2DConditionModel
from torch import Tensor
from torch.nn import functional as F

from pipeline.phantom.words import caption_of
from pipeline.profile import Knowledge
from pipeline.schedule import Schedule as Sampling
from pipeline.training.augment import cropped, lit, turned
from pipeline.training.data import CONCEPTS, Phantoms
from pipeline.training.encoded import latents, painted_area
from pipeline.training.loop import pixels
from pipeline.training.readers import NAMES, Readers
from pipeline.training.text import PROMPT
from pipeline.training.unet import Frozen, sampler


@dataclass(frozen=True)
class Canvas:
    """Photos and where on them is drawn."""

    photos: Tensor
    """(B, 3, H, W), -1 to 1"""
    area: Tensor
    """(B, 1, H, W), 0 or 1"""
    kept: Tensor
    """(B, 4, h, w): latents of the photos without the area"""

    @property
    def known(self) -> Tensor:
        """(B, 5, h, w): what the UNet gets beside the noisy latents."""
        return torch.cat([F.interpolate(self.area, self.kept.shape[-2:]), self.kept], 1)


@dataclass(frozen=True)
class Wish:
    """A condition to draw, with its signs."""

    label: str
    concepts: tuple[str, ...]

    def on(self, skin_type: int) -> str:
        """The prompt, as the product asks for a condition on somebody's skin."""
        return PROMPT.format(label=self.label, caption=caption_of(skin_type, self.concepts))


def as_answered(knowledge: Mapping[str, Knowledge]) -> dict[str, tuple[Wish, ...]]:
    """Of each photo its own condition and the look-alikes, as the product draws them."""
    wishes = {label: Wish(label, about.concepts) for label, about in knowledge.items()}
    return {
        label: (wishes[label], *(wishes[other] for other in about.look_alikes)) for label, about in knowledge.items()
    }


def wishes(data: Phantoms, label: str) -> tuple[Wish, ...]:
    """For ``label`` with the signs of each phantom of ``data``: a condition that the knowledge does not list."""
    return tuple(
        Wish(label, tuple(c for c, there in zip(CONCEPTS, row, strict=True) if there)) for row in data.concepts
    )


def canvas_of(data: Phantoms, rows: Sequence[int], frozen: Frozen, generator: torch.Generator) -> Canvas:
    photos = pixels(data.images[list(rows)])
    area = painted_area(torch.as_tensor(data.masks[list(rows)]), generator, 0.05)
    with torch.no_grad():
        return Canvas(photos, area, latents(frozen.vae, photos * (area < 0.5)))


def sample(
    unet: UNet2DConditionModel, steps: DPMSolverMultistepScheduler, canvas: Canvas, words: Tensor, nothing: Tensor,
    how: Sampling, learnt: int, generator: torch.Generator,
) -> Tensor:  # fmt: skip
    """Latents (B, 4, h, w) from noise, guided as in the product; the last ``learnt`` steps keep their gradient.

    words: (B, tokens, dim); nothing: (1, tokens, dim), of the empty prompt
    """
    x = torch.randn(canvas.kept.shape, generator=generator)
    known, both = canvas.known, torch.cat([nothing.expand_as(words), words])
    for i, time in enumerate(steps.timesteps):
        with torch.set_grad_enabled(i >= how.steps - learnt):
            inputs = torch.cat([x, known], 1)
            if i < how.guided:
                free, asked = unet(inputs.repeat(2, 1, 1, 1), time, both).sample.float().chunk(2)
                said = free + how.guidance * (asked - free)
            else:
                said = unet(inputs, time, words).sample.float()
            x = steps.step(said, time, x).prev_sample
    return x


def laid_in(x: Tensor, canvas: Canvas, frozen: Frozen) -> Tensor:
    """Latents -> photos (B, 3, H, W) with what was drawn inside the area."""
    drawn = frozen.vae.decode(x / frozen.vae.config.scaling_factor).sample.float()
    return drawn.clamp(-1, 1) * canvas.area + canvas.photos * (1 - canvas.area)


def looked_at(x: Tensor, generator: torch.Generator) -> Tensor:
    """Turned, cropped, lit and blurred a little: what holds for one rendering alone is no sign of a condition."""
    x = lit(cropped(turned(x, generator), generator, 0.85), generator)
    coarse = F.avg_pool2d(F.pad(x, (1,) * 4, mode="replicate"), 3, 1)
    return torch.lerp(x, coarse, float(torch.rand(1, generator=generator)) * 0.7)


class Reward:
    """The loss of pictures drawn on one set of phantoms. It holds what does not change between steps."""

    def __init__(
        self, data: Phantoms, frozen: Frozen, readers: Readers, asked: Mapping[str, tuple[Wish, ...]], how: Sampling
    ) -> None:
        """asked: a photo's condition -> what is asked for in its place, each as often as it stands there"""
        self.data, self.frozen, self.readers, self.asked, self.how = data, frozen, readers, asked, how
        self.rows = [i for i in range(len(data)) if data.condition(i) in asked]
        with torch.no_grad():
            self.nothing = frozen.words([""])

    def loss(self, unet: UNet2DConditionModel, n: int, generator: torch.Generator) -> Tensor:
        """Of ``n`` pictures, each of the condition that is asked for on the skin type of its photo."""
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        rows = rng.sample(self.rows, n)
        wishes = [rng.choice(self.asked[str(self.data.condition(row))]) for row in rows]
        tones = torch.as_tensor(self.data.skin_types[rows])
        canvas = canvas_of(self.data, rows, self.frozen, generator)
        with torch.no_grad():
            words = self.frozen.words([wish.on(int(t)) for wish, t in zip(wishes, tones, strict=True)])
        steps = sampler(self.frozen.noise)
        steps.set_timesteps(self.how.steps)
        learnt = rng.randrange(1, self.how.steps + 1)
        x = sample(unet, steps, canvas, words, self.nothing, self.how, learnt, generator)
        target = torch.tensor([NAMES.index(wish.label) for wish in wishes])
        return self.readers.loss(looked_at(laid_in(x, canvas, self.frozen), generator), target, tones)
