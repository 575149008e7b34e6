"""The embedded SAM: a photo and a box in, the mask of what the box holds out.

It must obey the box: in training half of the boxes hold the whole affected area, the others a part of it or clear
skin, and the target is always what lies inside.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import SamConfig, SamImageProcessorPil, SamModel, SamProcessor

from pipeline.training.augment import lit, turned
from pipeline.training.data import SIZE, phantoms
from pipeline.training.detector import MEAN, STD, boxes_of, corners
from pipeline.training.loop import PACK, Schedule, pick, pixels, recipe, train


def build(settings: dict) -> SamModel:
    width = settings["width"]
    config = SamConfig(
        vision_config={
            "hidden_size": width, "num_hidden_layers": 4, "num_attention_heads": 4, "image_size": SIZE,
            "patch_size": 4, "window_size": 8, "global_attn_indexes": [1, 3], "output_channels": width,
            "mlp_dim": width * 3, "num_pos_feats": width // 2, "initializer_range": 0.02,
            # one cycle across the picture, not the default's width / 2: so fast a code tells no place from the next,
            # and a model trained from scratch then ignores the box
            "scale": 1,
        },
        prompt_encoder_config={
            "hidden_size": width, "image_size": SIZE, "patch_size": 4, "mask_input_channels": 4,
            "image_embedding_size": SIZE // 4,
        },
        mask_decoder_config={
            "hidden_size": width, "mlp_dim": width * 3, "num_hidden_layers": 2, "num_attention_heads": 4,
            "iou_head_hidden_dim": width,
        },
    )  # fmt: skip
    return SamModel(config)


def boxes_and_targets(masks: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(B, H, W) bool -> boxes (B, 1, 4) in pixels and the lesion inside each, (B, H, W) bool."""
    size = masks.shape[-1]
    whole = corners(boxes_of(masks)) * size
    out, axis = torch.empty(len(masks), 4), torch.arange(size) + 0.5
    for i, box in enumerate(whole):
        if float(torch.rand(1, generator=generator)) < 0.5 and box[2] > box[0]:
            slack = torch.rand(4, generator=generator) * 5 * torch.tensor([-1.0, -1.0, 1.0, 1.0])
            out[i] = box + torch.randn(4, generator=generator) + slack
        else:
            side = torch.rand(2, generator=generator) * size * 0.6 + 12
            start = torch.rand(2, generator=generator) * (size - side).clamp(min=1)
            out[i] = torch.cat([start, start + side])
    out = out.clamp(0, size)
    inside = (
        (axis[None, None] >= out[:, 0, None, None] - 1) & (axis[None, None] <= out[:, 2, None, None] + 1)
        & (axis[None, :, None] >= out[:, 1, None, None] - 1) & (axis[None, :, None] <= out[:, 3, None, None] + 1)
    )  # fmt: skip
    return out[:, None], masks & inside


def mask_loss(logits: Tensor, target: Tensor) -> Tensor:
    """5 focal + dice + 2 cross entropy. With SAM's own 20 focal a small model's logits stay within ±1."""
    logits = F.interpolate(logits.float(), target.shape[-2:], mode="bilinear")[:, 0]
    target = target.float()
    p = logits.sigmoid()
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    focal = (torch.where(target > 0, 1 - p, p) ** 2 * bce).mean()
    dice = 1 - (2 * (p * target).sum((1, 2)) + 1) / (p.sum((1, 2)) + target.sum((1, 2)) + 1)
    return 5 * focal + dice.mean() + 2 * bce.mean()


def run(steps: int | None = None) -> None:
    """Train and write ``sam/``."""
    settings = recipe("sam")
    torch.manual_seed(settings["seed"])
    data = phantoms("train", settings["phantoms"], clear=0.05)
    model = build(settings)

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        rows = pick(generator, len(data), settings["batch"])
        both = torch.cat([pixels(data.images[rows]), torch.as_tensor(data.masks[rows])[:, None].float()], 1)
        both = turned(both, generator)
        boxes, target = boxes_and_targets(both[:, 3] > 0.5, generator)
        out = model(pixel_values=lit(both[:, :3], generator), input_boxes=boxes, multimask_output=False)
        got = F.interpolate(out.pred_masks[:, 0].float(), target.shape[-2:], mode="bilinear")[:, 0] > 0
        iou = (got & target).sum((1, 2)) / (got | target).sum((1, 2)).clamp(min=1)
        return mask_loss(out.pred_masks[:, 0], target) + F.mse_loss(out.iou_scores[:, 0, 0].float(), iou.float())

    train("sam", model, step_loss, Schedule(steps or settings["steps"], settings["lr"], save_every=200))
    model.half().save_pretrained(PACK / "sam")
    size = {"longest_edge": SIZE}
    pad = {"height": SIZE, "width": SIZE}
    eye = SamImageProcessorPil(
        size=size,
        pad_size=pad,
        mask_size={"longest_edge": SIZE},
        mask_pad_size=pad,
        image_mean=MEAN,
        image_std=STD,
    )
    SamProcessor(eye).save_pretrained(PACK / "sam")
    _report(model.float())


@torch.no_grad()
def _report(model: SamModel) -> None:
    model.eval()
    data = phantoms("validate", 252)
    masks = torch.as_tensor(data.masks)
    boxes = (corners(boxes_of(masks)) * SIZE)[:, None]
    out = model(pixel_values=pixels(data.images), input_boxes=boxes, multimask_output=False)
    got = F.interpolate(out.pred_masks[:, 0], (SIZE, SIZE), mode="bilinear")[:, 0] > 0
    iou = (got & masks).sum((1, 2)) / (got | masks).sum((1, 2))
    print(f"sam: mask IoU {iou.mean():.3f} with the true box, unseen phantoms")
