"""A shipped profile's models, all of them, tiny: every role's folder or file where the profile looks for it, under the
names and in the layout of the real ones. What is changed of the profile is what a full-size model alone can bear."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from diffusers import AutoencoderTiny
from PIL import Image
from safetensors.torch import save_file

from pipeline.casebuild import build
from pipeline.casesources import sources
from pipeline.profile import PROFILES
from pipeline.retrieve import ClipEmbedder
from pipeline.weights import fingerprint
from tests.pipeline import tiny_masks, tiny_speakers, tiny_vlm
from tests.pipeline.test_generator_roles import ip_file, ip_state
from tests.pipeline.tiny_sd import CROSS, SIDE, tiny_pipeline

PACK = Path(__file__).resolve().parents[2] / "pipeline" / "packs" / "phantom"
LABELS = ("psoriasis", "urticaria")
"""What the tiny speakers say: a diagnosis and one look-alike."""
ATTENTION = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_"
STEPS = 4
"""Of few_step; a preview is made after the third."""


def write_profile(name: str, folder: Path, url: str = "") -> Path:
    """``folder``/``name``.yaml and all of its models. ``url``: of a server, for a remote role."""
    said = yaml.safe_load((PROFILES / f"{name}.yaml").read_text())
    said |= {"root": "models", "labels": str(PACK / "labels.yaml")}
    said["settings"] |= {"image_size": SIDE, "threads": 1, "box_threshold": 0.05, "case_similarity": -1.0}
    for role in said["roles"].values():
        role.pop("quantisation", None)  # bitsandbytes wants a card
        role.get("options", {}).pop("longest_side", None)
    said["roles"]["few_step"]["options"]["steps"] = STEPS
    if "remote" in said["roles"]["diagnose"]:
        said["roles"]["diagnose"]["remote"]["url"] = url
    said["roles"]["caption"]["options"] = {"tokens": 6}
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(said))
    (folder / "models").mkdir()
    for role, row in said["roles"].items():
        if "remote" not in row:
            place = folder / "models" / (row.get("path") or row["hub"].replace("/", "--"))
            writer(name, role)(place)
    return file


def writer(profile: str, role: str) -> Callable[[Path], object]:
    """What writes a role's files."""
    if (profile, role) == ("paper", "diagnose"):
        return lambda place: tiny_speakers.write_skingpt4(place.with_name("originals"), place)
    if (profile, role) == ("paper", "caption"):
        return tiny_speakers.write_blip2
    return {
        "diagnose": tiny_speakers.write_chat, "caption": tiny_vlm.write_blip, "detect": tiny_masks.write_grounding_dino,
        "segment": tiny_masks.write_sam, "clip": tiny_masks.write_clip, "generate": write_inpainting,
        "text_to_image": write_text_to_image, "adapters": write_adapters, "ip_adapter": write_ip_adapters,
        "few_step": write_lcm, "previews": write_taesd, "cases": write_cases,
    }[role]  # fmt: skip


def write_inpainting(folder: Path) -> None:
    """As stable-diffusion-v1-5/stable-diffusion-inpainting's fp16 files."""
    _stable_diffusion(folder, 9, "StableDiffusionInpaintPipeline")


def write_text_to_image(folder: Path) -> None:
    """As stable-diffusion-v1-5/stable-diffusion-v1-5's: another UNet, the same VAE."""
    _stable_diffusion(folder, 4, "StableDiffusionPipeline", seed=5)


def _stable_diffusion(folder: Path, channels: int, kind: str, seed: int = 0) -> None:
    pipe = tiny_pipeline(channels, seed)
    pipe.to(torch.float16).save_pretrained(folder, variant="fp16")
    index: dict[str, Any] = json.loads((folder / "model_index.json").read_text())
    index |= {
        "_class_name": kind, "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    }  # fmt: skip
    (folder / "model_index.json").write_text(json.dumps(index))


def _lora(seed: int, names: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """In kohya's names, which LCM-LoRA has, too."""
    g = torch.Generator().manual_seed(seed)
    out = {}
    for name in names:
        out[f"{ATTENTION}{name}.lora_down.weight"] = torch.randn(2, CROSS if name in "kv" else 8, generator=g)
        out[f"{ATTENTION}{name}.lora_up.weight"] = torch.randn(8, 2, generator=g)
        out[f"{ATTENTION}{name}.alpha"] = torch.tensor(1.0)
    return out


def write_adapters(folder: Path) -> None:
    """One LoRA for psoriasis, none for the others."""
    folder.mkdir()
    save_file(_lora(21, ("k", "q")), folder / "psoriasis.safetensors")
    row = {"name": "psoriasis", "file": "psoriasis.safetensors", "labels": ["psoriasis"], "weight": 0.8}
    (folder / "adapters.yaml").write_text(yaml.safe_dump({"loras": [row]}))


def write_ip_adapters(folder: Path) -> None:
    """As h94/IP-Adapter: the plain one and plus beside it, since `paper` fetches both into the common folder."""
    (folder / "models").mkdir(parents=True)
    unet = tiny_pipeline().unet
    ip_file(folder / "models", "ip-adapter_sd15.safetensors", ip_state(unet))
    ip_file(folder / "models", "ip-adapter-plus_sd15.safetensors", ip_state(unet, plus=True))


def write_lcm(folder: Path) -> None:
    """As latent-consistency/lcm-lora-sdv1-5."""
    folder.mkdir()
    save_file(_lora(22, ("v",)), folder / "pytorch_lora_weights.safetensors")


def write_taesd(folder: Path) -> None:
    """As madebyollin/taesd."""
    AutoencoderTiny(
        encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    ).save_pretrained(folder)  # fmt: skip


def write_cases(folder: Path) -> None:
    """By `cases build` from a folder of pictures, with the profile's own CLIP."""
    pictures = folder.with_name("pictures")
    for i, label in enumerate(LABELS * 2):
        (pictures / label).mkdir(parents=True, exist_ok=True)
        grey = np.random.default_rng(i).integers(0, 255, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(grey).save(pictures / label / f"{i}.png")
    clip = next(place for place in folder.parent.iterdir() if "CLIP" in place.name)
    build(
        sources(pictures, "CC0"),
        folder,
        ClipEmbedder.load(clip),
        lambda _: "brown skin with a plaque",
        fingerprint(clip),
        near=1.1,
    )
