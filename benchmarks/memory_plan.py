"""What the paper's models need at work beyond their weights, on the meta device: `python -m benchmarks.memory_plan`.

Each model is built at full size without memory and run once; every tensor that an operation makes is counted from its
making until nothing holds it any more, and the largest sum is printed. Fused attention, which every current graphics
card has, keeps no scores and is counted so; attention that a model writes out (SAM, GroundingDINO) is counted with its
scores. Not in it: what an allocator keeps, a kernel's own scratch, CUDA's context. Keys and values of the language
model are in it. The numbers stand in `working` of pipeline/profiles/*.yaml and in docs/models.md.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import diffusers
import torch
import transformers
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pipeline.convert.architecture import SKINGPT4, target_config

HALF = torch.float16
WORDS = 1000
"""Tokens of a long conversation with SkinGPT-4, the picture's 32 among them"""


class Living(TorchDispatchMode):
    """Bytes of the storages that operations made and that are still held; ``peak``: the most at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor) and tensor.untyped_storage()._cdata not in before:
                self._count(tensor.untyped_storage())
        return out

    def _count(self, storage: Any) -> None:
        if storage in self._known:
            return
        self._known.add(storage)
        size = storage.nbytes()
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._freed, size)

    def _freed(self, size: int) -> None:
        self.now -= size


def _fused(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
    return query.new_empty((*query.shape[:-1], value.shape[-1]))


@contextmanager
def fused_attention() -> Iterator[None]:
    with patch.object(nn.functional, "scaled_dot_product_attention", _fused):
        yield


def working(model: nn.Module, run: Callable[[nn.Module], Any]) -> float:
    """Bytes beyond weights and inputs at the worst moment of ``run``."""
    with torch.inference_mode(), torch.device("meta"), fused_attention(), Living() as living:
        kept = run(model.eval())
    del kept
    return living.peak


def skingpt4() -> float:
    text = transformers.LlamaConfig(
        vocab_size=32000, hidden_size=5120, intermediate_size=13824, num_hidden_layers=40, num_attention_heads=40
    )
    config = target_config(SKINGPT4, text.to_dict(), image_token=32000)
    with torch.device("meta"):
        model = transformers.Blip2ForConditionalGeneration(config).to(HALF)
    pixels = torch.empty(1, 3, 224, 224, dtype=HALF, device="meta")
    vectors = torch.empty(1, WORDS, 5120, dtype=HALF, device="meta")
    seen = working(model, lambda m: m.vision_model(pixels))  # the Q-Former works on 32 queries
    said = working(model, lambda m: m.language_model(inputs_embeds=vectors, use_cache=True, logits_to_keep=1))
    return max(seen, said)


def unet(pictures: int = 4) -> float:
    with torch.device("meta"):
        model = diffusers.UNet2DConditionModel(
            sample_size=64, in_channels=9, cross_attention_dim=768, attention_head_dim=8
        ).to(HALF)
    latents = torch.empty(2 * pictures, 9, 64, 64, dtype=HALF, device="meta")  # twice: with and without the prompt
    words = torch.empty(2 * pictures, 77, 768, dtype=HALF, device="meta")
    return working(model, lambda m: m(latents, torch.ones((), device="meta"), encoder_hidden_states=words))


def stable_diffusion_vae() -> diffusers.AutoencoderKL:
    """Stable Diffusion 1.5's, on whichever device is torch's default."""
    return diffusers.AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    )


def vae(pictures: int = 4) -> float:
    with torch.device("meta"):
        model = stable_diffusion_vae().to(HALF)
    latents = torch.empty(pictures, 4, 64, 64, dtype=HALF, device="meta")
    return working(model, lambda m: m.decode(latents))


def sam() -> float:
    with torch.device("meta"):
        model = transformers.SamModel(transformers.SamConfig())
    pixels = torch.empty(1, 3, 1024, 1024, device="meta")
    return working(model, lambda m: m.get_image_embeddings(pixels))


def grounding_dino() -> float:
    """The image side (Swin-T) at 800 x 1066 pixels, its usual size; the rest works on 900 queries."""
    config = transformers.GroundingDinoConfig(disable_custom_kernels=True)
    with torch.device("meta"):
        model = transformers.GroundingDinoForObjectDetection(config)
    pixels = torch.empty(1, 3, 800, 1066, device="meta")
    mask = torch.ones(1, 800, 1066, dtype=torch.bool, device="meta")
    return working(model, lambda m: m.model.backbone(pixels, mask))


def vit_h() -> float:
    config = transformers.CLIPVisionConfig(
        hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=16, patch_size=14,
        projection_dim=1024,
    )  # fmt: skip
    with torch.device("meta"):
        model = transformers.CLIPVisionModelWithProjection(config).to(HALF)
    pixels = torch.empty(4, 3, 224, 224, dtype=HALF, device="meta")
    return working(model, lambda m: m(pixels))


PARTS: dict[str, Callable[[], float]] = {
    "SD 1.5 UNet, 4 pictures of 512 pixels, guided": unet,
    "SD 1.5 VAE, decoding them at once": vae,
    "SAM ViT-b, 1024 pixels, float32": sam,
    "GroundingDINO tiny, 800 x 1066 pixels, float32": grounding_dino,
    "CLIP ViT-H, 4 pictures": vit_h,
    f"SkinGPT-4, {WORDS} tokens": skingpt4,
}


def main() -> None:
    for name, measure in PARTS.items():
        print(f"{name:48} {measure() / 1e9:6.2f} GB", flush=True)


if __name__ == "__main__":
    main()
