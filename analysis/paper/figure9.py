"""Figure 9 as far as it is known: the nine unpublished cells are drawn as unknown, Table 5 from the reconstruction.

No bar stands where no number was printed. What is known is said in the picture itself, so that a copy of the picture
cannot lose it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.describe import half_up
from analysis.figures import PALETTES
from analysis.paper.comparison import Compared
from analysis.paper.published import Published
from analysis.paper.reconstruction_csv import CONDITIONS

WIDTH_IN, HEIGHT_IN, DPI = 7.2, 3.6, 300
PALETTE = PALETTES["light"]
UNKNOWN = "UNKNOWN: never published as numbers"
KNOWN = "RECONSTRUCTION: one of many possible data sets"


@dataclass(frozen=True)
class Bar:
    """One statement of Table 5: what the report computed, and whether the paper prints the same."""

    statement: str
    mean: float
    sd: float
    n: int
    published: str
    equal: bool


def bars(compared: Sequence[Compared], table5: pd.DataFrame) -> tuple[Bar, ...]:
    """Table 5's rows, in order; ``table5`` is the report's (question, mean, sd, n)."""
    computed = {str(row["question"]): row for row in table5.to_dict("records")}
    cells = [row for row in compared if row.cell.table == "table5"]
    found = []
    for statement in dict.fromkeys(row.cell.row for row in cells):
        mean, sd = (row for row in cells if row.cell.row == statement)
        both = f"{mean.cell.value} ± {sd.cell.value}"
        row = computed[statement]
        found.append(Bar(statement, float(row["mean"]), float(row["sd"]), int(row["n"]), both, mean.equal and sd.equal))
    return tuple(found)


def draw(facts: Published, known: Sequence[Bar]) -> Figure:
    """Two panels: Figure 9's statements and systems, all unknown; Table 5's statements, reconstructed."""
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI, layout="constrained", facecolor=PALETTE.background)
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1])
    _unknown(left, facts)
    _reconstructed(right, facts, known)
    figure.suptitle(_line(facts), fontsize=6.5, color=PALETTE.ink)
    return figure


def alt_text(facts: Published, known: Sequence[Bar]) -> str:
    """What the picture shows, for readers who do not see it."""
    cells = ", ".join(f"{bar.statement} {half_up(bar.mean)} ± {half_up(bar.sd)}" for bar in known)
    return (
        f"Left: {len(facts.rows('skingen', 'figure9'))} statements by {len(CONDITIONS)} systems, each place empty and "
        f"marked with a question mark; {UNKNOWN}. Right, {KNOWN.lower()}: {cells}."
    )


def _line(facts: Published) -> str:
    places = facts.select("skingen", "figure9")
    unknown = sum(not cell.value for cell in places)
    return (
        f"Figure 9 of SkinGEN: {unknown} of its {len(places)} means and SDs exist only as a picture. "
        "Nothing on the left is a value of the paper."
    )


def _unknown(axes: Axes, facts: Published) -> None:
    """No bars and no scale: a hatched plane, and in it one question mark for each bar."""
    statements = facts.rows("skingen", "figure9")
    axes.axhspan(0, 1, facecolor="none", edgecolor=PALETTE.grid, hatch="////", linewidth=0)
    for group, statement in enumerate(statements):
        for place, (key, label) in enumerate(CONDITIONS.items()):
            if any(facts.cell("skingen", "figure9", statement, f"{key}: {what}").value for what in ("mean", "sd")):
                raise ValueError(f"{statement}, {key}: a published number must be drawn, not marked as unknown")
            axes.text(
                group + 0.27 * (place - (len(CONDITIONS) - 1) / 2),
                0.5,
                f"{label}:  ?",
                rotation=90,
                ha="center",
                va="center",
                fontsize=6.5,
                color=PALETTE.ink,
                bbox={"facecolor": PALETTE.background, "edgecolor": "none", "pad": 2},
            )
    names = [f"{_wrapped(name, 13)}\n\n{_wrapped(_words(facts, name), 16)}" for name in statements]
    axes.set_xticks(range(len(statements)), names)
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.5, len(statements) - 0.5)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_ylabel("Rating: not published", fontsize=6.5, color=PALETTE.ink)
    _dress(axes, f"{UNKNOWN}\nmean and SD of all bars; below, what section 5.3 says in words")


def _wrapped(text: str, width: int) -> str:
    return textwrap.fill(text, width, break_long_words=False)


def _words(facts: Published, statement: str) -> str:
    """``SkinGPT < SkinGPT + cases < SkinGEN``, or the two that are below the third."""
    first, second = (cell.column.split(" < ") for cell in facts.select("skingen", "figure9 in words", statement))
    chain = [*first, second[1]] if first[1] == second[0] else [f"{first[0]} and {second[0]}", second[1]]
    text = " < ".join(chain)
    for key, label in CONDITIONS.items():
        text = text.replace(key, label.removesuffix(" (text)"))
    return text


def _reconstructed(axes: Axes, facts: Published, known: Sequence[Bar]) -> None:
    low, high = facts.scale
    for place, bar in enumerate(known):
        axes.barh(place, bar.mean - low, 0.62, left=low, color=PALETTE.bars[0], edgecolor=PALETTE.ink, linewidth=0.4)
        axes.errorbar(bar.mean, place, xerr=bar.sd, color=PALETTE.ink, capsize=2, linewidth=0.8, capthick=0.8)
        text = f"{half_up(bar.mean)} ± {half_up(bar.sd)}"
        text += ", as printed" if bar.equal else f", NOT the printed {bar.published}"
        axes.text(low + 0.06, place, text, va="center", fontsize=5.5, color=PALETTE.ink)
    axes.set_yticks(range(len(known)), [_wrapped(bar.statement, 24) for bar in known])
    axes.invert_yaxis()
    axes.set_xlim(low, max([high, *(bar.mean + bar.sd for bar in known)]) + 0.1)
    axes.set_xticks(range(low, high + 1))
    people = " or ".join(str(n) for n in sorted({bar.n for bar in known}))
    axes.set_xlabel(f"Rating (mean ± SD), n = {people}", fontsize=6.5, color=PALETTE.ink)
    _dress(axes, f"{KNOWN}\nthe statements rated once (Table 5)")


def _dress(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=6.5, color=PALETTE.warning if title.startswith(UNKNOWN) else PALETTE.ink)
    axes.tick_params(labelsize=6, color=PALETTE.ink, labelcolor=PALETTE.ink, width=0.6)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(PALETTE.ink)
        spine.set_linewidth(0.6)
