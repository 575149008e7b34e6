"""Which tensor of the originals becomes which of transformers' `Blip2ForConditionalGeneration`, and what is left out.

Nothing is skipped silently: a name is mapped here, left out here with the reason, or an error where it is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BLOCK = r"visual_encoder\.blocks\.(\d+)\."
_QLAYER = r"Qformer\.bert\.encoder\.layer\.(\d+)\."
_WB = r"(weight|bias)"

MAPPED: tuple[tuple[str, str], ...] = (
    (r"visual_encoder\.cls_token", r"vision_model.embeddings.class_embedding"),
    (r"visual_encoder\.pos_embed", r"vision_model.embeddings.position_embedding"),
    (rf"visual_encoder\.patch_embed\.proj\.{_WB}", r"vision_model.embeddings.patch_embedding.\1"),
    (rf"{_BLOCK}norm([12])\.{_WB}", r"vision_model.encoder.layers.\1.layer_norm\2.\3"),
    (rf"{_BLOCK}attn\.qkv\.weight", r"vision_model.encoder.layers.\1.self_attn.qkv.weight"),
    (rf"{_BLOCK}attn\.proj\.{_WB}", r"vision_model.encoder.layers.\1.self_attn.projection.\2"),
    (rf"{_BLOCK}mlp\.fc([12])\.{_WB}", r"vision_model.encoder.layers.\1.mlp.fc\2.\3"),
    (rf"ln_vision\.{_WB}", r"vision_model.post_layernorm.\1"),
    (r"query_tokens", r"query_tokens"),
    (rf"Qformer\.bert\.embeddings\.LayerNorm\.{_WB}", r"qformer.layernorm.\1"),
    (
        rf"{_QLAYER}(attention|crossattention)\.self\.(query|key|value)\.{_WB}",
        r"qformer.encoder.layer.\1.\2.attention.\3.\4",
    ),
    (
        rf"{_QLAYER}(attention|crossattention)\.output\.(dense|LayerNorm)\.{_WB}",
        r"qformer.encoder.layer.\1.\2.output.\3.\4",
    ),
    (rf"{_QLAYER}intermediate_query\.dense\.{_WB}", r"qformer.encoder.layer.\1.intermediate_query.dense.\2"),
    (rf"{_QLAYER}output_query\.(dense|LayerNorm)\.{_WB}", r"qformer.encoder.layer.\1.output_query.\2.\3"),
    (rf"llama_proj\.{_WB}", r"language_projection.\1"),
    # MiniGPT-4 calls it llama_model, SkinGPT-4 llm_model
    (r"(?:llama_model|llm_model)\.((?:model|lm_head)\.(?!.*inv_freq).+)", r"language_model.\1"),
)

LEFT_OUT: tuple[tuple[str, str], ...] = (
    (
        r".*\.rotary_emb\.inv_freq",
        "rotary frequencies: a buffer that older transformers saved; computed from the sizes",
    ),
    (r"Qformer\.bert\.embeddings\.position_ids", "a buffer of indices"),
    (r"Qformer\.cls\..*", "BERT's word prediction head, which MiniGPT-4 removes"),
    (
        r"Qformer\.bert\.embeddings\.(word|position)_embeddings\.weight",
        "BLIP-2's text branch, which MiniGPT-4 removes",
    ),
    (rf"{_QLAYER}(intermediate|output)\.(dense|LayerNorm)\.{_WB}", "BLIP-2's text branch, which MiniGPT-4 removes"),
    (r"t5_proj\..*", "BLIP-2's projection to T5, in whose place llama_proj stands"),
    (r"visual_encoder\.((norm|fc_norm|head)\..*|mask_token)", "EVA's own head, which BLIP-2 leaves out"),
)

_HALF_BIAS = re.compile(rf"{_BLOCK}attn\.([qv])_bias")


@dataclass(frozen=True)
class Place:
    """Where a tensor goes."""

    target: str | None
    """Name in transformers' model; None: left out."""
    reason: str = ""
    """Why it is left out."""
    half: str = ""
    """q or v: this part of ``target``, the keys' part being zero (EVA's keys have no bias)."""


def place(name: str, blocks: int) -> Place | None:
    """Of a tensor by its original name; None where the name is not known. ``blocks``: vision blocks that are used."""
    if (found := re.match(_BLOCK, name)) and int(found[1]) >= blocks:
        return Place(None, f"vision block beyond the first {blocks}, which BLIP-2 does not use")
    if found := _HALF_BIAS.fullmatch(name):
        return Place(f"vision_model.encoder.layers.{found[1]}.self_attn.qkv.bias", half=found[2])
    for pattern, target in MAPPED:
        if found := re.fullmatch(pattern, name):
            return Place(found.expand(target))
    for pattern, reason in LEFT_OUT:
        if re.fullmatch(pattern, name):
            return Place(None, reason)
    return None
