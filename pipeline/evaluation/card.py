"""The pack's model card, written from measured figures and never by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors import safe_open

from pipeline.evaluation.figures import Figure
from pipeline.phantom import HELD_OUT, LABELS
from pipeline.weights import fingerprint, weight_files

FIGURES, CARD, REMARKS = "figures.json", "MODEL_CARD.md", "remarks.md"

HEAD = """# Model card of the embedded pack

Demonstration models. They were trained on phantoms (drawn photographs of skin, `pipeline/phantom`), have never seen a
person's skin, and must not be used for diagnosis nor in a real study. Their only use is to run the real code of
SkinGEN on any machine: same classes, same file formats, small weights.

Licence: Apache-2.0, like the code that drew the data. No photograph of a person and no downloaded weight went into
them. This file is written by `python -m pipeline evaluate pack`; do not edit it.
"""

TABLE = """| what | value | n | worst group | goal | holds |
|---|---|---|---|---|---|"""


def row(figure: Figure) -> str:
    """One line of the table."""
    holds = {True: "yes", False: "**no**", None: ""}[figure.holds]
    where = " (this machine)" if figure.this_machine else ""
    value = f"{figure.said} {figure.interval_said}".rstrip()
    counted = f"{figure.n}, of {figure.different}" if figure.different else str(figure.n)
    cells = (figure.what + where, value, counted, figure.worst_said, figure.goal, holds)
    return f"| {' | '.join(cells)} |"


def missed(figures: Sequence[Figure]) -> list[str]:
    """One sentence for each figure that does not reach its goal, worst group included where that is what misses."""
    sentences = []
    for figure in figures:
        if figure.holds is False:
            worst = f" (worst: {figure.worst_said})" if figure.worst_said else ""
            sentences.append(f"{figure.what}: {figure.said}{worst}; the goal is {figure.goal}.")
    return sentences


def differences(before: Sequence[Figure], now: Sequence[Figure]) -> list[str]:
    """What a second run measured differently, in words; seconds and memory of a machine are left out."""
    first, second = ({f.what: f for f in figures if not f.this_machine} for figures in (before, now))
    return [
        f"{what}: {_words(first.get(what))}, now {_words(second.get(what))}"
        for what in dict.fromkeys((*first, *second))
        if first.get(what) != second.get(what)
    ]


def _words(figure: Figure | None) -> str:
    return "not measured" if figure is None else f"{figure.value!r} of {figure.n} {figure.worst_said}".rstrip()


def read_figures(pack: Path) -> list[Figure]:
    """What was measured last. Raises FileNotFoundError before the first whole evaluation."""
    return [Figure.from_json(row) for row in json.loads((pack / FIGURES).read_text())["figures"]]


def are_of_these_weights(pack: Path) -> bool:
    """Whether the figures were measured on the weights that are there."""
    return bool(json.loads((pack / FIGURES).read_text())["weights"] == fingerprint(pack))


def write_figures(pack: Path, figures: Sequence[Figure]) -> None:
    """``figures.json`` in the pack's folder, with the digest of the weights that were measured."""
    content = {"weights": fingerprint(pack), "figures": [f.as_json() for f in figures]}
    (pack / FIGURES).write_text(json.dumps(content, indent=1) + "\n")


def renewed(before: Sequence[Figure], measured: Sequence[Figure]) -> list[Figure]:
    """``before`` with what was ``measured`` anew in place of the same figures, in their order; new ones at the end."""
    news = {figure.what: figure for figure in measured}
    return [*(news.pop(figure.what, figure) for figure in before), *news.values()]


def write_card(pack: Path) -> Path:
    """``MODEL_CARD.md`` from the pack's ``figures.json``, weights and logs, and ``remarks.md`` where there is one."""
    figures = read_figures(pack)
    sections = (_missed(figures), _table(figures), _remarks(pack), _roles(pack), _training(pack))
    (pack / CARD).write_text("\n".join([HEAD, *(line for lines in sections for line in lines)]))
    return pack / CARD


def _missed(figures: Sequence[Figure]) -> list[str]:
    aimed = [f for f in figures if f.holds is not None]
    sentences = missed(aimed)
    if not sentences:
        return ["## What does not hold", "", f"All {len(aimed)} figures with a goal reach it.", ""]
    verb = "does" if len(sentences) == 1 else "do"
    counted = f"{len(sentences)} of the {len(aimed)} figures with a goal {verb} not reach it:"
    return ["## What does not hold", "", counted, "", *(f"- {s}" for s in sentences), ""]


def _table(figures: Sequence[Figure]) -> list[str]:
    how = (
        "Phantoms of seeds that no training used, balanced over conditions and skin types. A second run gives the same "
        "numbers, those of this machine excepted. In brackets: 95 % interval over the wordings, which are few."
    )
    return ["## Figures on unseen phantoms", "", how, "", TABLE, *map(row, figures), ""]


def _remarks(pack: Path) -> list[str]:
    path = pack / REMARKS
    return ["## What was tried", "", path.read_text().strip(), ""] if path.exists() else []


def _roles(pack: Path) -> list[str]:
    sizes = {p.name: parameters(p) for p in sorted(pack.iterdir()) if p.is_dir() and weight_files(p)}
    return [
        "## Roles",
        "",
        "| folder | parameters | size |",
        "|---|---|---|",
        *(f"| {name} | {n:.2f} M | {mb:.1f} MB |" for name, (n, mb) in sizes.items()),
        f"| all | {sum(n for n, _ in sizes.values()):.2f} M | {sum(mb for _, mb in sizes.values()):.1f} MB |",
        "",
    ]


def parameters(folder: Path) -> tuple[float, float]:
    """(millions of parameters, megabytes) of a role's weights."""
    total = 0
    for path in weight_files(folder):
        with safe_open(path, "pt") as file:
            total += sum(int(file.get_tensor(k).numel()) for k in file.keys())  # noqa: SIM118 (not a dict)
    return total / 1e6, sum(p.stat().st_size for p in weight_files(folder)) / 1e6


def _training(pack: Path) -> list[str]:
    return [
        "## Training",
        "",
        "One part: `python -m pipeline train PART`; all: `make pack`. Seeds, settings: `pipeline/training/recipes`.",
        "",
        "| part | steps | last loss | minutes, about |",
        "|---|---|---|---|",
        *(_training_row(path) for path in sorted((pack / "logs").glob("*.jsonl"))),
        "",
        f"Conditions: {', '.join(LABELS)}. Kept out of all base training, known to its LoRA only: {HELD_OUT}.",
        "",
    ]


def _training_row(log: Path) -> str:
    """From the log that `pipeline.training.loop` keeps with the pack: one JSON object for every 20 steps.

    Minutes add up the pace of each row's sitting, so that a training in several sittings is counted whole.
    """
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    paces = {row["step"]: row["s_per_step"] for row in rows}  # steps done again after a kill count once
    last = rows[-1]
    minutes = last["step"] * sum(paces.values()) / len(paces) / 60
    return f"| {log.stem} | {last['step']} | {last['loss']} | {minutes:.0f} |"
