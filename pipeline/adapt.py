"""The adapter manager (paper, section 4.4 and Figure 8): which LoRA, and IP-Adapter or not, for each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from pipeline.types import AdapterPlan, Case


@dataclass(frozen=True)
class Lora:
    """One LoRA file and the labels it was trained for ("*": any)."""

    name: str
    file: str
    labels: tuple[str, ...]
    weight: float


@dataclass(frozen=True)
class AdapterManager:
    """Reads adapters.yaml: ``loras`` (name, file, labels, weight) and ``ip_adapter`` (a file name)."""

    folder: Path
    loras: tuple[Lora, ...]
    ip_adapter: str
    ip_adapter_scale: float
    least_similarity: float

    @classmethod
    def load(cls, folder: Path, ip_adapter_scale: float, least_similarity: float) -> AdapterManager:
        raw = yaml.safe_load((folder / "adapters.yaml").read_text())
        loras = tuple(Lora(r["name"], r["file"], tuple(r["labels"]), float(r["weight"])) for r in raw["loras"])
        return cls(folder, loras, raw["ip_adapter"], ip_adapter_scale, least_similarity)

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
