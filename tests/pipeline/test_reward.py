"""Drawing with a gradient is drawing as the product draws; readers and wishes are what they say."""

from __future__ import annotations

import random

import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
from diffusers.models.attention_processor import AttnProcessor

from pipeline.phantom import HELD_OUT, LABELS
from pipeline.profile import load_profile
from pipeline.schedule import Schedule
from pipeline.training.data import CONCEPTS, Phantoms, phantoms
from pipeline.training.readers import NAMES, Readers, examples
from pipeline.training.reward import Reward, as_answered, canvas_of, laid_in, sample, wishes
from pipeline.training.session import SHIPPED
from pipeline.training.unet import STABLE_DIFFUSION, Frozen, sampler

GUIDED = Schedule(steps=4, guidance=2.0)


@pytest.fixture(scope="module")
def frozen() -> Frozen:
    return Frozen.load(SHIPPED)


@pytest.fixture(scope="module")
def pipe() -> StableDiffusionInpaintPipeline:
    pipe = StableDiffusionInpaintPipeline.from_pretrained(SHIPPED / STABLE_DIFFUSION, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    pipe.unet.set_attn_processor(AttnProcessor())
    pipe.unet.requires_grad_(False)
    return pipe


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Phantoms:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.training.data.CACHE", tmp_path_factory.mktemp("phantoms"))
        return phantoms("validate", 16, least_extent=0.45)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_a_sample_is_what_the_library_draws(
    frozen: Frozen, pipe: StableDiffusionInpaintPipeline, data: Phantoms
) -> None:
    canvas = canvas_of(data, [2], frozen, generator())
    with torch.no_grad():
        words, nothing = frozen.words(["psoriasis"]), frozen.words([""])
        steps = sampler(frozen.noise)
        steps.set_timesteps(4)
        ours = sample(pipe.unet, steps, canvas, words, nothing, GUIDED, 0, generator())
    noise = torch.randn(canvas.kept.shape, generator=generator())
    theirs = pipe(
        prompt_embeds=words, negative_prompt_embeds=nothing, image=(canvas.photos + 1) / 2, mask_image=canvas.area,
        height=96, width=96, num_inference_steps=4, strength=1.0, guidance_scale=2.0, latents=noise,
        masked_image_latents=canvas.kept, output_type="latent",
    ).images  # fmt: skip
    torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=1e-3)
    drawn = laid_in(ours, canvas, frozen)
    outside = (canvas.area == 0).expand_as(drawn)
    assert torch.equal(drawn[outside], canvas.photos[outside])
    assert not torch.allclose(drawn[~outside], canvas.photos[~outside], atol=0.1)


def test_the_reward_reaches_the_weights_through_the_sampler_and_can_be_raised(
    frozen: Frozen, pipe: StableDiffusionInpaintPipeline, data: Phantoms
) -> None:
    readers = Readers.begin(SHIPPED)
    readers.loss(torch.zeros(1, 3, 96, 96), torch.zeros(1, dtype=torch.long), torch.ones(1, dtype=torch.long))
    readers.eval().requires_grad_(False)
    known = {k.label: k for k in load_profile("phantom").knowledge}
    reward = Reward(data, frozen, readers, as_answered(known), Schedule(steps=2, guidance=1.0))
    weight = pipe.unet.conv_out.weight
    before = weight.detach().clone()
    weight.requires_grad_(True)
    first = reward.loss(pipe.unet, 2, generator())
    first.backward()
    assert weight.grad is not None
    assert weight.grad.abs().max() > 0
    with torch.no_grad():
        weight -= 1e-3 * weight.grad / weight.grad.norm()
        second = reward.loss(pipe.unet, 2, generator())
        weight.copy_(before)
    weight.requires_grad_(False)
    assert second < first


def test_wishes_are_the_answer_that_the_product_draws() -> None:
    known = {k.label: k for k in load_profile("phantom").knowledge}
    asked = as_answered(known)
    for label, about in known.items():
        assert [wish.label for wish in asked[label]] == [label, *about.look_alikes]
    assert asked["psoriasis"][0].on(4).startswith("psoriasis, ")


def test_the_kept_out_condition_is_asked_for_with_its_own_signs(data: Phantoms) -> None:
    for wish, row in zip(wishes(data, HELD_OUT), data.concepts, strict=True):
        assert wish.label == HELD_OUT
        assert wish.concepts == tuple(c for c, there in zip(CONCEPTS, row, strict=True) if there)


def test_examples_for_readers_name_every_condition_and_clear_skin(frozen: Frozen, data: Phantoms) -> None:
    rows = random.Random(1).sample(range(16), 6)
    latents = torch.zeros(16, 4, 24, 24)
    x, conditions, skin_types = examples(data, latents, rows, frozen.vae, generator())
    assert x.shape == (6, 3, 96, 96)
    assert float(x.abs().max()) <= 1
    assert [NAMES[c] for c in conditions] == [data.condition(i) for i in rows]
    assert skin_types.tolist() == data.skin_types[rows].tolist()
    assert (*LABELS, HELD_OUT) == NAMES
