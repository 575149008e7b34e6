"""Image-text-to-text models of current transformers classes, tiny and random, with their processors, as folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertTokenizerFast,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessorPil,
    BlipProcessor,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

SPECIAL = ["<unk>", "<s>", "</s>", "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
WORDS = [  # one token each
    *[
        "system",
        "user",
        "assistant",
        ":",
        "?",
        ".",
        "what",
        "is",
        "this",
        "psoriasis",
        "acne",
        "red",
        "skin",
        "plaque",
        "scale",
        "on",
        "arm",
        "and",
        "you",
        "are",
        "a",
        "why",
    ]
]
CHAT = (
    "{% for m in messages %}{{ m['role'] }} : {% for c in m['content'] %}{% if c['type'] == 'image' %}<image>"
    "{% else %} {{ c['text'] }} {% endif %}{% endfor %}</s>{% endfor %}"
    "{% if add_generation_prompt %}assistant : {% endif %}"
)


def tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate([*SPECIAL, *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>",
        additional_special_tokens=SPECIAL[3:],
    )  # fmt: skip


def _language() -> dict[str, Any]:
    config = LlamaConfig(
        vocab_size=len(SPECIAL) + len(WORDS), hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=2, bos_token_id=1, eos_token_id=2, pad_token_id=2, initializer_range=0.6,
        tie_word_embeddings=False,
    )  # fmt: skip
    return config.to_dict()


def write_llava(folder: Path) -> Path:
    """As llava-hf's: CLIP, a projection, LLaMA."""
    torch.manual_seed(1)
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8,
        initializer_range=0.6,
    )  # fmt: skip
    config = LlavaConfig(vision_config=vision.to_dict(), text_config=_language(), image_token_index=3)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    size = {"height": 16, "width": 16}
    LlavaProcessor(
        CLIPImageProcessorPil(size=size, crop_size=size),
        tokenizer(),
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    ).save_pretrained(folder)
    return folder


def write_idefics3(folder: Path) -> Path:
    """As SmolVLM-Instruct: SigLIP, pixel shuffle, LLaMA."""
    torch.manual_seed(2)
    vision = {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": 16, "patch_size": 4, "initializer_range": 0.6,
    }  # fmt: skip
    config = Idefics3Config(
        vision_config=vision, text_config=_language(), image_token_id=3, scale_factor=2, pad_token_id=2
    )
    Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    pixels = Idefics3ImageProcessorPil(
        size={"longest_edge": 16}, max_image_size={"longest_edge": 16}, do_image_splitting=False
    )
    Idefics3Processor(pixels, tokenizer(), image_seq_len=4, chat_template=CHAT).save_pretrained(folder)
    return folder


def write_blip(folder: Path) -> Path:
    """As blip-image-captioning: no chat template; it continues the beginning of a caption."""
    torch.manual_seed(3)
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", *WORDS, "photo", "of"]
    (folder / "vocab.txt").write_text("\n".join(words))
    text = {
        "vocab_size": len(words), "hidden_size": 16, "encoder_hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 64, "bos_token_id": 5,
        "sep_token_id": 3, "pad_token_id": 0, "initializer_range": 0.6,
    }  # fmt: skip
    vision = {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": 16, "patch_size": 8,
    }  # fmt: skip
    config = BlipConfig(text_config=text, vision_config=vision, projection_dim=16)
    BlipForConditionalGeneration(config).save_pretrained(folder)
    pixels = BlipImageProcessorPil(size={"height": 16, "width": 16})
    BlipProcessor(pixels, BertTokenizerFast(str(folder / "vocab.txt"))).save_pretrained(folder)
    return folder
