"""CLIP text and vision encoders, trained contrastively on phantoms and their captions.

The text encoder conditions the image generator; the vision encoder is the IP-Adapter's; both together
retrieve cases. Phantoms with the same caption are positives of each other.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from pipeline.phantom import LABELS
from pipeline.training.augment import cropped, lit, turned
from pipeline.training.data import SIZE, Phantoms, phantoms
from pipeline.training.loop import Schedule, pick, pixels, train
from pipeline.training.session import Session
from pipeline.training.text import PROMPT, clip_corpus, clip_tokenizer


class WithHeads(nn.Module):
    """CLIP with condition and skin-type heads on the image embedding; the heads are not shipped."""

    def __init__(self, clip: CLIPModel, width: int) -> None:
        super().__init__()
        self.clip = clip
        self.condition = nn.Linear(width, len(LABELS) + 1)
        self.skin_type = nn.Linear(width, 6)


def build(settings: dict, vocabulary: int) -> CLIPModel:
    width, layers = settings["width"], settings["layers"]
    shared = {"hidden_size": width, "intermediate_size": width * 3, "num_attention_heads": 4}
    return CLIPModel(
        CLIPConfig(
            text_config={
                **shared,
                "vocab_size": vocabulary,
                "num_hidden_layers": layers,
                "max_position_embeddings": 40,
                "bos_token_id": vocabulary - 2,
                "eos_token_id": vocabulary - 1,  # 2 would trigger an old pooling rule that hides words
                "pad_token_id": vocabulary - 1,
                "projection_dim": settings["projection"],
            },
            vision_config={
                **shared,
                "image_size": SIZE,
                "patch_size": 12,
                "num_hidden_layers": layers + 1,
                "projection_dim": settings["projection"],
            },
            projection_dim=settings["projection"],
        )
    )


def texts(data: Phantoms, rows: list[int], generator: torch.Generator) -> list[str]:
    """The full prompt mostly; at times the caption or the name alone."""
    out = []
    for i, dice in zip(rows, torch.rand(len(rows), generator=generator).tolist(), strict=True):
        label, caption = data.condition(i), data.captions[i]
        if label is None or dice < 0.15:
            out.append(caption)
        else:
            out.append(label if dice < 0.25 else PROMPT.format(label=label, caption=caption))
    return out


def contrast(images: Tensor, words: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """Cross entropy both ways; ``same`` (B, B) marks the pairs that count as positive."""
    logits = scale.exp().clamp(max=50) * F.normalize(images, dim=-1) @ F.normalize(words, dim=-1).T
    target = same / same.sum(1, keepdim=True)
    return F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)


def run(session: Session) -> None:
    """Train and write ``clip/`` (the whole model) for text encoder, image encoder and retrieval."""
    settings = session.recipe("clip")
    torch.manual_seed(settings["seed"])
    data = phantoms("train", settings["phantoms"], clear=0.05)
    tokenizer = _words(session.work / "clip" / "tokenizer")
    model = WithHeads(build(settings, len(tokenizer)), settings["projection"])
    model.clip.set_attn_implementation("eager")  # on a CPU and in bfloat16 twice as fast as "sdpa"

    schedule = Schedule(session.steps or settings["steps"], settings["lr"], tuple(settings["restarts"]), save_every=400)

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        rows = pick(generator, len(data), settings["batch"])
        x = lit(cropped(turned(pixels(data.images[rows]), generator), generator), generator)
        prompts = texts(data, rows, generator)
        tokens = tokenizer(prompts, padding=True, return_tensors="pt")
        out = model.clip(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, pixel_values=x)
        full = [f"{data.labels[i]} {data.captions[i]}" for i in rows]
        same = torch.tensor([[float(a == b) for b in full] for a in full])
        condition = torch.as_tensor(data.labels[rows]) % (len(LABELS) + 1)  # -1, clear skin, is the last class
        # After the restart only the image encoder learns: the image generator is trained on the words as they are.
        words = out.text_embeds.detach() if schedule.again(step) else out.text_embeds
        return (
            contrast(out.image_embeds, words, model.clip.logit_scale, same)
            + F.cross_entropy(model.condition(out.image_embeds), condition)
            + F.cross_entropy(model.skin_type(out.image_embeds), torch.as_tensor(data.skin_types[rows]) - 1)
        )

    train(session, "clip", model, step_loss, schedule)
    _report(model)
    folder = session.pack / "clip"
    model.clip.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _words(kept: Path) -> CLIPTokenizer:
    """Those that a broken-off training began with, or new ones."""
    if not kept.exists():
        clip_tokenizer(clip_corpus()).save_pretrained(kept)
    return CLIPTokenizer.from_pretrained(kept, local_files_only=True)


@torch.no_grad()
def _report(model: WithHeads) -> None:
    data = phantoms("validate", 252)
    out = model.clip.get_image_features(pixel_values=pixels(data.images)).pooler_output
    right = (model.condition(out).argmax(1) == torch.as_tensor(data.labels)).float().mean()
    tone = (model.skin_type(out).argmax(1) == torch.as_tensor(data.skin_types) - 1).float().mean()
    print(f"clip: condition {right:.1%}, skin type {tone:.1%} from the image embedding, unseen phantoms")
