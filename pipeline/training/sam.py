"""The embedded SAM: a photo and a box in, the mask of what the box holds out.

It must obey the box: each photo of a batch comes with four boxes, of the whole affected area, one lesion, any part
and clear skin, and the target is always what lies inside. The photo is encoded once for all four, so that they cost
little more than one.
"""

from __future__ import annotations

import torch
from scipy.ndimage import find_objects, label
from torch import Tensor
from torch.nn import functional as F
from transformers import SamConfig, SamImageProcessorPil, SamModel, SamProcessor

from pipeline.training.augment import lit, turned
from pipeline.training.data import SIZE, phantoms
from pipeline.training.detector import MEAN, STD, boxes_of, corners
from pipeline.training.loop import Schedule, pick, pixels, train
from pipeline.training.session import Session


def build(settings: dict) -> SamModel:
    width = settings["width"]
    config = SamConfig(
        vision_config={
            "hidden_size": width, "num_hidden_layers": 4, "num_attention_heads": 4, "image_size": SIZE,
            "patch_size": 4, "window_size": 8, "global_attn_indexes": [3], "output_channels": width,
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


def _around(box: Tensor, slack: float, generator: torch.Generator) -> Tensor:
    """The box with up to ``slack`` pixels more on every side, as a detector may give it."""
    outward = torch.tensor([-1.0, -1.0, 1.0, 1.0])
    return box + torch.rand(4, generator=generator) * slack * outward


def _anywhere(size: int, generator: torch.Generator) -> Tensor:
    side = torch.rand(2, generator=generator) * size * 0.6 + 12
    start = torch.rand(2, generator=generator) * (size - side).clamp(min=1)
    return torch.cat([start, start + side])


def _clear(mask: Tensor, generator: torch.Generator, tries: int = 12) -> Tensor:
    """A box without lesion, of up to 45 % of the side; after ``tries`` whatever was drawn last."""
    size = len(mask)
    for _ in range(tries):
        side = (torch.rand(2, generator=generator) * size * 0.35 + 10).round()
        start = (torch.rand(2, generator=generator) * (size - side)).round()
        box = torch.cat([start, start + side])
        x0, y0, x1, y1 = (int(v) for v in box)
        if not mask[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1].any():
            break
    return box


def _one_lesion(mask: Tensor, generator: torch.Generator) -> Tensor | None:
    """The box of one separate lesion of at least 30 pixels, any of them."""
    parts = label(mask.numpy())[0]
    large = [place for i, place in enumerate(find_objects(parts), 1) if (parts[place] == i).sum() >= 30]
    if not large:
        return None
    rows, cols = large[int(torch.randint(len(large), (1,), generator=generator))]
    return torch.tensor([cols.start, rows.start, cols.stop, rows.stop], dtype=torch.float32)


def boxes_and_targets(masks: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(B, H, W) bool -> boxes (B, 4, 4) in pixels and the lesion inside each, (B, 4, H, W) bool.

    In this order: the whole affected area, one lesion of it, any part, clear skin; without a lesion, any part.
    """
    size = masks.shape[-1]
    whole = corners(boxes_of(masks)) * size
    rows, axis = [], torch.arange(size) + 0.5
    for mask, box in zip(masks, whole, strict=True):
        one = _one_lesion(mask, generator)
        jitter = torch.randn(4, generator=generator)
        slack = 4 * float(torch.rand(1, generator=generator) > 0.4)
        rows += [
            _anywhere(size, generator) if one is None else _around(box, 5, generator) + jitter,
            _anywhere(size, generator) if one is None else _around(one, slack, generator),
            _anywhere(size, generator),
            _clear(mask, generator),
        ]
    out = torch.stack(rows).view(len(masks), 4, 4).clamp(0, size)
    x0, y0, x1, y1 = (side[..., None, None] for side in out.unbind(-1))
    across, down = axis[None, :], axis[:, None]
    inside = (across >= x0 - 1) & (across <= x1 + 1) & (down >= y0 - 1) & (down <= y1 + 1)
    return out, masks[:, None] & inside


def mask_loss(logits: Tensor, target: Tensor) -> Tensor:
    """5 focal + dice + 2 cross entropy. With SAM's own 20 focal a small model's logits stay within ±1.

    logits: (B, P, h, w); target: (B, P, H, W) bool
    """
    logits = F.interpolate(logits.float(), target.shape[-2:], mode="bilinear")
    target = target.float()
    p = logits.sigmoid()
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    focal = (torch.where(target > 0, 1 - p, p) ** 2 * bce).mean()
    dice = 1 - (2 * (p * target).sum((-2, -1)) + 1) / (p.sum((-2, -1)) + target.sum((-2, -1)) + 1)
    return 5 * focal + dice.mean() + 2 * bce.mean()


def run(session: Session) -> None:
    """Train and write ``sam/``."""
    settings = session.recipe("sam")
    torch.manual_seed(settings["seed"])
    data = phantoms("train", settings["phantoms"], clear=0.05)
    model = build(settings)

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        rows = pick(generator, len(data), settings["batch"])
        both = torch.cat([pixels(data.images[rows]), torch.as_tensor(data.masks[rows])[:, None].float()], 1)
        both = turned(both, generator)
        boxes, target = boxes_and_targets(both[:, 3] > 0.5, generator)
        out = model(pixel_values=lit(both[:, :3], generator), input_boxes=boxes, multimask_output=False)
        logits = out.pred_masks[:, :, 0]
        got = F.interpolate(logits.detach().float(), target.shape[-2:], mode="bilinear") > 0
        iou = (got & target).sum((-2, -1)) / (got | target).sum((-2, -1)).clamp(min=1)
        return mask_loss(logits, target) + F.mse_loss(out.iou_scores[:, :, 0].float(), iou.float())

    schedule = Schedule(session.steps or settings["steps"], settings["lr"], tuple(settings["restarts"]))
    train(session, "sam", model, step_loss, schedule)
    model.half().save_pretrained(session.pack / "sam")
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
    SamProcessor(eye).save_pretrained(session.pack / "sam")
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
