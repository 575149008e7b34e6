"""LoRA files in the names that diffusers, peft and kohya's scripts write, against a delta computed by hand."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.formats.errors import WeightsError
from pipeline.formats.lora_files import read_lora
from pipeline.formats.lora_layers import add_for_good, put_on
from pipeline.fuse import FusedLoras
from pipeline.weights import sha256_of
from tests.pipeline.tiny_sd import CROSS, tiny_pipeline, tiny_words

ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
KOHYA_UNET = {
    # name in the file -> name in the model, size of the file's down and up
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k": (ATTENTION, (4, CROSS), (8, 4)),
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0": (
        "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0", (4, 8), (8, 4)),
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_ff_net_0_proj": (
        "down_blocks.0.attentions.0.transformer_blocks.0.ff.net.0.proj", (4, 8), (64, 4)),
    "lora_unet_down_blocks_0_attentions_0_proj_in": (
        "down_blocks.0.attentions.0.proj_in", (4, 8, 1, 1), (8, 4, 1, 1)),
    "lora_unet_down_blocks_0_resnets_0_conv1": (
        "down_blocks.0.resnets.0.conv1", (4, 8, 3, 3), (8, 4, 1, 1)),
    "lora_unet_mid_block_resnets_0_time_emb_proj": ("mid_block.resnets.0.time_emb_proj", (2, 32), (16, 2)),
}  # fmt: skip
KOHYA_TEXT = {
    "lora_te_text_model_encoder_layers_0_self_attn_q_proj": ("encoder.layers.0.self_attn.q_proj", (4, CROSS), (16, 4)),
    "lora_te_text_model_encoder_layers_1_mlp_fc1": ("encoder.layers.1.mlp.fc1", (4, CROSS), (32, 4)),
}
ALPHA = 3.0


@pytest.fixture
def pipe() -> StableDiffusionInpaintPipeline:
    return tiny_pipeline()


def kohya_tensors(dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    seeded = torch.Generator().manual_seed(5)
    out = {}
    for name, (_, down, up) in {**KOHYA_UNET, **KOHYA_TEXT}.items():
        out[f"{name}.lora_down.weight"] = torch.randn(down, generator=seeded).to(dtype)
        out[f"{name}.lora_up.weight"] = torch.randn(up, generator=seeded).to(dtype)
        out[f"{name}.alpha"] = torch.tensor(ALPHA)
    return out


def expected_kohya(tensors: dict[str, Tensor]) -> dict[tuple[str, str], Tensor]:
    """By hand: alpha / rank x up x down; for a convolution, over its 3 x 3 positions."""
    out = {}
    for names, part in ((KOHYA_UNET, "unet"), (KOHYA_TEXT, "text_encoder")):
        for name, (layer, _, _) in names.items():
            down, up = tensors[f"{name}.lora_down.weight"].float(), tensors[f"{name}.lora_up.weight"].float()
            product = torch.einsum("orxy,rihw->oihw", up, down) if down.ndim == 4 else up @ down
            out[part, layer] = ALPHA / len(down) * product
    return out


def weights_of(pipe: Any) -> dict[tuple[str, str], Tensor]:
    """Every weight under the name it has without peft's layers around it."""
    return {
        (part, name.replace(".base_layer", "").removesuffix(".weight")): value.clone()
        for part in ("unet", "text_encoder")
        for name, value in getattr(pipe, part).state_dict().items()
        if "lora_" not in name and name.endswith("weight")
    }


def gained(pipe: Any, file: Path, weight: float = 1.0) -> dict[tuple[str, str], Tensor]:
    """Put on, fused: what every weight that changed has gained."""
    before = weights_of(pipe)
    put_on(pipe, {"lora": read_lora(file)})
    fused = FusedLoras(pipe)
    assert all(torch.equal(before[k], v) for k, v in weights_of(pipe).items()), "nothing is worn before it is asked"
    fused.wear("lora", weight)
    after = weights_of(pipe)
    fused.wear(None, 0.0)
    assert all(torch.equal(before[k], v) for k, v in weights_of(pipe).items()), "taken off without a trace"
    assert before.keys() == after.keys()
    return {k: after[k] - before[k] for k in before if not torch.equal(before[k], after[k])}


def assert_same(found: dict[tuple[str, str], Tensor], expected: dict[tuple[str, str], Tensor], within: float) -> None:
    assert found.keys() == expected.keys()
    for name, delta in expected.items():
        assert delta.abs().max() > 0.1, "a delta that could be missed proves nothing"
        assert (found[name] - delta).abs().max() < within, name


@pytest.mark.parametrize("weight", [1.0, 0.7])
def test_kohya_in_unet_and_text_encoder(pipe: StableDiffusionInpaintPipeline, tmp_path: Path, weight: float) -> None:
    """Alpha 3 at ranks 4 and 2: any mistake in the scale would be seen. In float64, so that 1e-6 is not rounding."""
    pipe.unet.double()
    pipe.text_encoder.double()
    tensors = kohya_tensors()
    save_file(tensors, tmp_path / "kohya.safetensors")
    found = gained(pipe, tmp_path / "kohya.safetensors", weight)
    assert_same(found, {k: weight * v.double() for k, v in expected_kohya(tensors).items()}, 1e-6)


def test_kohya_in_half_precision_and_float32_weights(pipe: StableDiffusionInpaintPipeline, tmp_path: Path) -> None:
    tensors = kohya_tensors(torch.float16)
    save_file(tensors, tmp_path / "kohya.safetensors")
    assert_same(gained(pipe, tmp_path / "kohya.safetensors"), expected_kohya(tensors), 5e-6)


def test_a_lora_that_is_always_worn_gains_the_same(pipe: StableDiffusionInpaintPipeline, tmp_path: Path) -> None:
    """Few-step LoRAs are added for good, before the others are put on."""
    tensors = kohya_tensors()
    save_file(tensors, tmp_path / "kohya.safetensors")
    before = weights_of(pipe)
    add_for_good(pipe, read_lora(tmp_path / "kohya.safetensors"), 0.5)
    after = weights_of(pipe)
    changed = {k: after[k] - before[k] for k in before if not torch.equal(before[k], after[k])}
    assert_same(changed, {k: 0.5 * v for k, v in expected_kohya(tensors).items()}, 5e-6)


def test_without_alpha_it_is_the_rank(pipe: StableDiffusionInpaintPipeline, tmp_path: Path) -> None:
    tensors = {k: v for k, v in kohya_tensors().items() if not k.endswith(".alpha")}
    save_file(tensors, tmp_path / "kohya.safetensors")
    found = gained(pipe, tmp_path / "kohya.safetensors")
    name = next(iter(KOHYA_UNET))
    by_hand = tensors[f"{name}.lora_up.weight"] @ tensors[f"{name}.lora_down.weight"]
    assert (found["unet", ATTENTION] - by_hand).abs().max() < 5e-6


def simple(seed: int = 7) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """down and up of a UNet layer, then of a text encoder's."""
    g = torch.Generator().manual_seed(seed)
    return (torch.randn(4, CROSS, generator=g), torch.randn(8, 4, generator=g),
            torch.randn(4, CROSS, generator=g), torch.randn(16, 4, generator=g))  # fmt: skip


DIFFUSERS_NAMES = {
    "today, peft's suffixes": (
        f"unet.{ATTENTION}.lora_A.weight", f"unet.{ATTENTION}.lora_B.weight",
        "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight",
        "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_B.weight"),
    "2023": (
        f"unet.{ATTENTION}.lora.down.weight", f"unet.{ATTENTION}.lora.up.weight",
        "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.down.weight",
        "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.up.weight"),
    "early 2023, in the processors": (
        f"unet.{ATTENTION.replace('.to_k', '.processor.to_k')}_lora.down.weight",
        f"unet.{ATTENTION.replace('.to_k', '.processor.to_k')}_lora.up.weight",
        "text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora.down.weight",
        "text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora.up.weight"),
}  # fmt: skip


@pytest.mark.parametrize("names", DIFFUSERS_NAMES.values(), ids=DIFFUSERS_NAMES.keys())
@pytest.mark.parametrize("alpha", [None, 6.0])
def test_diffusers_files_of_every_age(
    pipe: StableDiffusionInpaintPipeline, tmp_path: Path, names: tuple[str, ...], alpha: float | None
) -> None:
    """With the header that diffusers writes (alpha 6 of rank 4), and without one (alpha = rank)."""
    about = {"r": 4, "lora_alpha": alpha, "alpha_pattern": {}, "use_rslora": False}
    header = {f"{part}.{k}": v for part in ("unet", "text_encoder") for k, v in about.items()}
    metadata = {"lora_adapter_metadata": json.dumps(header)} if alpha else None
    tensors = simple()
    save_file(dict(zip(names, tensors, strict=True)), tmp_path / "lora.safetensors", metadata=metadata)
    scale = (alpha or 4.0) / 4
    expected = {
        ("unet", ATTENTION): scale * tensors[1] @ tensors[0],
        ("text_encoder", "encoder.layers.0.self_attn.q_proj"): scale * tensors[3] @ tensors[2],
    }
    assert_same(gained(pipe, tmp_path / "lora.safetensors"), expected, 5e-6)


def test_what_diffusers_itself_saves(pipe: StableDiffusionInpaintPipeline, tmp_path: Path) -> None:
    """Written by save_lora_weights with a rank and an alpha of its own for one layer, read here, compared by peft."""
    pipe.unet.add_adapter(
        LoraConfig(r=4, lora_alpha=6, target_modules=["to_k", "conv1"], rank_pattern={"conv1": 2},
                   alpha_pattern={"conv1": 5}, init_lora_weights=False),
        "trained",
    )  # fmt: skip
    state = get_peft_model_state_dict(pipe.unet, adapter_name="trained")
    metadata = pipe.unet.peft_config["trained"].to_dict()
    StableDiffusionInpaintPipeline.save_lora_weights(
        tmp_path, unet_lora_layers=state, weight_name="x.safetensors", unet_lora_adapter_metadata=metadata
    )
    theirs = {
        ("unet", name): module.get_delta_weight("trained")
        for name, module in pipe.unet.named_modules()
        if hasattr(module, "get_delta_weight")
    }
    assert len(theirs) > 10
    found = gained(tiny_pipeline(), tmp_path / "x.safetensors")
    assert found.keys() == theirs.keys()
    assert max((found[k] - theirs[k]).abs().max() for k in theirs) < 5e-6


@pytest.mark.parametrize("rslora", [False, True])
def test_a_folder_of_peft(pipe: StableDiffusionInpaintPipeline, tmp_path: Path, rslora: bool) -> None:
    """As `save_pretrained` of a PeftModel leaves it: alpha is in adapter_config.json alone."""
    config = LoraConfig(
        r=4, lora_alpha=6, target_modules=["q_proj", "fc2"], use_rslora=rslora, init_lora_weights=False,
    )  # fmt: skip
    trained = get_peft_model(tiny_words(), config)
    trained.save_pretrained(tmp_path / "text_encoder")
    state = load_file(tmp_path / "text_encoder" / "adapter_model.safetensors")
    scale = 6 / (2 if rslora else 4)
    expected = {}
    for name, down in state.items():
        if "lora_A" in name:
            layer = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight").removeprefix("text_model.")
            expected["text_encoder", layer] = scale * state[name.replace("lora_A", "lora_B")] @ down
    assert len(expected) == 4
    found = gained(pipe, tmp_path / "text_encoder")
    assert found.keys() == expected.keys()
    assert max((found[k] - expected[k]).abs().max() for k in expected) < 5e-6


# What is refused -------------------------------------------------------------------------------------


class Harmful:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('a stranger\\'s code ran')",)


def refused(pipe: Any, tensors: dict[str, Tensor], folder: Path, match: str, **metadata: str) -> None:
    """The message fits, and no model has changed: with a good file before it, too."""
    save_file(kohya_tensors(), folder / "good.safetensors")
    save_file(tensors, folder / "bad.safetensors", metadata=metadata)
    before = weights_of(pipe)
    with pytest.raises(WeightsError, match=match):
        put_on(pipe, {n: read_lora(folder / f"{n}.safetensors") for n in ("good", "bad")})
    assert not hasattr(pipe.unet, "peft_config"), "half loaded"
    after = weights_of(pipe)
    assert before.keys() == after.keys()
    assert all(torch.equal(weight, after[name]) for name, weight in before.items())


def test_a_wrong_hash(tmp_path: Path) -> None:
    file = tmp_path / "kohya.safetensors"
    save_file(kohya_tensors(), file)
    assert read_lora(file, sha256_of(file).upper()).parts
    with pytest.raises(WeightsError, match="is not the file that the profile names"):
        read_lora(file, "0" * 64)


@pytest.mark.parametrize("name", ["lora.bin", "lora.safetensors"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_not_opened_whatever_its_name(tmp_path: Path, name: str, zipped: bool) -> None:
    if zipped:
        torch.save(Harmful(), tmp_path / name)
    else:
        (tmp_path / name).write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(WeightsError, match="pickle"):
        read_lora(tmp_path / name)


def test_a_file_cut_off_or_missing(tmp_path: Path) -> None:
    save_file(kohya_tensors(), tmp_path / "whole.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:-100])
    (tmp_path / "noise.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b"x" * 64)
    for name in ("cut", "noise"):
        with pytest.raises(WeightsError, match="fetch it again"):
            read_lora(tmp_path / f"{name}.safetensors")
    with pytest.raises(WeightsError, match="no such file"):
        read_lora(tmp_path / "nowhere.safetensors")


def test_up_without_down(pipe: StableDiffusionInpaintPipeline, tmp_path: Path) -> None:
    tensors = kohya_tensors()
    del tensors[f"{next(iter(KOHYA_UNET))}.lora_down.weight"]
    refused(pipe, tensors, tmp_path, "incomplete.*attn2_to_k")


def test_another_base_model_by_size(pipe: StableDiffusionInpaintPipeline, tmp_path: Path) -> None:
    """As a LoRA of Stable Diffusion 2, whose text embeddings are wider. The file says so itself."""
    tensors = kohya_tensors()
    name = next(iter(KOHYA_UNET))
    tensors[f"{name}.lora_down.weight"] = torch.zeros(4, CROSS + 8)
    refused(pipe, tensors, tmp_path, r"1 of its 8 layers.*\(8, 24\).*'sd_v2'", ss_base_model_version="sd_v2")


def test_another_base_model_by_name(pipe: StableDiffusionInpaintPipeline, tmp_path: Path) -> None:
    tensors = {f"lora_unet_down_blocks_3_x.{w}": torch.zeros(4, 4) for w in ("lora_down.weight", "lora_up.weight")}
    refused(pipe, tensors, tmp_path, "has no layer down_blocks_3_x")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight", "XL"),
        ("lora_unet_input_blocks_4_1_proj_in.lora_up.weight", "XL"),
        ("transformer.x_embedder.lora_A.weight", "transformer"),
        ("lora_unet_mid_block_x.hada_w1_a", "LoHa"),
        ("lora_unet_mid_block_x.dora_scale", "DoRA"),
        ("model.diffusion_model.out.2.weight", "not a LoRA"),
        ("base_model.model.mid_block.x.lora_A.weight", "adapter_config.json"),
    ],
)
def test_what_is_something_else_is_named(
    pipe: StableDiffusionInpaintPipeline, tmp_path: Path, name: str, match: str
) -> None:
    refused(pipe, {name: torch.zeros(4, 4)}, tmp_path, match)


def test_a_name_with_a_dot(pipe: StableDiffusionInpaintPipeline, tmp_path: Path) -> None:
    save_file(kohya_tensors(), tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match="dot"):
        put_on(pipe, {"v1.5": read_lora(tmp_path / "x.safetensors")})
