"""The generator at full size's settings on tiny weights: files of every role, memory, and photos without an area."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny, HeunDiscreteScheduler, PNDMScheduler, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.adapt import AdapterManager
from pipeline.formats.errors import WeightsError
from pipeline.formats.extras import Extras, one_file, tune
from pipeline.formats.ip_adapter_files import load_ip_adapter
from pipeline.generate import Generator
from pipeline.orders import Order, Progress
from pipeline.schedule import Schedule
from pipeline.types import AdapterPlan
from tests.pipeline.tiny_sd import CROSS, SIDE, tiny_pipeline

EMBEDDING, TOKENS = 12, 5
SETTINGS = {"image_size": SIDE, "steps": 4, "guidance": 2.0, "precision": "float32"}


def ip_state(unet: Any, plus: bool = False, cross: int = CROSS) -> dict[str, dict[str, Tensor]]:
    """The authors' names (tencent-ailab/IP-Adapter): ip_adapter numbered over all processors, odd ones hold weights."""
    g = torch.Generator().manual_seed(3)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=g) * 0.3

    adapter = {}
    for number, name in enumerate(unet.attn_processors):
        if name.endswith("attn2.processor"):
            out = unet.get_submodule(name.removesuffix(".processor")).to_k.out_features
            adapter |= {f"{number}.to_k_ip.weight": random(out, cross), f"{number}.to_v_ip.weight": random(out, cross)}
    if not plus:
        projection = {"proj.weight": random(4 * cross, EMBEDDING), "proj.bias": random(4 * cross),
                      "norm.weight": torch.ones(cross), "norm.bias": torch.zeros(cross)}  # fmt: skip
    else:
        projection = {
            "latents": random(1, 4, cross), "proj_in.weight": random(cross, EMBEDDING), "proj_in.bias": random(cross),
            "proj_out.weight": random(cross, cross), "proj_out.bias": random(cross),
            "norm_out.weight": torch.ones(cross), "norm_out.bias": torch.zeros(cross),
        }  # fmt: skip
        for i in range(4):
            projection |= {f"layers.{i}.{name}": value for name, value in {
                "0.norm1.weight": torch.ones(cross), "0.norm1.bias": torch.zeros(cross),
                "0.norm2.weight": torch.ones(cross), "0.norm2.bias": torch.zeros(cross),
                "0.to_q.weight": random(64, cross), "0.to_kv.weight": random(128, cross),
                "0.to_out.weight": random(cross, 64),
                "1.0.weight": torch.ones(cross), "1.0.bias": torch.zeros(cross),
                "1.1.weight": random(4 * cross, cross), "1.3.weight": random(cross, 4 * cross)}.items()}  # fmt: skip
    return {"image_proj": projection, "ip_adapter": adapter}


def ip_file(folder: Path, name: str, state: dict[str, dict[str, Tensor]]) -> Path:
    if name.endswith(".bin"):
        torch.save(state, folder / name)
    else:
        save_file({f"{group}.{k}": v for group, rows in state.items() for k, v in rows.items()}, folder / name)
    return folder / name


def generator(channels: int = 9, file: Path | None = None, seed: int = 0) -> Generator:
    pipe = tiny_pipeline(channels, seed)
    if file is not None:
        load_ip_adapter(pipe, file)
    return Generator(pipe, AdapterManager(Path(), (), None, 0.6, 0.5), SIDE, Schedule(3, 2.0))


def order(label: str, reference: Tensor | None = None) -> Order:
    plan = AdapterPlan(label, None, 0.0, 0.0 if reference is None else 0.6, ())
    return Order(label, f"{label}, brown skin", plan, reference, len(label))


def photo(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (48, 48, 3), dtype=np.uint8))


def area() -> np.ndarray:
    mask = np.zeros((48, 48), dtype=bool)
    mask[12:36, 12:36] = True
    return mask


def drawn(generator: Generator, orders: Sequence[Order], mask: np.ndarray | None, of: int = 0) -> list[Image.Image]:
    *_, last = generator.draw(photo(of), mask, orders)
    assert isinstance(last, list)
    return last


def apart(a: Image.Image, b: Image.Image) -> float:
    return float(np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).max())


# IP-Adapter ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ip-adapter_sd15.safetensors", "ip-adapter_sd15.bin"])
@pytest.mark.parametrize("plus", [False, True])
def test_an_ip_adapter_of_either_kind_and_file(tmp_path: Path, name: str, plus: bool) -> None:
    """Loaded weights are the file's; a reference changes its own picture and not that of its neighbour."""
    state = ip_state(tiny_pipeline().unet, plus)
    ours = generator(file=ip_file(tmp_path, name, state))
    assert ours.references.used
    assert ours.references.are_tokens == plus
    key = ours.pipe.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn2.processor.to_k_ip[0].weight
    assert torch.equal(key, state["ip_adapter"]["1.to_k_ip.weight"])
    shape = (1, TOKENS, EMBEDDING) if plus else (1, EMBEDDING)
    ours.references.nothing = torch.zeros(shape) if plus else None
    a, b = (torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
    one = drawn(ours, [order("acne", a), order("lupus")], area())
    two = drawn(ours, [order("acne", b), order("lupus")], area())
    assert apart(one[0], two[0]) > 0
    assert apart(one[1], two[1]) == 0


class Harmful:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('a stranger\\'s code ran')",)


def test_what_is_no_ip_adapter_for_this_base_changes_nothing(tmp_path: Path) -> None:
    pipe = tiny_pipeline()
    torch.save({"image_proj": Harmful(), "ip_adapter": {}}, tmp_path / "harmful.bin")
    torch.save(Harmful(), tmp_path / "harmful.safetensors")
    state = ip_state(pipe.unet)
    one_less = {**state, "ip_adapter": dict(list(state["ip_adapter"].items())[2:])}
    face = {**state, "image_proj": {"proj.0.weight": torch.zeros(1)}}
    bad = {
        tmp_path / "harmful.bin": "holds more than weights",
        tmp_path / "harmful.safetensors": "pickle",
        ip_file(tmp_path, "sdxl.safetensors", ip_state(pipe.unet, cross=24)): "another base model",
        ip_file(tmp_path, "cut.safetensors", one_less): "another base model.*is missing",
        ip_file(tmp_path, "half.bin", {"image_proj": state["image_proj"]}): "no ip_adapter",
    }
    plus = ip_state(pipe.unet, plus=True)
    del plus["image_proj"]["layers.3.0.to_q.weight"]
    bad[ip_file(tmp_path, "holes.bin", plus)] = r"incomplete.*layers.3.0.to_q.weight"
    bad[ip_file(tmp_path, "face.safetensors", face)] = "another kind"
    for file, match in bad.items():
        with pytest.raises(WeightsError, match=match):
            load_ip_adapter(pipe, file)
    with pytest.raises(WeightsError, match="is not the file"):
        load_ip_adapter(pipe, ip_file(tmp_path, "good.bin", state), "0" * 64)
    assert pipe.unet.encoder_hid_proj is None


# Few steps, previews, precision ------------------------------------------------------------------------


@pytest.fixture
def everything(tmp_path: Path) -> tuple[Path, Extras]:
    """A folder of Stable Diffusion, and the optional roles' files in their formats."""
    pipe = tiny_pipeline()
    pipe.save_pretrained(tmp_path / "sd")
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    g = torch.Generator().manual_seed(4)
    lcm = {f"{name}.lora_down.weight": torch.randn(2, CROSS, generator=g), f"{name}.alpha": torch.tensor(1.0),
           f"{name}.lora_up.weight": torch.randn(8, 2, generator=g)}  # fmt: skip
    save_file(lcm, tmp_path / "lcm.safetensors")
    AutoencoderTiny(
        encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    ).save_pretrained(tmp_path / "taesd")  # fmt: skip
    ip = ip_file(tmp_path, "ip.safetensors", ip_state(pipe.unet))
    return tmp_path, Extras(ip, tmp_path / "lcm.safetensors", tmp_path / "taesd")


@pytest.mark.parametrize(
    ("scheduler", "kind"),
    [("lcm", "LCMScheduler"), ("hyper-sd", "DDIMScheduler"), ("tcd", "TCDScheduler"), (None, "DDIMScheduler")],
)
def test_a_few_step_lora_and_its_scheduler(everything: tuple[Path, Extras], scheduler: str | None, kind: str) -> None:
    folder, extras = everything
    none = AdapterManager(folder, (), None, 0.6, 0.5)
    plain = tiny_pipeline().unet.down_blocks[0].attentions[0].transformer_blocks[0].attn2.to_k.weight
    ours = Generator.load(folder / "sd", none, {**SETTINGS, "scheduler": scheduler, "few_step_weight": 0.5}, extras)
    assert ours.scheduler_name == kind
    if scheduler == "hyper-sd":
        assert ours.pipe.scheduler.config.timestep_spacing == "trailing"
    worn = ours.pipe.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn2.to_k.weight
    lcm = load_file(extras.few_step or "")
    down, up = (next(v for k, v in lcm.items() if f"lora_{way}" in k) for way in ("down", "up"))
    assert (worn - plain - 0.5 * 1 / 2 * up @ down).abs().max() < 1e-6
    pictures = drawn(ours, [order("acne", torch.ones(1, EMBEDDING)), order("lupus")], area())
    assert [p.size for p in pictures] == [(48, 48)] * 2
    with pytest.raises(ValueError, match="'quick'"):
        Generator.load(folder / "sd", none, {**SETTINGS, "scheduler": "quick"}, Extras())


def test_previews_come_from_taesd(everything: tuple[Path, Extras]) -> None:
    """It decodes the latents at full size; the VAE, at half."""
    folder, extras = everything
    none = AdapterManager(folder, (), None, 0.6, 0.5)
    sizes = {}
    for name, chosen in (("taesd", extras), ("vae", Extras())):
        news = Generator.load(folder / "sd", none, SETTINGS, chosen).draw(photo(), None, [order("acne")])
        sizes[name] = {p.size for n in news if isinstance(n, Progress) for p in n.previews}
    assert sizes == {"taesd": {(SIDE, SIDE)}, "vae": {(SIDE // 2, SIDE // 2)}}


def test_half_precision_weights_draw(everything: tuple[Path, Extras]) -> None:
    folder, extras = everything
    half = Extras(extras.ip_adapter, extras.few_step, extras.previews, dtype=torch.bfloat16)
    none = AdapterManager(folder, (), None, 0.6, 0.5)
    for settings in ({**SETTINGS, "guidance_until": 0.5}, {**SETTINGS, "scheduler": "lcm", "guidance": 1.0}):
        ours = Generator.load(folder / "sd", none, settings, half)
        assert (ours.precision, ours.pipe.unet.dtype) == ("bfloat16", torch.bfloat16)
        full = Generator.load(folder / "sd", none, settings, extras)
        orders = [order("acne", torch.ones(1, EMBEDDING)), order("lupus")]
        for a, b in zip(drawn(ours, orders, area()), drawn(full, orders, area()), strict=True):
            assert np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).mean() < 6


@pytest.mark.parametrize("settings", [{"channels_last": True}, {"attention_slicing": "on"}])
def test_what_saves_time_or_memory_changes_no_picture(tmp_path: Path, settings: dict[str, Any]) -> None:
    file = ip_file(tmp_path, "ip.safetensors", ip_state(tiny_pipeline().unet))
    orders = [order("acne", torch.ones(1, EMBEDDING)), order("lupus")]
    plain, tuned = generator(file=file), generator(file=file)
    tune(tuned.pipe, settings, Extras())
    for a, b in zip(drawn(plain, orders, area()), drawn(tuned, orders, area()), strict=True):
        assert apart(a, b) <= 1
    processors = {type(p).__name__ for p in tuned.pipe.unet.attn_processors.values()}
    assert any("IPAdapter" in name for name in processors), "slicing leaves the IP-Adapter on"
    with pytest.raises(WeightsError, match="'maybe'"):
        tune(tuned.pipe, {"attention_slicing": "maybe"}, Extras())


def test_one_file_is_found_or_asked_for(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    only = tmp_path / "models" / "a.safetensors"
    only.touch()
    assert one_file(tmp_path, None) == one_file(only, None) == one_file(tmp_path, "models/a.safetensors") == only
    (tmp_path / "models" / "b.bin").touch()
    with pytest.raises(WeightsError, match=r"a.safetensors, models/b.bin; say which"):
        one_file(tmp_path, None)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:diffusers")
@pytest.mark.parametrize(("kind", "taken"), [(PNDMScheduler, 4), (HeunDiscreteScheduler, 5)])
def test_progress_counts_the_steps_that_the_scheduler_takes(kind: Any, taken: int) -> None:
    """More than it was asked for, here 3; one after another over batches, and up to the last."""
    ours = generator()
    options = {"skip_prk_steps": True} if kind is PNDMScheduler else {}
    ours.pipe.scheduler = kind.from_config(ours.pipe.scheduler.config, **options)
    ours._batches.most = 1
    batches: list[int] = []
    ours.pipe.unet.register_forward_pre_hook(lambda _unet, args: batches.append(len(args[0])))
    for until, guided in ((1.0, taken), (0.5, round(taken / 2))):
        ours.schedule = Schedule(3, 2.0, until)
        *news, last = ours.draw(photo(), area(), [order("acne"), order("lupus")])
        assert isinstance(last, list)
        assert [(n.step, n.steps) for n in news if isinstance(n, Progress)] == [
            (i, 2 * taken) for i in range(1, 2 * taken + 1)
        ]
        assert batches == ([2] * guided + [1] * (taken - guided)) * 2, "guided is the share of the steps that it takes"
        batches.clear()


# Memory ------------------------------------------------------------------------------------------------


def limited(ours: Generator, most: int) -> list[int]:
    """A UNet that holds ``most`` inputs at once and raises torch's own error above; the sizes that it was given."""
    asked: list[int] = []

    def look(_unet: Any, args: Any) -> None:
        asked.append(len(args[0]))
        if len(args[0]) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")

    ours.pipe.unet.register_forward_pre_hook(look)
    return asked


def test_out_of_memory_halves_the_batch_and_says_so() -> None:
    orders = [order(label) for label in ("acne", "lupus", "psoriasis", "vitiligo")]
    expected = drawn(generator(), orders, area())
    ours = generator()
    asked = limited(ours, 4)  # two pictures, guided
    *news, last = ours.draw(photo(), area(), orders)
    assert isinstance(last, list)
    assert asked == [8, 4, 4, 4, 4, 4, 4]
    assert ours.remarks == ["the memory did not hold 4 pictures at once: 2 at a time were drawn"]
    assert all(apart(a, b) <= 1 for a, b in zip(last, expected, strict=True)), "each under its own label"
    assert [(n.step, n.steps) for n in news if isinstance(n, Progress)] == [(i, 6) for i in range(1, 7)]
    asked.clear()
    drawn(ours, orders, area())
    assert asked == [4] * 6, "the next answer does not try again"
    assert ours.remarks == []


def test_progress_does_not_step_back_where_the_memory_ends_at_the_last_step() -> None:
    """As it does where the finished latents are decoded: what was drawn till then was work, too."""
    ours = generator()
    decode, asked = ours.pipe.vae.decode, list[int]()

    def only_one(latents: Tensor, *args: Any, **more: Any) -> Any:
        asked.append(len(latents))
        if len(latents) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(latents, *args, **more)

    ours.pipe.vae.decode, ours.preview_every = only_one, None
    *news, last = ours.draw(photo(), area(), [order("acne"), order("lupus")])
    assert (asked, len(last)) == ([2, 1, 1], 2)  # type: ignore[arg-type]
    assert [(n.step, n.steps) for n in news if isinstance(n, Progress)] == [
        *((i, 3) for i in (1, 2, 3)), *((i, 9) for i in range(4, 10)),
    ]  # fmt: skip


def test_one_picture_that_does_not_fit_is_tried_in_slices_and_then_an_error() -> None:
    ours = generator()
    asked = limited(ours, 1)
    with pytest.raises(torch.OutOfMemoryError):
        drawn(ours, [order("acne"), order("lupus")], area())
    assert asked == [4, 2, 2]
    assert [remark.split(":")[1] for remark in ours.remarks] == [
        " 1 at a time were drawn",
        " attention was computed in slices",
    ]


# No area -----------------------------------------------------------------------------------------------


def test_without_an_area_a_four_channel_unet_draws_text_to_image() -> None:
    ours, theirs = generator(4), tiny_pipeline(4)
    plain = StableDiffusionPipeline(
        **{k: v for k, v in theirs.components.items() if k != "image_encoder"}, requires_safety_checker=False
    )
    plain.set_progress_bar_config(disable=True)
    chosen = [order("acne"), order("psoriasis")]
    for picture, one in zip(drawn(ours, chosen, None), chosen, strict=True):
        expected = plain(
            one.prompt, num_inference_steps=3, guidance_scale=2.0, height=SIDE, width=SIDE,
            generator=torch.Generator().manual_seed(one.seed),
        ).images[0]  # fmt: skip
        assert picture.size == (SIDE, SIDE)
        assert apart(picture, expected) <= 1


@pytest.mark.parametrize("channels", [4, 9])
def test_without_an_area_nothing_of_the_photo_is_used(channels: int) -> None:
    ours = generator(channels)
    one, other = drawn(ours, [order("acne")], None, of=0), drawn(ours, [order("acne")], None, of=1)
    assert one[0].tobytes() == other[0].tobytes()
    assert (
        drawn(ours, [order("acne")], area(), of=0)[0].tobytes()
        != drawn(ours, [order("acne")], area(), of=1)[0].tobytes()
    )


def test_without_an_area_the_role_text_to_image_draws_and_says_so(tmp_path: Path) -> None:
    """Its own UNet, and one VAE for both: the two Stable Diffusions were given the same one."""
    ours, other = generator(9), generator(4, seed=5)
    alone = [picture.tobytes() for picture in drawn(generator(4, seed=5), [order("acne")], None)]
    before = [picture.tobytes() for picture in drawn(ours, [order("acne")], area())]
    ours.draws_without_area(other)
    assert other.pipe.vae is ours.pipe.vae
    assert [picture.tobytes() for picture in drawn(ours, [order("acne")], None)] == alone
    assert ours.remarks == ["without an affected area the role text_to_image drew the pictures"]
    assert [picture.tobytes() for picture in drawn(ours, [order("acne")], area())] == before
    assert ours.remarks == []
    another = generator(4)
    next(another.pipe.vae.parameters()).data += 1
    ours.draws_without_area(another)
    assert another.pipe.vae is not ours.pipe.vae, "a fine-tuned one stays"
