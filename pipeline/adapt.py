"""The adapter manager (paper, section 4.4 and Figure 8): which LoRA, and IP-Adapter or not, for each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

from pipeline.types import AdapterPlan, Case


class AdapterSet(NamedTuple):
    """What the generator wears for one batch; it is the same for all pictures of the batch."""

    lora: str | None
    lora_weight: float
    ip_adapter_scale: float
    """Of the orders with a reference; an order whose plan says 0 gets nothing of it."""


def drawn_together(plans: Sequence[AdapterPlan]) -> dict[AdapterSet, tuple[int, ...]]:
    """Which plans can be one batch: adapter set -> places in ``plans``.

    A LoRA changes the weights for the whole batch. The IP-Adapter's scale is also one for the whole batch, but 0 is
    possible beside any other, so a plan without a reference joins the first batch of the same LoRA.
    """
    sets: dict[AdapterSet, list[int]] = {}
    for i, plan in enumerate(plans):
        if plan.ip_adapter_scale:
            sets.setdefault(AdapterSet(plan.lora, plan.lora_weight, plan.ip_adapter_scale), []).append(i)
    for i, plan in enumerate(plans):
        if not plan.ip_adapter_scale:
            alone = AdapterSet(plan.lora, plan.lora_weight, 0.0)
            sets.setdefault(next((s for s in sets if s[:2] == alone[:2]), alone), []).append(i)
    return {worn: tuple(sorted(places)) for worn, places in sets.items()}


@dataclass(frozen=True)
class Lora:
    """One LoRA file and the labels it was trained for ("*": any)."""

    name: str
    file: str
    labels: tuple[str, ...]
    weight: float
    sha256: str | None = None
    """Of the file; another file is refused"""


@dataclass(frozen=True)
class AdapterManager:
    """Reads adapters.yaml: ``loras`` (name, file, labels, weight, perhaps sha256), perhaps ``ip_adapter`` (a file)."""

    folder: Path
    loras: tuple[Lora, ...]
    ip_adapter: str | None
    """None: no IP-Adapter here; a profile may name one as a role"""
    ip_adapter_scale: float
    least_similarity: float

    @classmethod
    def load(cls, folder: Path, ip_adapter_scale: float, least_similarity: float) -> AdapterManager:
        raw = yaml.safe_load((folder / "adapters.yaml").read_text())
        loras = tuple(
            Lora(r["name"], r["file"], tuple(r["labels"]), float(r["weight"]), r.get("sha256"))
            for r in raw.get("loras") or ()
        )
        return cls(folder, loras, raw.get("ip_adapter"), ip_adapter_scale, least_similarity)

    def plan(self, label: str, cases: Sequence[Case]) -> AdapterPlan:
        """With similar cases LoRA + IP-Adapter, without them LoRA alone.

        The LoRA trained for this very label goes before one for all; a case is similar when it is of the label and
        its similarity reaches ``least_similarity``.
        """
        fitting = [r for r in self.loras if label in r.labels] or [r for r in self.loras if "*" in r.labels]
        lora = fitting[0] if fitting else None
        similar = tuple(c.case_id for c in cases if c.label == label and c.similarity >= self.least_similarity)
        return AdapterPlan(
            label=label,
            lora=lora.name if lora else None,
            lora_weight=lora.weight if lora else 0.0,
            ip_adapter_scale=self.ip_adapter_scale if similar else 0.0,
            reference_cases=similar,
        )
