"""GroundingDINO, SAM, SAM 2 and CLIP of a few thousand random weights, in their authors' files and folders."""

from __future__ import annotations

import json
import re
from pathlib import Path

import torch
from torch import Tensor
from transformers import (
    BertTokenizerFast,
    CLIPConfig,
    CLIPModel,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessorPil,
    GroundingDinoProcessor,
    Sam2Config,
    Sam2HieraDetConfig,
    Sam2MaskDecoderConfig,
    Sam2Model,
    Sam2PromptEncoderConfig,
    Sam2VisionConfig,
    SamConfig,
    SamImageProcessorPil,
    SamMaskDecoderConfig,
    SamModel,
    SamProcessor,
    SamPromptEncoderConfig,
    SamVisionConfig,
)

from tests.pipeline.tiny_sd import tiny_tokenizer

SIDE = 64
OPENAI_MEAN, OPENAI_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", "psoriasis", "urticaria", "skin", "lesion", "melanoma"]
_BACK = (  # transformers' part of a name -> segment-anything's, written from the authors' modules (segment_anything/)
    (r"^vision_encoder\.layers\.", "image_encoder.blocks."),
    (r"^vision_encoder\.", "image_encoder."),
    ("patch_embed.projection", "patch_embed.proj"),
    ("neck.conv1", "neck.0"),
    ("neck.layer_norm1", "neck.1"),
    ("neck.conv2", "neck.2"),
    ("neck.layer_norm2", "neck.3"),
    ("mask_embed.conv1", "mask_downscaling.0"),
    ("mask_embed.layer_norm1", "mask_downscaling.1"),
    ("mask_embed.conv2", "mask_downscaling.3"),
    ("mask_embed.layer_norm2", "mask_downscaling.4"),
    ("mask_embed.conv3", "mask_downscaling.6"),
    ("layer_norm", "norm"),
    (r"\.point_embed\.", ".point_embeddings."),
    ("shared_embedding.positional_embedding", "pe_layer.positional_encoding_gaussian_matrix"),
    ("upscale_conv1", "output_upscaling.0"),
    ("upscale_norm", "output_upscaling.1"),
    ("upscale_conv2", "output_upscaling.3"),
    (r"(mlps\.\d|iou_prediction_head)\.layers\.0", r"\1.layers.1"),
    (r"(mlps\.\d|iou_prediction_head)\.proj_in", r"\1.layers.0"),
    (r"(mlps\.\d|iou_prediction_head)\.proj_out", r"\1.layers.2"),
)


def tiny_sam() -> SamModel:
    """Three blocks, the second of which looks everywhere, as four of ViT-b's twelve do."""
    torch.manual_seed(7)
    vision = SamVisionConfig(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=2, mlp_dim=32, image_size=SIDE, patch_size=8,
        window_size=3, global_attn_indexes=[1], output_channels=16, num_pos_feats=8, initializer_range=0.2,
    )  # fmt: skip
    prompt = SamPromptEncoderConfig(hidden_size=16, image_size=SIDE, patch_size=8, mask_input_channels=16)
    decoder = SamMaskDecoderConfig(hidden_size=16, mlp_dim=24, iou_head_hidden_dim=12)
    config = SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)
    return SamModel(config).eval()


def write_sam(folder: Path) -> Path:
    """As facebook/sam-vit-base."""
    tiny_sam().save_pretrained(folder)
    pixels = SamImageProcessorPil(size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE})
    SamProcessor(pixels).save_pretrained(folder)
    return folder


def original_sam() -> dict[str, Tensor]:
    """The same weights as sam_vit_b_01ec64.pth names them."""
    out = {}
    for name, value in tiny_sam().state_dict().items():
        new = name
        for old, part in _BACK:
            new = re.sub(old, part, new)
        if not name.startswith("shared_image_embedding"):
            out[new] = value
    return out


def write_sam2(folder: Path) -> Path:
    """As facebook/sam2.1-hiera-tiny: the video model's folder, its memory beside the weights of SAM 2."""
    torch.manual_seed(8)
    eye = Sam2HieraDetConfig(
        hidden_size=8, image_size=[SIDE, SIDE], blocks_per_stage=[1, 1, 2, 1], embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 2], window_size_per_stage=[4, 4, 2, 2], global_attention_blocks=[3],
    )  # fmt: skip
    vision = Sam2VisionConfig(
        backbone_config=eye, backbone_channel_list=[64, 32, 16, 8], backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=16,
    )  # fmt: skip
    config = Sam2Config(
        vision_config=vision, prompt_encoder_config=Sam2PromptEncoderConfig(hidden_size=16, image_size=SIDE),
        mask_decoder_config=Sam2MaskDecoderConfig(hidden_size=16, mlp_dim=24, iou_head_hidden_dim=12),
    )  # fmt: skip
    model = Sam2Model(config)
    weights = {**model.state_dict(), "no_memory_positional_encoding": torch.zeros(1, 1, 16)}
    model.save_pretrained(folder, state_dict=weights)
    said = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**said, "model_type": "sam2_video"}))
    pixels = {"size": {"height": SIDE, "width": SIDE}, "image_mean": [0.485, 0.456, 0.406],
              "image_std": [0.229, 0.224, 0.225]}  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    return folder


def write_grounding_dino(folder: Path) -> Path:
    """As IDEA-Research/grounding-dino-tiny: Swin, BERT, deformable attention."""
    torch.manual_seed(9)
    config = GroundingDinoConfig(
        backbone_config={
            "model_type": "swin", "embed_dim": 8, "depths": [1, 1, 1], "num_heads": [1, 2, 2], "window_size": 4,
            "image_size": SIDE, "patch_size": 4, "out_features": ["stage1", "stage2", "stage3"],
        },
        text_config={
            "model_type": "bert", "vocab_size": len(WORDS), "hidden_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 64,
        },
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=24, decoder_ffn_dim=24, num_queries=6, num_feature_levels=3, max_text_len=16,
        encoder_n_points=2, decoder_n_points=2,
    )  # fmt: skip
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    pixels = GroundingDinoImageProcessorPil(size={"shortest_edge": SIDE, "longest_edge": 100})
    GroundingDinoProcessor(pixels, BertTokenizerFast(str(folder / "vocab.txt"))).save_pretrained(folder)
    return folder


def write_clip(folder: Path, dim: int = 12) -> Path:
    """As LAION's ViT-H/14: OpenAI's normalisation, the middle square."""
    torch.manual_seed(10)
    part = {"intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "projection_dim": dim}
    text = {"vocab_size": 600, "hidden_size": 16, "max_position_embeddings": 24, "bos_token_id": 512,
            "eos_token_id": 513, "pad_token_id": 513, **part}  # fmt: skip
    vision = {"hidden_size": dim, "image_size": 16, "patch_size": 8, **part}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=dim)).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    said = {"image_mean": OPENAI_MEAN, "image_std": OPENAI_STD, "do_center_crop": True,
            "crop_size": {"height": 16, "width": 16}}  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    return folder
