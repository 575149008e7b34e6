"""The pack's model card, written from measured figures and never by hand."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from safetensors import safe_open

from pipeline.evaluation.pack import Figure
from pipeline.phantom import HELD_OUT, LABELS
from pipeline.weights import weight_files

HEAD = """# Model card of the embedded pack

Demonstration models. They were trained on phantoms (drawn photographs of skin, `pipeline/phantom`), have never seen a
person's skin, and must not be used for diagnosis nor in a real study. Their only use is to run the real code of
SkinGEN on any machine: same classes, same file formats, small weights.

Licence: Apache-2.0, like the code that drew the data. No photograph of a person and no downloaded weight went into
them. This file is written by `python -m pipeline evaluate pack`; do not edit it.
"""


def parameters(folder: Path) -> tuple[float, float]:
    """(millions of parameters, megabytes) of a role's weights."""
    total = 0
    for path in weight_files(folder):
        with safe_open(path, "pt") as file:
            total += sum(int(file.get_tensor(k).numel()) for k in file.keys())  # noqa: SIM118 (not a dict)
    return total / 1e6, sum(p.stat().st_size for p in weight_files(folder)) / 1e6


def row(figure: Figure) -> str:
    digits = 2 if figure.unit in {"", "s"} else 1
    return f"| {figure.what} | {figure.value:.{digits}f} {figure.unit} | {figure.n} | {figure.worst} |"


def write(pack: Path, figures: list[Figure]) -> None:
    """``figures.json`` and ``MODEL_CARD.md`` in the pack's folder."""
    (pack / "figures.json").write_text(json.dumps([dataclasses.asdict(f) for f in figures], indent=1) + "\n")
    lines = [HEAD, "## Figures on unseen phantoms", "", "| what | value | n | worst group |", "|---|---|---|---|"]
    lines += [row(f) for f in figures]
    lines += ["", "## Roles", "", "| folder | parameters | size |", "|---|---|---|"]
    folders = sorted(p for p in pack.iterdir() if p.is_dir() and weight_files(p))
    sizes = {p.name: parameters(p) for p in folders}
    lines += [f"| {name} | {n:.2f} M | {mb:.1f} MB |" for name, (n, mb) in sizes.items()]
    lines += [f"| all | | {sum(mb for _, mb in sizes.values()):.1f} MB |", "", "## Training", ""]
    lines += [
        "One part: `python -m pipeline train PART`; all: `make pack`. Seeds, settings: `pipeline/training/recipes`.",
        "",
    ]
    lines += ["| part | steps | last loss | minutes, about |", "|---|---|---|---|"]
    lines += [_training_row(path) for path in sorted((pack / "logs").glob("*.jsonl"))]
    lines += [
        "",
        f"Conditions: {', '.join(LABELS)}. Kept out of all base training, known to its LoRA only: {HELD_OUT}.",
        "",
    ]
    (pack / "MODEL_CARD.md").write_text("\n".join(lines))


def _training_row(log: Path) -> str:
    """From the log that `pipeline.training.loop` keeps with the pack: one JSON object for every 20 steps.

    Minutes add up the pace of each row's sitting, so that a training in several sittings is counted whole.
    """
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    paces = {row["step"]: row["s_per_step"] for row in rows}  # steps done again after a kill count once
    last = rows[-1]
    minutes = last["step"] * sum(paces.values()) / len(paces) / 60
    return f"| {log.stem} | {last['step']} | {last['loss']} | {minutes:.0f} |"
