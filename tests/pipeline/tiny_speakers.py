"""Language models of a few thousand weights that say one sentence: LLaMA's classes, files and tokenizer's layout.

Every token's embedding is a direction of its own, the layers add next to nothing, and the output layer points from each
token to the one that follows it. So an answer that a person would give comes out of real loading and real generation.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipImageProcessorPil,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from pipeline.convert.skingpt4 import Files, convert
from tests.pipeline.test_convert import TINY, eva_file, linear, qformer_file
from tests.pipeline.tiny_vlm import CHAT

SENTENCE = ("Most", "likely", "psoriasis", ",", "or", "else", "urticaria", ".", "</s>")
"""Said after every ":", with which all prompts end: `Assistant:`"""
VICUNA = ["<unk>", "<s>", "</s>", "###", "Human", "Assistant", ":", "assistant", "user", "system", *SENTENCE[:-1]]
WITH_IMAGE = [*VICUNA, "<image>"]
WIDTH, MLP, LAYERS = 32, 24, 2


def language(words: list[str]) -> dict[str, object]:
    return {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": WIDTH, "vocab_size": len(words),
        "intermediate_size": MLP, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "rms_norm_eps": 1e-6,
        "hidden_act": "silu", "max_position_embeddings": 512, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2,
        "tie_word_embeddings": False,
    }  # fmt: skip


def speaking_llama(words: list[str]) -> dict[str, Tensor]:
    """In LLaMA's names."""
    generator = torch.Generator().manual_seed(11)

    def little(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator) * 0.003

    following = torch.zeros(len(words), WIDTH)
    for word, after in zip((":", *SENTENCE), SENTENCE, strict=False):
        following[words.index(after), words.index(word)] = 1.0
    state = {"model.embed_tokens.weight": torch.eye(len(words), WIDTH), "lm_head.weight": following}
    state["model.norm.weight"] = torch.ones(WIDTH)
    for i in range(LAYERS):
        layer = f"model.layers.{i}"
        state |= {f"{layer}.self_attn.{part}_proj.weight": little(WIDTH, WIDTH) for part in "qkvo"}
        state |= {f"{layer}.mlp.{part}_proj.weight": little(MLP, WIDTH) for part in ("gate", "up")}
        state[f"{layer}.mlp.down_proj.weight"] = little(WIDTH, MLP)
        state |= {f"{layer}.{norm}_layernorm.weight": torch.ones(WIDTH) for norm in ("input", "post_attention")}
    return state


def tokenizer(words: list[str]) -> PreTrainedTokenizerFast:
    whole = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    whole.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=whole, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>",
        additional_special_tokens=[word for word in words if word == "<image>"],
    )  # fmt: skip


def write_vicuna(folder: Path) -> Path:
    """As Vicuna's folder: shards of .bin with their index."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(language(VICUNA)))
    state, where = speaking_llama(VICUNA), dict[str, str]()
    for number, names in enumerate((sorted(state)[::2], sorted(state)[1::2]), 1):
        file = f"pytorch_model-{number:05d}-of-00002.bin"
        torch.save({name: state[name] for name in names}, folder / file)
        where |= dict.fromkeys(names, file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))
    tokenizer(VICUNA).save_pretrained(folder)
    return folder


def write_skingpt4(work: Path, out: Path) -> Path:
    """SkinGPT-4 from its four original files, by the converter."""
    work.mkdir()
    torch.manual_seed(12)
    trained: dict[str, Tensor] = {}
    linear(trained, "llama_proj", WIDTH, TINY.q_width)
    torch.save(eva_file(), work / "eva_vit_g.pth")
    torch.save({"model": qformer_file()}, work / "blip2_pretrained_flant5xxl.pth")
    torch.save({"model": trained, "epoch": 4}, work / "skingpt4_vicuna_v1.pth")
    files = Files(
        work / "eva_vit_g.pth", work / "blip2_pretrained_flant5xxl.pth", write_vicuna(work / "vicuna"),
        work / "skingpt4_vicuna_v1.pth",
    )  # fmt: skip
    list(convert(files, out, sizes=TINY))
    return out


def write_chat(folder: Path) -> Path:
    """An image-text-to-text model with a chat template (LLaVA's classes)."""
    torch.manual_seed(13)
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8
    )
    image = WITH_IMAGE.index("<image>")
    config = LlavaConfig(vision_config=vision.to_dict(), text_config=language(WITH_IMAGE), image_token_index=image)
    model = LlavaForConditionalGeneration(config)
    said = speaking_llama(WITH_IMAGE)
    model.lm_head.load_state_dict({"weight": said.pop("lm_head.weight")})
    model.model.language_model.load_state_dict({name.removeprefix("model."): x for name, x in said.items()})
    model.save_pretrained(folder)
    size = {"height": 16, "width": 16}
    LlavaProcessor(
        CLIPImageProcessorPil(size=size, crop_size=size), tokenizer(WITH_IMAGE), patch_size=8,
        vision_feature_select_strategy="default", num_additional_image_tokens=1, chat_template=CHAT,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def write_blip2(folder: Path) -> Path:
    """As Salesforce/blip2-opt-2.7b: no chat template, two shards. It continues a caption with whatever comes."""
    torch.manual_seed(14)
    words = ["<unk>", "<s>", "</s>", "<image>", "a", "photo", "of", "brown", "skin", "with", "plaque", "scale", "red"]
    config = Blip2Config(
        vision_config={"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
                       "image_size": 16, "patch_size": 8},
        qformer_config={"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 20,
                        "vocab_size": 9},
        text_config={"model_type": "opt", "vocab_size": len(words), "hidden_size": 16, "num_hidden_layers": 1,
                     "ffn_dim": 24, "num_attention_heads": 2, "max_position_embeddings": 64, "word_embed_proj_dim": 16,
                     "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2, "init_std": 0.6},
        num_query_tokens=3, image_token_index=3,
    )  # fmt: skip
    model = Blip2ForConditionalGeneration(config)
    model.save_pretrained(folder, max_shard_size="20KB")
    pixels = BlipImageProcessorPil(size={"height": 16, "width": 16})
    Blip2Processor(pixels, tokenizer(words), num_query_tokens=3).save_pretrained(folder)
    return folder
