"""DINOv2's encoder by self-distillation, without any label, for scores of generated pictures only.

A student that sees small and large views of a photo predicts what its own moving average, the teacher, says of other
large views (Caron et al. 2021; DINOv2, Oquab et al. 2023, whose image-level part this is). The teacher's answers are
centred and sharpened, so that neither one answer for all nor an even one for each can win.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import Dinov2Config, Dinov2Model

from pipeline.phantom import LABELS
from pipeline.training.data import SIZE, phantoms
from pipeline.training.distort import blurred, jittered, noised, placed
from pipeline.training.loop import Schedule, pick, pixels, train
from pipeline.training.session import Session

LOCAL = SIZE // 2
"""Pixels on a side of the small views."""


def build(settings: dict[str, Any]) -> Dinov2Model:
    return Dinov2Model(
        Dinov2Config(
            hidden_size=settings["width"],
            num_hidden_layers=settings["layers"],
            num_attention_heads=4,
            mlp_ratio=3,
            image_size=SIZE,
            patch_size=12,
            attn_implementation="eager",  # with so few tokens twice as fast on a processor as the fused one
        )
    )


class Network(nn.Module):
    """Encoder and projection head: pictures (B, 3, H, W) -> scores of (B, prototypes)."""

    def __init__(self, encoder: Dinov2Model, prototypes: int) -> None:
        super().__init__()
        width = encoder.config.hidden_size
        self.encoder = encoder
        self.head = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.last = nn.utils.parametrizations.weight_norm(nn.Linear(width, prototypes, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.normalize(self.head(self.encoder(x).pooler_output), dim=-1))


class Distillation(nn.Module):
    """Student, teacher and the centre of the teacher's answers."""

    centre: Tensor

    def __init__(self, student: Network, prototypes: int) -> None:
        super().__init__()
        self.student = student
        self.teacher = copy.deepcopy(student).requires_grad_(False)
        self.register_buffer("centre", torch.zeros(prototypes))

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """The teacher becomes ``momentum`` of itself and the rest of the student."""
        for own, other in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            own.lerp_(other, 1 - momentum)

    @torch.no_grad()
    def targets(self, views: list[Tensor], temperature: float, momentum: float = 0.9) -> list[Tensor]:
        """What the teacher says of each view, (B, prototypes), rows summing to 1; moves the centre."""
        scores = [self.teacher(v).float() for v in views]
        said = [F.softmax((s - self.centre) / temperature, dim=1) for s in scores]
        self.centre.lerp_(torch.cat(scores).mean(0), 1 - momentum)
        return said


def distillation_loss(targets: list[Tensor], answers: list[Tensor], temperature: float) -> Tensor:
    """Mean cross entropy of every answer with every target but the one of the same view.

    answers: the first ``len(targets)`` are of the same views as the targets, in order
    """
    losses = [
        -(target * F.log_softmax(answer.float() / temperature, dim=1)).sum(1).mean()
        for i, target in enumerate(targets)
        for j, answer in enumerate(answers)
        if i != j
    ]
    return torch.stack(losses).mean()


def run(session: Session) -> None:
    """Train and write the teacher's encoder to ``dino/``."""
    settings = session.recipe("dino")
    torch.manual_seed(settings["seed"])
    data = phantoms("train", settings["phantoms"], clear=0.05)
    model = Distillation(Network(build(settings), settings["prototypes"]), settings["prototypes"])

    def step_loss(step: int, generator: torch.Generator) -> Tensor:
        model.follow(settings["momentum"])
        x = pixels(data.images[pick(generator, len(data), settings["batch"])])
        large = [
            noised(jittered(placed(x, SIZE, settings["large"], generator), generator), generator) for _ in range(2)
        ]
        large[1] = blurred(large[1], 0.8)
        small = [
            jittered(placed(x, LOCAL, settings["small"], generator), generator) for _ in range(settings["small_views"])
        ]
        targets = model.targets(large, settings["teacher_temperature"])
        answers = [*model.student(torch.cat(large)).chunk(2), *model.student(torch.cat(small)).chunk(len(small))]
        return distillation_loss(targets, answers, settings["student_temperature"])

    schedule = Schedule(session.steps or settings["steps"], settings["lr"], warmup=100, save_every=200)
    train(session, "dino", model, step_loss, schedule)
    _report(model.teacher.encoder)
    model.teacher.encoder.half().save_pretrained(session.pack / "dino")


@torch.no_grad()
def _report(encoder: Dinov2Model) -> None:
    """How often the nearest other phantom is of the same condition, against chance."""
    data = phantoms("validate", 20 * len(LABELS))
    x = F.normalize(
        torch.cat([encoder(pixels(data.images[i : i + 64])).pooler_output for i in range(0, len(data), 64)])
    )
    nearest = (x @ x.T - 2 * torch.eye(len(x))).argmax(1)
    labels, tones = torch.as_tensor(data.labels), torch.as_tensor(data.skin_types)
    same, tone = ((v[nearest] == v).float().mean() for v in (labels, tones))
    print(
        f"dino: nearest neighbour of the same condition {same:.1%} (chance {1 / len(LABELS):.1%}), skin type {tone:.1%}"
    )
