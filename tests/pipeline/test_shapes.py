"""The real models at full size, on the meta device: no weight is allocated, every published number is checked.

Each configuration is the one its authors published; each expected number names its source, and is compared at the
precision at which the source gives it. Numbers without a source are not here.
"""

from __future__ import annotations

from collections.abc import Callable

import diffusers
import pytest
import torch
import transformers
from torch import nn

from pipeline.convert.architecture import SKINGPT4, target_config

LLAMA_13B = {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40, "num_attention_heads": 40}
"""LLaMA paper (arXiv 2302.13971), Table 2: dimension 5120, 40 heads, 40 layers; 13824 is the published config.json's.
Vicuna-13B and Llama-2-13B (arXiv 2307.09288, appendix) have the same shape; Vicuna's authors give theirs as a
difference ("delta") to LLaMA-13B, which needs equal shapes."""
LLAMA_7B = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32}
"""LLaMA paper, Table 2: dimension 4096, 32 heads, 32 layers."""


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        model = build()
    # GroundingDINO computes a grid for the biases of its deformable attention: the only values there are
    assert sum(p.numel() for p in model.parameters() if not p.is_meta) < 10_000
    return model


def millions(model: nn.Module) -> float:
    return sum(p.numel() for p in model.parameters()) / 1e6


def llama(**shape: int) -> transformers.LlamaConfig:
    return transformers.LlamaConfig(vocab_size=32000, **shape)


@pytest.fixture(scope="module")
def skingpt4() -> nn.Module:
    """The converter's own target for Vicuna-13B / Llama-2-13B, so that what is counted is what is written."""
    config = target_config(SKINGPT4, llama(**LLAMA_13B).to_dict(), image_token=32000)
    return on_meta(lambda: transformers.Blip2ForConditionalGeneration(config))


def test_eva_vit_g_has_the_published_parameters(skingpt4: nn.Module) -> None:
    """open_clip docs/model_profile.csv: EVA01-g-14's image tower has 1012.59 M parameters, with 40 blocks and a head.

    BLIP-2 and MiniGPT-4 take 39 blocks and no head (eva_vit.py: depth=39, embed_dim=1408, mlp_ratio=4.3637), and
    transformers stores the keys' zero bias, which the original does not have.
    """
    vision = skingpt4.vision_model
    assert len(vision.encoder.layers) == 39
    assert vision.encoder.layers[0].mlp.fc1.weight.shape == (6144, 1408) == (int(1408 * 4.3637), 1408)
    key_bias = 1408 / 1e6
    block = millions(vision.encoder.layers[0]) - key_bias
    head = (1408 * 1024 + 1024) / 1e6
    assert round(millions(vision) - 39 * key_bias + block + head, 2) == 1012.59


def test_image_side_has_the_published_parameters(skingpt4: nn.Module) -> None:
    """BLIP-2 (arXiv 2301.12597, Table 1): ViT-g with OPT-2.7B has 107 M trainable parameters: Q-Former, queries and
    the projection to OPT's 2560. Model listings of blip2-opt-2.7b count 3.74 B in all (a secondary source).
    """
    queries = skingpt4.query_tokens.numel() / 1e6
    trainable = millions(skingpt4.qformer) + queries + (768 * 2560 + 2560) / 1e6
    assert int(trainable) == 107
    opt = transformers.OPTConfig(
        vocab_size=50272, hidden_size=2560, ffn_dim=10240, num_hidden_layers=32, num_attention_heads=32
    )
    language = on_meta(lambda: transformers.OPTModel(opt))  # its output layer is tied: counted once
    assert round((millions(skingpt4.vision_model) + trainable + millions(language)) / 1000, 2) == 3.74


def test_qformer_reads_the_image_in_every_other_layer(skingpt4: nn.Module) -> None:
    """MiniGPT-4's init_Qformer: bert-base, cross attention every 2nd layer, 32 queries; EVA's width 1408 as keys."""
    layers = skingpt4.qformer.encoder.layer
    assert [hasattr(layer, "crossattention") for layer in layers] == [True, False] * 6
    assert layers[0].crossattention.attention.key.weight.shape == (768, 1408)
    assert skingpt4.query_tokens.shape == (1, 32, 768)
    assert skingpt4.language_projection.weight.shape == (5120, 768)


@pytest.mark.parametrize(("shape", "billions"), [(LLAMA_13B, 13.0), (LLAMA_7B, 6.7)], ids=["13B", "7B"])
def test_llama_has_the_published_parameters(shape: dict[str, int], billions: float) -> None:
    """LLaMA paper, Table 2: 13.0 B and 6.7 B."""
    model = on_meta(lambda: transformers.LlamaForCausalLM(llama(**shape)))
    assert round(millions(model) / 1000, 1) == billions


@pytest.mark.parametrize(("channels", "expected"), [(4, 859.52), (9, 859.54)], ids=["text-to-image", "inpainting"])
def test_sd15_unet_has_the_published_parameters(channels: int, expected: float) -> None:
    """What the original code prints on loading v1 ("DiffusionWrapper has 859.52 M params.") and v1 inpainting
    ("LatentInpaintDiffusion ... DiffusionWrapper has 859.54 M params."); configuration: SD 1.5's unet/config.json.
    """
    unet = on_meta(
        lambda: diffusers.UNet2DConditionModel(
            sample_size=64, in_channels=channels, cross_attention_dim=768, attention_head_dim=8
        )
    )
    assert round(millions(unet), 2) == expected
    assert unet.conv_in.weight.shape == (320, channels, 3, 3)
    if channels == 4:
        _ip_adapter_has_22_million(unet)


def _ip_adapter_has_22_million(unet: nn.Module) -> None:
    """IP-Adapter (arXiv 2308.06721, abstract): 22 M parameters: keys and values of the image for every cross attention,
    and the projection of ViT-H's 1024 to 4 tokens of 768 with a layer norm."""
    cross = [m for name, m in unet.named_modules() if name.endswith("attn2")]
    assert len(cross) == 16
    keys_and_values = sum(2 * m.to_k.weight.numel() for m in cross)
    assert round((keys_and_values + 1024 * 4 * 768 + 4 * 768 + 2 * 768) / 1e6) == 22


def test_sd_vae_has_the_published_parameters() -> None:
    """Lightning's table of a Stable Diffusion training run: "first_stage_model | AutoencoderKL | 83.7 M"
    (DiffEIC, issue 24); configuration: SD 1.5's vae/config.json."""
    vae = on_meta(
        lambda: diffusers.AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            latent_channels=4,
        )
    )
    assert round(millions(vae), 1) == 83.7


def test_clip_text_encoder_has_the_published_parameters() -> None:
    """open_clip docs/model_profile.csv: ViT-L-14's text tower has 123.65 M, of which SD leaves out the projection."""
    config = transformers.CLIPTextConfig(
        vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
    )
    text = on_meta(lambda: transformers.CLIPTextModel(config))
    assert round(millions(text) + 768 * 768 / 1e6, 2) == 123.65


def test_ip_adapters_image_encoder_has_the_published_parameters() -> None:
    """open_clip docs/model_profile.csv: ViT-H-14's image tower has 632.08 M."""
    config = transformers.CLIPVisionConfig(
        hidden_size=1280,
        intermediate_size=5120,
        num_hidden_layers=32,
        num_attention_heads=16,
        patch_size=14,
        projection_dim=1024,
    )
    image = on_meta(lambda: transformers.CLIPVisionModelWithProjection(config))
    assert round(millions(image), 2) == 632.08


def test_sam_vit_b_has_the_published_parameters() -> None:
    """MedSAM's training script notes 93,735,472 parameters for the whole vit_b; transformers holds the random
    position matrix (2 x 128), a buffer there, as a parameter."""
    sam = on_meta(lambda: transformers.SamModel(transformers.SamConfig()))
    assert sum(p.numel() for p in sam.parameters()) == 93_735_472 + 2 * 128


def test_grounding_dino_tiny_has_the_published_parameters() -> None:
    """Grounding DINO (arXiv 2303.05499, appendix on efficiency): 172 M with Swin-T; transformers' defaults are its."""
    config = transformers.GroundingDinoConfig(disable_custom_kernels=True)
    assert round(millions(on_meta(lambda: transformers.GroundingDinoForObjectDetection(config)))) == 172
