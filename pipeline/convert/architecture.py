"""What the converted model is: sizes that no file of the originals states, and transformers' configuration of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transformers import Blip2Config

LN_VISION_EPS = 1e-5
"""The originals' `ln_vision` is a LayerNorm with torch's default; transformers gives it the vision blocks' 1e-6, and
its configuration cannot say otherwise: `skingpt4.load_converted` sets it after loading."""


@dataclass(frozen=True)
class Architecture:
    """The image side; the language model's sizes are in its own config.json."""

    width: int
    layers: int
    heads: int
    mlp: int
    patch: int
    image_size: int
    q_width: int
    q_layers: int
    q_heads: int
    q_mlp: int
    cross_every: int
    """Of so many Q-Former layers one reads the image."""
    queries: int


SKINGPT4 = Architecture(
    width=1408,
    layers=39,
    heads=16,
    mlp=6144,
    patch=14,
    image_size=224,
    q_width=768,
    q_layers=12,
    q_heads=12,
    q_mlp=3072,
    cross_every=2,
    queries=32,
)
"""EVA ViT-g without its last block (eva_vit.py, create_eva_vit_g: 1408 // 88 heads, mlp_ratio 4.3637) and a Q-Former
of bert-base-uncased's sizes with 32 queries (minigpt4.py, init_Qformer)."""


def target_config(sizes: Architecture, text_config: dict[str, Any], image_token: int) -> Blip2Config:
    """``text_config``: the language model's config.json; its vocabulary grows where ``image_token`` lies beyond it."""
    text = {**text_config, "vocab_size": max(int(text_config["vocab_size"]), image_token + 1)}
    return Blip2Config(
        vision_config={
            "hidden_size": sizes.width,
            "intermediate_size": sizes.mlp,
            "num_hidden_layers": sizes.layers,
            "num_attention_heads": sizes.heads,
            "patch_size": sizes.patch,
            "image_size": sizes.image_size,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-6,
            "qkv_bias": True,
        },
        qformer_config={
            "hidden_size": sizes.q_width,
            "intermediate_size": sizes.q_mlp,
            "num_hidden_layers": sizes.q_layers,
            "num_attention_heads": sizes.q_heads,
            "cross_attention_frequency": sizes.cross_every,
            "encoder_hidden_size": sizes.width,
            "layer_norm_eps": 1e-12,
        },
        text_config=text,
        num_query_tokens=sizes.queries,
        image_token_index=image_token,
    )
