"""Figure 9: grouped bars, mean ± SD per item and system.

Object-oriented matplotlib only: the researcher's page calls this from several threads, where
pyplot's global figure list would leak and mix.
"""

from __future__ import annotations

import io
import textwrap
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, withStroke

from analysis.describe import Description, half_up
from analysis.measures import Item
from analysis.model import Condition
from analysis.pdf_fonts import outlines_only

Theme = Literal["light", "dark"]
Format = Literal["png", "svg", "pdf"]
Cells = Mapping[tuple[Item, Condition], Description]

SIMULATED = "SIMULATED DATA"
WIDTH_IN, HEIGHT_IN, DPI = 3.6, 3.0, 300
"""One journal column, at the resolution printers ask for."""
PLOT_WIDTH_IN = 3.1
"""What the axis leaves of the width, roughly."""
DIGIT_WIDE_PT, NUMBER_TALL_PT = 3.625, 5.8
"""A character of a mean in Figure 9, and how tall they are."""
MOST_TICKS = 11
"""A longer scale has a tick at every fifth of it."""
PNG_LEVEL = 4
"""zlib's level: a third of the time of the usual 6 for a file a tenth larger."""

# Set once for the process and never changed: element ids of an SVG then depend on its content only.
mpl.rcParams["svg.hashsalt"] = "skingen-figure-9"
mpl.rcParams["pdf.fonttype"] = 42  # TrueType: text in a PDF can be searched and edited
WITHOUT_DATE: dict[Format, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_drawing = threading.Lock()  # matplotlib's font and glyph caches are shared and not thread-safe


@dataclass(frozen=True)
class Palette:
    """Colours that stay apart for colour-blind readers and in grey print; bars in the systems' order."""

    background: str
    ink: str
    grid: str
    warning: str
    bars: tuple[str, ...]


PALETTES: dict[Theme, Palette] = {
    "light": Palette("#FFFFFF", "#0E171C", "#D5DDDF", "#8A1F2B", ("#7F8D97", "#A85400", "#083F6B")),
    "dark": Palette("#12191D", "#E9EFF1", "#33424A", "#FF9AA2", ("#7A8790", "#E39A45", "#B5DDF8")),
}


def figure9(cells: Cells, *, theme: Theme = "light", simulated: bool = False) -> Figure:
    """Draw mean ± SD of every repeated item in every condition.

    Args:
        cells: from ``tables.describe_conditions``.
        simulated: stamp the figure, so that it can never pass for a result.

    Raises:
        ValueError: no cells, or more conditions than there are colours.
    """
    items = list(dict.fromkeys(item for item, _ in cells))
    conditions = list(dict.fromkeys(condition for _, condition in cells))
    palette = PALETTES[theme]
    if not items or len(conditions) > len(palette.bars):
        raise ValueError(f"Figure 9 draws 1 to {len(palette.bars)} systems, not {len(conditions)}.")
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI, layout="constrained", facecolor=palette.background)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, condition in enumerate(conditions):
        column = {item: cells[item, condition] for item in items}
        _draw_bars(axes, column, place, len(conditions), condition.label, _wide(cells), palette)
    _dress(axes, items, cells, palette)
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside upper center",
        ncols=len(conditions),
        fontsize=6.5,
        frameon=False,
        labelcolor=palette.ink,
        columnspacing=1.2,
        handlelength=1.0,
        handletextpad=0.4,
        title=SIMULATED if simulated else None,
        title_fontproperties={"size": 8, "weight": "bold"},
    )
    if simulated:
        _stamp(figure, axes, palette)
    laid_out(figure)
    return figure


def by_scale(cells: Cells) -> tuple[Cells, ...]:
    """The cells of each figure: what is rated on different scales does not share an axis."""
    scales = dict.fromkeys((item.scale_min, item.scale_max) for item, _ in cells)
    return tuple(
        {
            (item, condition): cell
            for (item, condition), cell in cells.items()
            if (item.scale_min, item.scale_max) == scale
        }
        for scale in scales
    )


def laid_out(figure: Figure) -> None:
    """Find the places once, for every kind of file and not anew for each."""
    engine = figure.get_layout_engine()
    if engine is not None:
        with _drawing:
            engine.execute(figure)
        figure.set_layout_engine(None)


def render(figure: Figure, kind: Format) -> bytes:
    """The file's bytes; the same figure gives the same bytes (no date, no random ids)."""
    buffer = io.BytesIO()
    how: dict[str, Any] = {"pil_kwargs": {"compress_level": PNG_LEVEL}} if kind == "png" else {}
    with _drawing, outlines_only():
        figure.savefig(
            buffer, format=kind, dpi=DPI, metadata=WITHOUT_DATE[kind], facecolor=figure.get_facecolor(), **how
        )
    return buffer.getvalue()


def figure9_bytes(cells: Cells, *, theme: Theme = "light", kind: Format = "png", simulated: bool = False) -> bytes:
    """Figure 9 as PNG (300 dpi) or SVG: what the page shows and what the export holds."""
    return render(figure9(cells, theme=theme, simulated=simulated), kind)


def n_label(cells: Cells) -> str:
    """``n = 40`` where every cell has as many, else the range."""
    numbers = [cell.n for cell in cells.values()]
    low, high = min(numbers), max(numbers)
    return f"n = {low}" if low == high else f"n = {low} to {high} per bar"


def alt_text(cells: Cells) -> str:
    """What Figure 9 shows, for readers who do not see it."""
    parts = []
    for item in dict.fromkeys(item for item, _ in cells):
        values = ", ".join(f"{condition.label} {cell.mean_sd}" for (of, condition), cell in cells.items() if of == item)
        parts.append(f"{item.name}: {values}.")
    return f"Bar chart of mean ± SD ratings by system, {n_label(cells)}. " + " ".join(parts)


def _draw_bars(
    axes: Axes, column: Mapping[Item, Description], place: int, of: int, label: str, wide: float, palette: Palette
) -> None:
    """One system's bars: place ``place`` of ``of`` in every item's group; the means (``wide`` points) stand below."""
    width = 0.8 / of
    xs = [group + (place - (of - 1) / 2) * width for group in range(len(column))]
    axes.bar(
        xs,
        [0.0 if cell.mean is None else cell.mean - item.scale_min for item, cell in column.items()],
        width * 0.9,
        bottom=[item.scale_min for item in column],
        color=palette.bars[place],
        edgecolor=palette.ink,
        linewidth=0.4,
        label=label,
    )
    spread = [(x, cell.mean, cell.sd) for x, cell in zip(xs, column.values(), strict=True) if cell.sd is not None]
    if spread:
        at, means, sds = (list(ends) for ends in zip(*spread, strict=True))
        style: dict[str, Any] = {"ecolor": palette.ink, "capsize": 2, "elinewidth": 0.8, "capthick": 0.8}
        halo: list[AbstractPathEffect] = [withStroke(linewidth=2.2, foreground=palette.background)]
        for artist in axes.errorbar(at, means, sds, fmt="none", **style).get_children():
            artist.set_path_effects(halo)
    _write_means(axes, xs, column.values(), of, wide, palette)


def _write_means(
    axes: Axes, xs: Sequence[float], cells: Iterable[Description], of: int, wide: float, palette: Palette
) -> None:
    """Below the axis, where neither a bar nor a whisker can hide a number, nor a number them."""
    room = _room(len(xs), of)
    if room < NUMBER_TALL_PT:  # the table has them
        return
    texts = [half_up(cell.mean) for cell in cells]
    at: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    how: dict[str, Any] = {"fontsize": 5.5, "color": palette.ink, "rotation": 0 if room >= wide else 90}
    for x, text in zip(xs, texts, strict=True):
        axes.annotate(text, (x, 0), (0, -2), ha="center", va="top", **at, **how)


def _wide(cells: Cells) -> float:
    """Points that the longest mean takes."""
    return DIGIT_WIDE_PT * max(len(half_up(cell.mean)) for cell in cells.values())


def _room(items: int, systems: int) -> float:
    """Points of paper between the middles of two bars."""
    return 0.8 / systems * PLOT_WIDTH_IN * 72 / (items + 0.1)


def _dress(axes: Axes, items: Sequence[Item], cells: Cells, palette: Palette) -> None:
    low = min(item.scale_min for item in items)
    high = max(item.scale_max for item in items)
    known = [(cell.mean, cell.sd or 0) for cell in cells.values() if cell.mean is not None]
    top, bottom = max([high, *(m + sd for m, sd in known)]), min([low, *(m - sd for m, sd in known)])
    margin = 0.02 * (high - low)  # a whisker may end beyond the scale
    axes.set_ylim(bottom - margin if bottom < low else low, top + margin)
    axes.set_yticks(range(low, high + 1, 1 if high - low < MOST_TICKS else round((high - low) / 5)))
    axes.set_xlim(-0.55, len(items) - 0.45)
    width = max(12, round(42 / len(items)))
    axes.set_xticks(range(len(items)), [textwrap.fill(item.name, width) for item in items])
    axes.set_ylabel("Rating (mean ± SD)", fontsize=7, color=palette.ink)
    axes.set_xlabel(f"Bars: mean. Whiskers: ± SD. {n_label(cells)}", fontsize=6.5, color=palette.ink)
    axes.tick_params(labelsize=7, color=palette.ink, labelcolor=palette.ink, width=0.6)
    room = _room(len(items), len(cells) // len(items))
    wide = _wide(cells)
    below = 0 if room < NUMBER_TALL_PT else 6.5 if room >= wide else wide + 0.5
    axes.tick_params(axis="x", length=0, pad=3.5 + below)
    axes.set_axisbelow(True)
    axes.yaxis.grid(True, color=palette.grid, linewidth=0.6)
    axes.set_facecolor(palette.background)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(palette.ink)
        spine.set_linewidth(0.6)


def _stamp(figure: Figure, axes: Axes, palette: Palette) -> None:
    """Above the figure for the reader, and across it so that cropping does not remove it."""
    figure.legends[0].get_title().set_color(palette.warning)
    axes.text(
        0.5,
        0.55,
        SIMULATED,
        transform=axes.transAxes,
        rotation=28,
        ha="center",
        va="center",
        fontsize=19,
        fontweight="bold",
        color=palette.warning,
        alpha=0.6,
        path_effects=[withStroke(linewidth=2, foreground=palette.background)],
        zorder=10,
    )


def readable_on(colour: str) -> str:
    """Near-black or white, whichever contrasts more (WCAG relative luminance)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#FFFFFF" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.0575 else "#0E171C"
