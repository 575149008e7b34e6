"""The embedded GroundingDINO: the name of a condition and a photo in, the box around it out.

The library's built-in loss gives the encoder heads of a two-stage model no gradient and places phrase labels
wrongly in batches, so the loss is written here: one box a picture, matched to the best query of the
decoder and to the best places of the encoder; prompts hold the true name only part of the time, so
that a condition that is not there gets no box.
"""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessorPil,
    GroundingDinoProcessor,
    SwinConfig,
)

from pipeline.phantom import LABELS
from pipeline.phantom.lesions import PAINTERS
from pipeline.training.augment import lit
from pipeline.training.data import SIZE, Phantoms, phantoms
from pipeline.training.loop import Schedule, pick, pixels, train
from pipeline.training.session import Session
from pipeline.wording import PHRASES

GENERIC = "skin lesion"
"""The phrase that is true of every lesion."""

MEAN, STD = [0.5] * 3, [0.5] * 3
_FIXED = {101: "[CLS]", 102: "[SEP]", 1012: ".", 1029: "?", 0: "[PAD]", 100: "[UNK]", 103: "[MASK]"}


def tokenizer() -> BertTokenizer:
    """BERT WordPiece with the separators where GroundingDINO's code expects them (101, 102, 1012, 1029)."""
    words = sorted(
        {w for text in (*PAINTERS, *PHRASES.values(), GENERIC, "a the of on with patch") for w in text.split()}
    )
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-/"
    pieces = [*words, *(c for c in letters if c not in words), *(f"##{c}" for c in letters)]
    spare = iter(i for i in range(1100) if i not in _FIXED)
    vocabulary = {token: next(spare) for token in pieces} | {t: i for i, t in _FIXED.items()}
    vocabulary |= {f"[unused{i}]": i for i in range(1100) if i not in set(vocabulary.values())}
    return BertTokenizer(vocab=dict(sorted(vocabulary.items(), key=lambda kv: kv[1])), do_lower_case=True)


def build(settings: dict[str, Any]) -> GroundingDinoForObjectDetection:
    width = settings["width"]
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=SIZE, patch_size=4, embed_dim=32, depths=[2, 2, 2], num_heads=[2, 4, 8], window_size=4,
            initializer_range=0.1, out_indices=[1, 2, 3],
        ).to_dict(),
        text_config={
            "model_type": "bert", "vocab_size": 1100, "hidden_size": 64, "num_hidden_layers": 1,
            "num_attention_heads": 4, "intermediate_size": 128, "max_position_embeddings": 64,
        },
        d_model=width, encoder_layers=1, decoder_layers=1, decoder_bbox_embed_share=False, num_queries=20,
        encoder_ffn_dim=width * 4, decoder_ffn_dim=width * 4, encoder_attention_heads=4, decoder_attention_heads=4,
        num_feature_levels=3, two_stage=True, init_std=0.1, disable_custom_kernels=True, max_text_len=40,
        fusion_droppath=0.0, dropout=0.0,
    )  # fmt: skip
    model = GroundingDinoForObjectDetection(config)
    for layer in model.model.encoder.layers:  # the default of 1e-4 starves a small model
        nn.init.constant_(layer.fusion_layer.vision_param, 0.5)
        nn.init.constant_(layer.fusion_layer.text_param, 0.5)
    nn.init.normal_(model.model.query_position_embeddings.weight)
    for norm in (model.model.enc_output_norm, model.model.decoder.layer_norm):
        nn.init.constant_(norm.weight, 0.3)
    return model


def boxes_of(masks: Tensor) -> Tensor:
    """(B, H, W) bool -> (B, 4) centre x, centre y, width, height, 0 to 1; a picture without lesion gets zeros."""
    size = masks.shape[-1]
    out = torch.zeros(len(masks), 4)
    for i, mask in enumerate(masks):
        if mask.any():
            rows, cols = (mask.any(d).nonzero().flatten() for d in (1, 0))
            x0, x1, y0, y1 = float(cols[0]), float(cols[-1] + 1), float(rows[0]), float(rows[-1] + 1)
            out[i] = torch.tensor([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]) / size
    return out


def corners(boxes: Tensor) -> Tensor:
    """Centre and size -> x0, y0, x1, y1."""
    return torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU of boxes (..., 4) given as corners."""
    inter = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    area = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1) + (b[..., 2:] - b[..., :2]).clamp(min=0).prod(-1) - inter
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    return inter / (area + 1e-6) - (hull - area) / (hull + 1e-6)


def prompt_for(label: str | None, rng: random.Random) -> tuple[str, int]:
    """One to three phrases and the place of the true one (-1 when it is not among them).

    Mostly a single one, as the pipeline asks; and as often a wrong one as the true one.
    """
    if label is None and rng.random() < 0.3:
        return f"{GENERIC}.", -1
    count = rng.choice([1, 1, 1, 2, 3])
    phrases = rng.sample([name for name in LABELS if name != label], count)
    if label is None or rng.random() < 0.5:
        return ". ".join(phrases) + ".", -1
    place = rng.randrange(count)
    phrases[place] = GENERIC if rng.random() < 0.2 else label
    return ". ".join(phrases) + ".", place


def phrase_tokens(input_ids: Tensor, places: list[int]) -> Tensor:
    """(B, L) bool: the tokens of the phrase at ``places`` (phrases end with '.', id 1012)."""
    number = (input_ids == 1012).cumsum(1) - (input_ids == 1012).long()
    inside = (input_ids != 1012) & (input_ids != 101) & (input_ids != 102) & (input_ids != 0)
    return inside & (number == torch.tensor(places)[:, None])


def set_loss(logits: Tensor, boxes: Tensor, tokens: Tensor, true: Tensor, target: Tensor, best: int) -> Tensor:
    """Focal + L1 + GIoU for one box a picture, matched to the ``best`` cheapest of the (B, Q) predictions.

    tokens (B, L): text positions that count; true (B, L): the true phrase's; target (B, 4) centre and size.
    """
    logits = logits[..., : tokens.shape[1]].float().masked_fill(~tokens[:, None], -20.0)
    boxes, there = boxes.float(), true.any(1)
    probability = (logits.sigmoid() * true[:, None]).sum(-1) / true.sum(1).clamp(min=1)[:, None]
    overlap = giou(corners(boxes), corners(target)[:, None])
    distance = (boxes - target[:, None]).abs().sum(-1)
    with torch.no_grad():
        chosen = (5 * distance - 2 * overlap - 2 * probability).topk(best, 1, largest=False).indices
        goal = torch.zeros_like(logits)
        goal.scatter_(1, chosen[..., None].expand(-1, -1, goal.shape[-1]), true[:, None].float().expand(-1, best, -1))
    p = logits.sigmoid()
    weight = torch.where(goal > 0, 0.5 * (1 - p) ** 2, 0.5 * p**2)
    focal = (weight * F.binary_cross_entropy_with_logits(logits, goal, reduction="none") * tokens[:, None]).sum()
    focal = focal / (tokens.sum(1).float().mean() * len(logits))
    picked = (
        torch.gather(distance, 1, chosen)[there].mean(),
        (1 - torch.gather(overlap, 1, chosen))[there].mean(),
    )
    return 2 * focal + 5 * picked[0] + 2 * picked[1] if there.any() else 2 * focal


class WithNames(nn.Module):
    """The detector, and heads on its backbone that name the condition and shade the lesion; these are not shipped.

    Boxes alone teach a backbone slowly what tells one condition from the next. The released GroundingDINO begins with
    a backbone that knows ImageNet; this one begins with what `train_backbone` taught it.
    """

    def __init__(self, detector: GroundingDinoForObjectDetection) -> None:
        super().__init__()
        self.detector = detector
        widths = detector.model.backbone.conv_encoder.intermediate_channel_sizes
        self.names = nn.Linear(widths[-1], len(LABELS) + 1)
        self.shades = nn.ModuleList([nn.Conv2d(width, 1, 1) for width in widths])
        self._maps: list[Tensor] = []
        detector.model.backbone.conv_encoder.register_forward_hook(self._keep)

    def _keep(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        self._maps = [feature for feature, _mask in output]

    def look(self, x: Tensor) -> None:
        """(B, 3, H, W) through the backbone alone."""
        self.detector.model.backbone.conv_encoder(x, torch.ones(len(x), *x.shape[-2:], dtype=torch.long))

    def name_loss(self, labels: Tensor) -> Tensor:
        """Of the batch that went through the backbone last; labels (B,), -1 for clear skin."""
        return F.cross_entropy(self.names(self._maps[-1].mean((2, 3))).float(), labels % (len(LABELS) + 1))

    def shade_loss(self, masks: Tensor) -> Tensor:
        """How much of every place of every map is lesion; masks (B, H, W) bool."""
        total = torch.tensor(0.0)
        for shade, feature in zip(self.shades, self._maps, strict=True):
            covered = F.adaptive_avg_pool2d(masks[:, None].float(), feature.shape[-1])
            total = total + F.binary_cross_entropy_with_logits(shade(feature).float(), covered)
        return total


def train_backbone(session: Session, both: WithNames, data: Phantoms, settings: dict[str, Any]) -> None:
    """The backbone alone: large batches at little cost, before text and boxes come into it."""

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        rows = pick(generator, len(data), settings["backbone_batch"])
        x, masks = _flipped(pixels(data.images[rows]), torch.as_tensor(data.masks[rows]), random.Random(step))
        both.look(lit(x, generator))
        return both.name_loss(torch.as_tensor(data.labels[rows])) + both.shade_loss(masks)

    backbone = nn.ModuleDict(
        {"backbone": both.detector.model.backbone.conv_encoder, "names": both.names, "shades": both.shades}
    )
    steps = session.steps or settings["backbone_steps"]
    schedule = Schedule(steps, settings["backbone_lr"], save_every=300)
    train(session, "detector-backbone", backbone, step_loss, schedule)


def run(session: Session) -> None:
    """Train and write ``grounding-dino/``."""
    settings = session.recipe("detector")
    torch.manual_seed(settings["seed"])
    data = phantoms("train", settings["phantoms"], clear=0.05)
    words, model = tokenizer(), build(settings)
    both = WithNames(model)
    train_backbone(session, both, data, settings)

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        rng = random.Random(step)
        rows = pick(generator, len(data), settings["batch"])
        x, masks = _flipped(pixels(data.images[rows]), torch.as_tensor(data.masks[rows]), rng)
        prompts, places = zip(*(prompt_for(data.condition(i), rng) for i in rows), strict=True)
        text = words(list(prompts), padding=True, return_tensors="pt")
        out = model(pixel_values=lit(x, generator), **text)
        # a box's score is the highest of its tokens', and a separator that nobody taught may be that one
        tokens = text.attention_mask.bool()
        if step < settings["separators_from"]:
            tokens = tokens & (text.input_ids != 101) & (text.input_ids != 102) & (text.input_ids != 1012)
        true, target = phrase_tokens(text.input_ids, list(places)), boxes_of(masks)
        found = set_loss(out.logits, out.pred_boxes, tokens, true, target, 1)
        proposed = set_loss(out.enc_outputs_class, out.enc_outputs_coord_logits.sigmoid(), tokens, true, target, 5)
        return found + proposed + 0.5 * both.name_loss(torch.as_tensor(data.labels[rows])) + both.shade_loss(masks)

    schedule = Schedule(
        session.steps or settings["steps"],
        settings["lr"],
        tuple(settings["restarts"]),
        weight_decay=1e-4,
        save_every=200,
        bf16=False,
    )
    train(session, "detector", both, step_loss, schedule)
    model.half().save_pretrained(session.pack / "grounding-dino")
    eye = GroundingDinoImageProcessorPil(
        size={"height": SIZE, "width": SIZE}, image_mean=MEAN, image_std=STD, do_pad=False
    )
    GroundingDinoProcessor(eye, words).save_pretrained(session.pack / "grounding-dino")
    print(_report(model.float(), words, phantoms("validate", 252)))


def _flipped(x: Tensor, masks: Tensor, rng: random.Random) -> tuple[Tensor, Tensor]:
    if rng.random() < 0.5:
        x, masks = x.flip(-1), masks.flip(-1)
    if rng.random() < 0.5:
        x, masks = x.transpose(-1, -2), masks.transpose(-1, -2)
    return x.contiguous(), masks.contiguous()


@torch.no_grad()
def _report(model: GroundingDinoForObjectDetection, words: BertTokenizer, data: Phantoms) -> str:
    """Box IoU for the true name, and scores for true and absent names."""
    model.eval()
    text = words([f"{data.condition(i)}." for i in range(len(data))], padding=True, return_tensors="pt")
    out = model(pixel_values=pixels(data.images), **text)
    score, query = out.logits.sigmoid().max(-1).values.max(1)
    box = out.pred_boxes[torch.arange(len(data)), query]
    a, b = corners(box), corners(boxes_of(torch.as_tensor(data.masks)))
    inter = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(-1)
    union = (a[:, 2:] - a[:, :2]).prod(-1) + (b[:, 2:] - b[:, :2]).prod(-1) - inter
    wrong = words([f"{LABELS[(int(k) + 5) % len(LABELS)]}." for k in data.labels], padding=True, return_tensors="pt")
    absent = model(pixel_values=pixels(data.images), **wrong).logits.sigmoid().max(-1).values.max(1).values
    return (
        f"detector: box IoU {(inter / union).mean():.3f}; score of the true name, 5th percentile "
        f"{score.quantile(0.05):.2f}; of an absent name, 95th percentile {absent.quantile(0.95):.2f}"
    )
