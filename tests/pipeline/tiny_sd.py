"""A Stable Diffusion of a few thousand random weights with the real one's blocks and names."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInpaintPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

CROSS, SIDE = 16, 32
"""Width of the text embeddings; pixels of a picture."""


def tiny_unet(channels: int = 9, seed: int = 0, cross: int = CROSS) -> UNet2DConditionModel:
    """SD 1.x's order of blocks; 1 x 1 convolutions around the transformers, as there."""
    torch.manual_seed(seed)
    return UNet2DConditionModel(
        sample_size=SIDE // 2, in_channels=channels, out_channels=4, layers_per_block=2, block_out_channels=(8, 16),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=cross, attention_head_dim=2, norm_num_groups=4,
    ).eval()  # fmt: skip


def tiny_vae(seed: int = 1) -> AutoencoderKL:
    torch.manual_seed(seed)
    return AutoencoderKL(
        block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4, norm_num_groups=4, sample_size=SIDE,
    ).eval()  # fmt: skip


def tiny_words(seed: int = 2) -> CLIPTextModel:
    torch.manual_seed(seed)
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=600, hidden_size=CROSS, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=24, projection_dim=CROSS, bos_token_id=512, eos_token_id=513, pad_token_id=513,
        )
    ).eval()  # fmt: skip


def tiny_tokenizer() -> CLIPTokenizer:
    """Bytes, and bytes that end a word, as CLIP has them; no merges."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = list(bytes_to_unicode().values())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=24)


def tiny_pipeline(channels: int = 9, seed: int = 0) -> StableDiffusionInpaintPipeline:
    """Inpainting, with the 9-channel UNet or the 4-channel one of text-to-image."""
    pipe = StableDiffusionInpaintPipeline(
        vae=tiny_vae(), text_encoder=tiny_words(), tokenizer=tiny_tokenizer(), unet=tiny_unet(channels, seed),
        scheduler=DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
                                set_alpha_to_one=False, steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    return pipe
