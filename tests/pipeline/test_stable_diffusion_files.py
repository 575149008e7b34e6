"""Stable Diffusion in a folder of any layout and in one file of the original names: the same weights, or a reason."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.formats.errors import WeightsError
from pipeline.formats.stable_diffusion import load_stable_diffusion
from tests.pipeline.tiny_sd import SIDE, tiny_pipeline, tiny_unet

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}  # fmt: skip


def ldm_unet(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The original names (ldm/modules/diffusionmodules/openaimodel.py) of `tiny_unet`, written out for its blocks."""
    fixed = {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
             "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
             "down_blocks.0.downsamplers.0.conv": "input_blocks.3.0.op",
             "up_blocks.0.upsamplers.0.conv": "output_blocks.2.1.conv"}  # fmt: skip
    rows = {(0, 0): 1, (0, 1): 2, (1, 0): 4, (1, 1): 5}
    out = {}
    for name, value in state.items():
        stem, _, leaf = name.rpartition(".")
        if stem in fixed:
            out[f"model.diffusion_model.{fixed[stem]}.{leaf}"] = value
            continue
        found = re.fullmatch(r"(down|mid|up)_blocks?(?:\.(\d))?\.(resnets|attentions)\.(\d)\.(.+)", name)
        assert found, name
        where, block, kind, layer, rest = found.groups()
        column = 0 if kind == "resnets" else 1
        if where == "down":
            place = f"input_blocks.{rows[int(block), int(layer)]}.{column}"
        elif where == "up":
            place = f"output_blocks.{3 * int(block) + int(layer)}.{column}"
        else:
            place = "middle_block.1" if kind == "attentions" else f"middle_block.{2 * int(layer)}"
        if kind == "resnets":
            head, _, leaf = rest.partition(".")
            rest = f"{RESNET[head]}.{leaf}"
        out[f"model.diffusion_model.{place}.{rest}"] = value
    return out


def ldm_vae(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names of ldm/modules/diffusionmodules/model.py; attention as 1 x 1 convolutions, as there."""
    out = {}
    for name, value in state.items():
        new = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        new = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", new)
        new = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", new)
        new = re.sub(r"up_blocks\.(\d)\.resnets", lambda m: f"up.{1 - int(m[1])}.block", new)
        new = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{1 - int(m[1])}.upsample", new)
        new = new.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
        if "mid_block.attentions.0" in new:
            for theirs, ours in (("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out"),
                                 ("group_norm", "norm")):  # fmt: skip
                new = new.replace(f"attentions.0.{theirs}.", f"attentions.0.{ours}.")
            new = new.replace("mid_block.attentions.0", "mid.attn_1")
            value = value[..., None, None] if value.ndim == 2 else value
        out[f"first_stage_model.{new}"] = value
    return out


def written(channels: int, folder: Path) -> tuple[Path, dict[str, dict[str, Tensor]]]:
    """v1-5.safetensors in the original names, its configuration beside it; and the weights by part."""
    pipe = tiny_pipeline(channels, seed=channels)
    states = {part: getattr(pipe, part).state_dict() for part in ("unet", "vae", "text_encoder")}
    words = {f"cond_stage_model.transformer.text_model.{k}": v for k, v in states["text_encoder"].items()}
    words["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(24)[None]
    file = folder / "v1-5.safetensors"
    rest = {"alphas_cumprod": torch.zeros(1000), "model_ema.decay": torch.zeros(1)}
    tensors = {**ldm_unet(states["unet"]), **ldm_vae(states["vae"]), **words, **rest}
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, file)
    tiny_pipeline(4).save_pretrained(folder / "v1-5")  # the configuration of text-to-image, whatever the file is
    for weights in (folder / "v1-5").rglob("*.safetensors"):
        weights.unlink()
    return file, states


def assert_holds(pipe: object, states: dict[str, dict[str, Tensor]]) -> None:
    for part, state in states.items():
        found = getattr(pipe, part).state_dict()
        assert found.keys() == state.keys()
        for name, value in state.items():
            assert torch.equal(found[name], value), f"{part}.{name}"


@pytest.mark.parametrize("channels", [4, 9])
def test_one_file_in_the_original_names(tmp_path: Path, channels: int) -> None:
    file, states = written(channels, tmp_path)
    pipe = load_stable_diffusion(file)
    assert pipe.unet.config.in_channels == channels
    assert_holds(pipe, states)


@pytest.mark.parametrize("layout", ["safetensors", "bin", "fp16 alone", "sharded", "as text-to-image"])
def test_a_folder_of_any_layout(tmp_path: Path, layout: str) -> None:
    pipe = tiny_pipeline(4 if layout == "as text-to-image" else 9)
    states = {part: getattr(pipe, part).state_dict() for part in ("unet", "vae", "text_encoder")}
    if layout == "as text-to-image":
        parts = {k: v for k, v in pipe.components.items() if k != "image_encoder"}
        pipe = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    options = {
        "fp16 alone": {"variant": "fp16"},
        "bin": {"safe_serialization": False},
        "sharded": {"max_shard_size": "40KB"},
    }
    pipe.save_pretrained(tmp_path / "sd", **options.get(layout, {}))
    if layout == "sharded":
        assert len(list((tmp_path / "sd" / "unet").glob("*.safetensors"))) > 1
    assert_holds(load_stable_diffusion(tmp_path / "sd"), states)


def test_a_four_channel_unet_keeps_what_lies_outside_the_mask_at_every_step() -> None:
    """Latents outside the mask are the photo's, noised as that step has it; after the last, the photo's own."""
    pipe = tiny_pipeline(4)
    seen: list[Tensor] = []
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8))
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (0, 0, SIDE // 2, SIDE))

    def keep(_pipe: object, step: int, _time: object, values: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append(values["latents"].clone())
        return values

    noise = torch.randn(1, 4, SIDE // 2, SIDE // 2, generator=torch.Generator().manual_seed(1))
    pipe("skin", image=photo, mask_image=mask, height=SIDE, width=SIDE, num_inference_steps=3, strength=1.0,
         guidance_scale=2.0, latents=noise, generator=torch.Generator().manual_seed(2), output_type="latent",
         callback_on_step_end=keep)  # fmt: skip
    pixels = pipe.image_processor.preprocess(photo)
    own = pipe.vae.encode(pixels).latent_dist.sample(torch.Generator().manual_seed(2)) * pipe.vae.config.scaling_factor
    right = slice(SIDE // 4, None)
    times = [*pipe.scheduler.timesteps[1:], None]
    for latents, time in zip(seen, times, strict=True):
        expected = own if time is None else pipe.scheduler.add_noise(own, noise, time[None])
        assert torch.allclose(latents[..., right], expected[..., right], atol=1e-5)
        assert not torch.allclose(latents[..., : SIDE // 4], expected[..., : SIDE // 4], atol=1e-2)


# What is refused -------------------------------------------------------------------------------------


def without(file: Path, start: str) -> Path:
    state = {k: v for k, v in load_file(file).items() if not k.startswith(start)}
    save_file(state, file)
    return file


@pytest.mark.parametrize(
    ("start", "match"),
    [
        ("first_stage_model.", "vae is missing"),
        ("model.diffusion_model.middle_block.1.proj_in.weight", r"unet.mid_block.attentions.0.proj_in.weight"),
        ("first_stage_model.decoder.conv_out.bias", r"vae.decoder.conv_out.bias"),
        ("cond_stage_model.transformer.text_model.encoder.layers.1.mlp.fc1.weight", "text_encoder.*mlp.fc1.weight"),
    ],
)
def test_a_file_that_lacks_weights(tmp_path: Path, start: str, match: str) -> None:
    file, _ = written(4, tmp_path)
    with pytest.raises(WeightsError, match=match):
        load_stable_diffusion(without(file, start))


def test_a_file_without_its_configuration(tmp_path: Path) -> None:
    file, _ = written(4, tmp_path)
    shutil.rmtree(tmp_path / "v1-5")
    with pytest.raises(WeightsError, match="Put the base model's"):
        load_stable_diffusion(file)


def test_a_wrong_hash_and_a_pickle(tmp_path: Path) -> None:
    file, _ = written(4, tmp_path)
    with pytest.raises(WeightsError, match="is not the file that the profile names"):
        load_stable_diffusion(file, sha256="0" * 64)
    torch.save({"state_dict": {}}, tmp_path / "v1-5-pruned.ckpt")
    with pytest.raises(WeightsError, match="pickle"):
        load_stable_diffusion(tmp_path / "v1-5-pruned.ckpt")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("conditioner.embedders.0.transformer.x", "XL"),
        ("lora_unet_mid_block_x.lora_up.weight", "LoRA"),
    ],
)
def test_a_file_of_another_kind(tmp_path: Path, name: str, match: str) -> None:
    save_file({name: torch.zeros(1), "model.diffusion_model.out.2.bias": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match=match):
        load_stable_diffusion(tmp_path / "x.safetensors")


def test_a_folder_of_another_kind(tmp_path: Path) -> None:
    tiny_pipeline(9).save_pretrained(tmp_path / "sd")
    index = tmp_path / "sd" / "model_index.json"
    whole = index.read_text()
    index.write_text(json.dumps({**json.loads(whole), "text_encoder_2": ["transformers", "X"]}))
    with pytest.raises(WeightsError, match="XL"):
        load_stable_diffusion(tmp_path / "sd")
    index.write_text(whole)
    tiny_unet(9, cross=24).save_pretrained(tmp_path / "sd" / "unet")
    with pytest.raises(WeightsError, match="24 wide"):
        load_stable_diffusion(tmp_path / "sd")
    shutil.rmtree(tmp_path / "sd" / "vae")
    with pytest.raises(WeightsError, match="vae is missing"):
        load_stable_diffusion(tmp_path / "sd")


def test_a_folder_that_lacks_a_weight(tmp_path: Path) -> None:
    tiny_pipeline(9).save_pretrained(tmp_path / "sd")
    without(tmp_path / "sd" / "unet" / "diffusion_pytorch_model.safetensors", "conv_out.bias")
    with pytest.raises(WeightsError, match=r"unet.conv_out.bias"):
        load_stable_diffusion(tmp_path / "sd")
