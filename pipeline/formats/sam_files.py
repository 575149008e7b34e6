"""SAM as its authors and SkinSAM's give it away (.pth in segment-anything's names), and what SAM 2 is shown.

A .pth says nothing of sizes; all of them can be read from its shapes but one, the mask decoder's eight heads, which
ViT-b, ViT-l and ViT-h have alike.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import (
    SamConfig,
    SamImageProcessorPil,
    SamMaskDecoderConfig,
    SamModel,
    SamProcessor,
    SamPromptEncoderConfig,
    SamVisionConfig,
)

from pipeline.formats.errors import WeightsError, listed

Names = dict[str, Tensor]
_RENAMED = (  # in this order: segment-anything's part of a name -> transformers'
    (r"^image_encoder\.blocks\.", "vision_encoder.layers."),
    (r"^image_encoder\.", "vision_encoder."),
    (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
    (r"\.neck\.0\.", ".neck.conv1."),
    (r"\.neck\.1\.", ".neck.layer_norm1."),
    (r"\.neck\.2\.", ".neck.conv2."),
    (r"\.neck\.3\.", ".neck.layer_norm2."),
    (r"\.norm(?=\d|_final)", ".layer_norm"),
    (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
    (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
    (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
    (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
    (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
    (r"\.point_embeddings\.", ".point_embed."),
    (r"\.pe_layer\.positional_encoding_gaussian_matrix$", ".shared_embedding.positional_embedding"),
    (r"\.output_upscaling\.0\.", ".upscale_conv1."),
    (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
    (r"\.output_upscaling\.3\.", ".upscale_conv2."),
    (r"((?:_mlps\.\d+|iou_prediction_head)\.)layers\.0\.", r"\1proj_in."),
    (r"((?:_mlps\.\d+|iou_prediction_head)\.)layers\.1\.", r"\1layers.0."),
    (r"((?:_mlps\.\d+|iou_prediction_head)\.)layers\.2\.", r"\1proj_out."),
)
_POSITIONS = "prompt_encoder.shared_embedding.positional_embedding"


def read_sam(file: Path, options: Mapping[str, Any]) -> tuple[SamModel, SamProcessor]:
    """``options``: of `placing.options_of`. Raises WeightsError before anything is half loaded."""
    state = renamed(_opened(file))
    try:
        config = config_of(state)
    except (KeyError, ValueError) as error:
        raise WeightsError(f"{file}: is no SAM as segment-anything saves it, {error} is missing") from error
    model = _built(config)
    wanted = model.state_dict()
    if missing := sorted(wanted.keys() - state.keys()):
        raise WeightsError(f"{file}: is incomplete, it lacks {listed(missing)}; fetch it again")
    if wrong := sorted(name for name, value in wanted.items() if value.shape != state[name].shape):
        raise WeightsError(f"{file}: is no SAM of one piece, other shapes in {listed(wrong)}; fetch it again")
    model.load_state_dict({name: state[name] for name in wanted}, assign=True)
    model.to(options.get("device_map", {"": "cpu"})[""], options["dtype"])
    side = config.vision_config.image_size
    pixels = SamImageProcessorPil(size={"longest_edge": side}, pad_size={"height": side, "width": side})
    return model, SamProcessor(pixels)


def _opened(file: Path) -> Names:
    """With weights_only: no code of a file can run. Fine-tuned ones may have a layer around the weights."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise WeightsError(
            f"{file}: cannot be read as weights ({str(error).splitlines()[0]}); fetch it again"
        ) from error
    for around in ("model", "state_dict"):
        if isinstance(state, dict) and isinstance(state.get(around), dict):
            state = state[around]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{file}: holds more than weights; a SAM as segment-anything saves it is wanted")
    return state


def renamed(state: Mapping[str, Tensor]) -> Names:
    """From segment-anything's names to transformers'."""
    out = {}
    for name, value in state.items():
        new = name.removeprefix("module.")
        for old, part in _RENAMED:
            new = re.sub(old, part, new)
        out[new] = value
    if _POSITIONS in out:
        out["shared_image_embedding.positional_embedding"] = out[_POSITIONS]
    return out


def config_of(state: Mapping[str, Tensor]) -> SamConfig:
    """From the shapes. Raises KeyError, ValueError for a tensor that is missing."""
    pos, patch = state["vision_encoder.pos_embed"], state["vision_encoder.patch_embed.projection.weight"]
    grid, width, side = int(pos.shape[1]), int(pos.shape[-1]), int(patch.shape[-1])
    relative = [value.shape for name, value in _layers(state, "vision_encoder.layers.", ".attn.rel_pos_h")]
    everywhere = [i for i, shape in enumerate(relative) if shape[0] == 2 * grid - 1]
    windows = [(shape[0] + 1) // 2 for i, shape in enumerate(relative) if i not in everywhere]
    out = int(state["vision_encoder.neck.conv1.weight"].shape[0])
    vision = SamVisionConfig(
        hidden_size=width, num_hidden_layers=len(relative), num_attention_heads=width // int(relative[0][1]),
        mlp_dim=int(state["vision_encoder.layers.0.mlp.lin1.weight"].shape[0]), image_size=grid * side,
        patch_size=side, window_size=windows[0] if windows else 0, global_attn_indexes=everywhere,
        output_channels=out, num_pos_feats=int(state[_POSITIONS].shape[1]),
    )  # fmt: skip
    prompt = SamPromptEncoderConfig(
        hidden_size=out, image_size=grid * side, patch_size=side,
        mask_input_channels=int(state["prompt_encoder.mask_embed.conv3.weight"].shape[1]),
    )  # fmt: skip
    return SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=_decoder(state, out))


def _decoder(state: Mapping[str, Tensor], width: int) -> SamMaskDecoderConfig:
    way = "mask_decoder.transformer.layers."
    crossing = state[f"{way}0.cross_attn_token_to_image.q_proj.weight"].shape[0]
    return SamMaskDecoderConfig(
        hidden_size=width, mlp_dim=int(state[f"{way}0.mlp.lin1.weight"].shape[0]),
        num_hidden_layers=len(_layers(state, way, ".mlp.lin1.weight")), attention_downsample_rate=width // crossing,
        num_multimask_outputs=int(state["mask_decoder.mask_tokens.weight"].shape[0]) - 1,
        iou_head_hidden_dim=int(state["mask_decoder.iou_prediction_head.proj_in.weight"].shape[0]),
    )  # fmt: skip


def _layers(state: Mapping[str, Tensor], start: str, end: str) -> list[tuple[str, Tensor]]:
    """The same tensor of all layers, in their order. Raises ValueError when there is none."""
    names = [f"{start}{i}{end}" for i in range(len(state)) if f"{start}{i}{end}" in state]
    if not names:
        raise ValueError(f"{start}0{end}")
    return [(name, state[name]) for name in names]


def _built(config: SamConfig) -> SamModel:
    with torch.device("meta"):
        return SamModel(config).eval()


class Sam2Eye:
    """SAM 2's pixels and masks as transformers' processor makes them, which needs torchvision; this does not.

    The whole photo is squeezed into a square.
    """

    def __init__(self, side: int, mean: Any, std: Any) -> None:
        self.side = side
        self.mean, self.std = (torch.tensor(x, dtype=torch.float32).view(3, 1, 1) for x in (mean, std))

    @classmethod
    def load(cls, folder: Path) -> Sam2Eye:
        """From the folder's processor_config.json or preprocessor_config.json, else its authors' values."""
        said: dict[str, Any] = {}
        for name in ("preprocessor_config.json", "processor_config.json"):
            if (folder / name).is_file():
                found = json.loads((folder / name).read_text())
                said = found.get("image_processor", found)
        size = said.get("size") or {}
        mean, std = said.get("image_mean", (0.485, 0.456, 0.406)), said.get("image_std", (0.229, 0.224, 0.225))
        return cls(int(size.get("height", 1024)), mean, std)

    @property
    def image_processor(self) -> Sam2Eye:
        """As of transformers' processor: where `post_process_masks` is."""
        return self

    def __call__(self, images: Image.Image, input_boxes: Any, return_tensors: str = "pt") -> dict[str, Any]:
        """One photo and its boxes: pixel_values (1, 3, side, side), input_boxes (1, n, 4), original_sizes."""
        small = images.convert("RGB").resize((self.side, self.side), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 255
        scale = torch.tensor([self.side / images.width, self.side / images.height] * 2)
        return {
            "pixel_values": ((pixels - self.mean) / self.std)[None],
            "input_boxes": torch.tensor(input_boxes, dtype=torch.float32) * scale,
            "original_sizes": [(images.height, images.width)],
        }

    @staticmethod
    def post_process_masks(masks: Tensor, sizes: list[tuple[int, int]]) -> list[Tensor]:
        """(1, n, 1, h, w) logits -> one (n, 1, H, W) bool in photo pixels."""
        grown = torch.nn.functional.interpolate(masks[0], sizes[0], mode="bilinear", align_corners=False)
        return [grown > 0]
