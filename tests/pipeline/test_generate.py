"""The generator on the embedded weights: what is shared and left out for speed changes no picture it must not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image
from torch import Tensor

from benchmarks.plain_loop import PlainLoop
from pipeline.adapt import AdapterManager
from pipeline.frame import frame_around
from pipeline.fuse import FusedLoras
from pipeline.generate import Generator
from pipeline.orders import DrawingFailed, Order, Progress, seed_of
from pipeline.phantom import Phantom
from pipeline.profile import load_profile
from pipeline.schedule import Schedule, bfloat16_pays, precision_of
from pipeline.types import AdapterPlan

SHORT = Schedule(steps=4, guidance=2.5)


@pytest.fixture(scope="module")
def loaded() -> Generator:
    profile = load_profile("phantom")
    s = profile.settings
    adapters = AdapterManager.load(profile.folder("adapters"), s["ip_adapter_scale"], s["case_similarity"])
    return Generator.load(profile.folder("generate"), adapters, s)


@pytest.fixture
def generator(loaded: Generator) -> Iterator[Generator]:
    """Four guided steps in float32; what a test changes is put back."""
    before = loaded.schedule, loaded.precision
    loaded.schedule, loaded.precision = SHORT, "float32"
    yield loaded
    loaded.schedule, loaded.precision = before


def order(generator: Generator, label: str, scale: float = 0.4, lora: int | None = 0) -> Order:
    """Of a label, with a made-up reference when there is a scale; ``lora``: which of the pack's, or none."""
    width = generator.references.width
    reference = torch.randn(1, width, generator=torch.Generator().manual_seed(seed_of(3, label))) if scale else None
    name = None if lora is None else generator.adapters.loras[lora].name
    plan = AdapterPlan(label, name, 1.0 if name else 0.0, scale, ("C",) if scale else ())
    return Order(label, f"{label}, brown skin with redness", plan, reference, seed_of(5, label))


def photo_of(phantom: Phantom) -> Image.Image:
    return Image.fromarray(phantom.image)


def pictures(generator: Generator, phantom: Phantom, orders: Sequence[Order]) -> list[Image.Image]:
    *_, last = generator.draw(photo_of(phantom), phantom.mask, orders)
    assert isinstance(last, list)
    return last


def apart(a: Image.Image, b: Image.Image, phantom: Phantom) -> float:
    """Mean absolute difference of 255 levels, inside the area that is drawn."""
    area = frame_around(phantom.mask).area
    return float(np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float))[area].mean())


def test_each_picture_is_what_the_plain_pipeline_draws(generator: Generator, psoriasis: Phantom) -> None:
    """One batch, a fused LoRA, shared latents and prompts, and an order without reference: the same pictures."""
    orders = [order(generator, "psoriasis"), order(generator, "vitiligo", scale=0), order(generator, "lupus")]
    plain = PlainLoop(load_profile("phantom"), SHORT)
    expected = plain.draw(photo_of(psoriasis), psoriasis.mask, orders)
    for ours, theirs in zip(pictures(generator, psoriasis, orders), expected, strict=True):
        assert apart(ours, theirs, psoriasis) < 0.5
        assert apart(ours, photo_of(psoriasis), psoriasis) > 2, "something was drawn"


def test_an_order_without_reference_gets_nothing_of_the_ip_adapter(generator: Generator, psoriasis: Phantom) -> None:
    bare, with_reference = order(generator, "vitiligo", scale=0), order(generator, "psoriasis")
    alone = pictures(generator, psoriasis, [bare])[0]
    beside = pictures(generator, psoriasis, [with_reference, bare])[1]
    scaled = pictures(generator, psoriasis, [order(generator, "vitiligo", scale=1.0)])[0]
    assert apart(alone, beside, psoriasis) < 0.1 < apart(alone, scaled, psoriasis)


def test_the_same_orders_give_the_same_pictures_bit_for_bit(generator: Generator, psoriasis: Phantom) -> None:
    generator.schedule, generator.precision = replace(SHORT, guidance_until=0.5), precision_of("auto")
    orders = [order(generator, "psoriasis"), order(generator, "vitiligo")]
    first = pictures(generator, psoriasis, orders)
    pictures(generator, psoriasis, [order(generator, "psoriasis", lora=None)])  # another adapter set in between
    again = pictures(generator, psoriasis, orders)
    assert [a.tobytes() for a in first] == [b.tobytes() for b in again]


def weights(pipe: StableDiffusionInpaintPipeline) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in pipe.unet.state_dict().items() if "lora_" not in k}


def test_changing_loras_leaves_no_trace(loaded: Generator) -> None:
    fused = FusedLoras(loaded.pipe)
    name = loaded.adapters.loras[0].name
    fused.wear(None, 0.0)
    loaded._loras.wear(None, 0.0)
    before = weights(loaded.pipe)
    for weight in (1.0, 0.3, 0.7, 1.0):
        loaded._loras.wear(name, weight)
        worn = weights(loaded.pipe)
        assert any(not torch.equal(before[k], worn[k]) for k in before), "a LoRA changes something"
        loaded._loras.wear(None, 0.0)
    after = weights(loaded.pipe)
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_unguided_steps_cost_half(generator: Generator, psoriasis: Phantom) -> None:
    batches: list[int] = []
    hook = generator.pipe.unet.register_forward_pre_hook(lambda _unet, args: batches.append(len(args[0])))
    try:
        for until, expected in ((1.0, [4, 4, 4, 4]), (0.5, [4, 4, 2, 2]), (0.0, [2, 2, 2, 2])):
            generator.schedule = replace(SHORT, guidance_until=until)
            pictures(generator, psoriasis, [order(generator, "psoriasis"), order(generator, "vitiligo", scale=0)])
            assert batches == expected
            batches.clear()
    finally:
        hook.remove()


def test_bfloat16_draws_the_same(generator: Generator, psoriasis: Phantom) -> None:
    orders = [order(generator, "psoriasis")]
    exact = pictures(generator, psoriasis, orders)[0]
    generator.precision = "bfloat16"
    assert apart(exact, pictures(generator, psoriasis, orders)[0], psoriasis) < 2


def test_progress_and_previews_change_the_area_only(generator: Generator, psoriasis: Phantom) -> None:
    orders = [order(generator, "psoriasis"), order(generator, "vitiligo", lora=None)]
    news = [n for n in generator.draw(photo_of(psoriasis), psoriasis.mask, orders) if isinstance(n, Progress)]
    assert [(n.step, n.steps) for n in news] == [(i, 8) for i in range(1, 9)], "two adapter sets of four steps"
    previews = [n.previews for n in news if n.previews]
    assert [len(p) for p in previews] == [2, 2]
    outside = ~frame_around(psoriasis.mask).area
    for picture in previews[-1]:
        assert np.array_equal(np.asarray(picture)[outside], psoriasis.image[outside])
        assert not np.array_equal(np.asarray(picture), psoriasis.image)


def test_closing_stops_at_the_next_step_and_the_next_answer_is_whole(generator: Generator, psoriasis: Phantom) -> None:
    steps: list[int] = []
    orders = [order(generator, "psoriasis")]
    expected = pictures(generator, psoriasis, orders)
    hook = generator.pipe.unet.register_forward_pre_hook(lambda _unet, args: steps.append(len(args[0])))
    try:
        news = generator.draw(photo_of(psoriasis), psoriasis.mask, orders)
        next(news)
        news.close()  # type: ignore[attr-defined]
    finally:
        hook.remove()
    assert len(steps) < SHORT.steps
    assert pictures(generator, psoriasis, orders)[0].tobytes() == expected[0].tobytes()


@pytest.mark.parametrize("x", [np.full((8, 8, 3), np.nan), np.full((8, 8, 3), 0.5)])
def test_what_is_no_picture_is_not_shown(x: np.ndarray) -> None:
    with pytest.raises(DrawingFailed, match="acne"):
        Generator._checked("acne", x.astype(np.float32))


def test_a_failure_on_the_way_reaches_the_reader(generator: Generator, psoriasis: Phantom) -> None:
    wrong = replace(order(generator, "psoriasis"), reference=torch.zeros(1, 3))
    with pytest.raises(RuntimeError):
        pictures(generator, psoriasis, [wrong])


def test_seeds_differ_by_label_and_do_not_change() -> None:
    assert seed_of(1, "psoriasis") != seed_of(1, "vitiligo")
    assert seed_of(1, "psoriasis") != seed_of(2, "psoriasis")
    assert seed_of(1, "psoriasis") == 139761101103175


@pytest.mark.parametrize(
    ("able", "chosen"), [({"avx512_bf16": True}, "float32"), ({"amx_bf16": True}, "bfloat16"), ({}, "float32")]
)
def test_bfloat16_is_chosen_where_the_processor_is_faster_in_it(
    able: dict[str, bool], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    bfloat16_pays.cache_clear()
    assert precision_of("auto") == chosen
    bfloat16_pays.cache_clear()


def test_a_wrong_precision_is_named() -> None:
    assert precision_of("float32") == "float32"
    with pytest.raises(ValueError, match="'half'"):
        precision_of("half")
