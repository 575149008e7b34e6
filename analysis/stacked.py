"""Diverging stacked bars: how often each point of the scale was chosen, every item and system.

Heiberger & Robbins (2014), "Design of Diverging Stacked Bar Charts for Likert Scales", doi 10.18637/jss.v057.i05.
(R: HH::likert.) Bars are centred on the middle of the scale: what lies right of the line is the upper half.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure

from analysis.describe import Description
from analysis.figures import readable_on
from analysis.measures import MOST_POINTS, Item
from analysis.model import StudyData
from analysis.pictures import NORMAL, PALETTE, SMALL, WIDTH_IN, Picture, box, line, sheet, stamped
from analysis.tables import describe_item

MOST_ROWS = 36
LEFT, RIGHT, TOP, BOTTOM = 1.5, 0.6, 0.5, 0.35
ROW, GROUP, LINE = 0.22, 0.1, 0.13
"""Inches: a bar, the gap after an item, a line of its wording."""
COLOURS = LinearSegmentedColormap.from_list("points", ["#9A4A00", "#F2C087", "#EBEEEF", "#8FB9D6", "#083F6B"])
"""From low to high. The five lightnesses all differ, so that grey print keeps the parts apart."""


@dataclass(frozen=True)
class Group:
    """One item: its wording and one bar per system (or one bar without a name)."""

    item: Item
    bars: tuple[tuple[str, Description], ...]


def pictures(data: StudyData) -> Iterator[Picture]:
    """One figure per scale, and more where there are many items."""
    groups = [group for group in map(partial(_group, data), data.items) if group.bars]
    for number, page in enumerate(_pages(groups), start=1):
        name = "counts" if number == 1 else f"counts_{number}"
        draw = partial(_draw, page, data.simulated)
        yield Picture(name, _caption(page), _alt(page), draw)


def colours(points: int) -> list[str]:
    """The colour of each point of a scale, lowest first."""
    return [to_hex(COLOURS(place / max(points - 1, 1))) for place in range(points)]


def _group(data: StudyData, item: Item) -> Group:
    if item.scale_max - item.scale_min >= MOST_POINTS:
        return Group(item, ())
    cells = (
        [(condition.label, describe_item(data, item, condition)) for condition in data.conditions]
        if item.repeated
        else [("", describe_item(data, item))]
    )
    return Group(item, tuple((label, cell) for label, cell in cells if cell.n and cell.counts))


def _pages(groups: Sequence[Group]) -> Iterator[list[Group]]:
    scales = dict.fromkeys((group.item.scale_min, group.item.scale_max) for group in groups)
    for scale in scales:
        page: list[Group] = []
        for group in groups:
            if (group.item.scale_min, group.item.scale_max) != scale:
                continue
            if page and sum(len(other.bars) for other in [*page, group]) > MOST_ROWS:
                yield page
                page = []
            page.append(group)
        yield page


def _caption(page: Sequence[Group]) -> str:
    item = page[0].item
    return (
        f"Answers to every item, {item.scale_min} (lowest) to {item.scale_max} (highest): how many chose each point. "
        "The line is the middle of the scale. Parts too narrow for their number have it in the tables."
    )


def _alt(page: Sequence[Group]) -> str:
    """Every count, in the order of the bars."""
    item = page[0].item
    points = f"{item.scale_min} to {item.scale_max}"
    said = [
        f"{group.item.name}{f', {label}' if label else ''}: {', '.join(map(str, cell.counts.values()))}."
        for group in page
        for label, cell in group.bars
    ]
    return f"Diverging stacked bars. Number of answers at each point from {points}. " + " ".join(said)


def _wording(group: Group) -> list[str]:
    return textwrap.wrap(group.item.wording, 105)[:3] or [group.item.name]


def _draw(page: Sequence[Group], simulated: bool) -> Figure:
    height = TOP + BOTTOM + sum(len(_wording(g)) * LINE + 0.04 + len(g.bars) * ROW + GROUP for g in page)
    figure, axes = sheet(WIDTH_IN, height)
    span = max(max(_ends(cell)) for group in page for _, cell in group.bars)
    centre, scale = LEFT + (WIDTH_IN - LEFT - RIGHT) / 2, (WIDTH_IN - LEFT - RIGHT) / 2 / span
    y = TOP
    for group in page:
        for wording in _wording(group):
            y += LINE
            ground = {"facecolor": PALETTE.background, "edgecolor": "none", "pad": 0.5}
            axes.text(0.1, y, wording, fontsize=NORMAL, color=PALETTE.ink, va="bottom", bbox=ground)
        y += 0.04
        for label, cell in group.bars:
            _bar(axes, y, label, cell, centre, scale)
            y += ROW
        y += GROUP
    line(axes, [centre, centre], [TOP, y], color=PALETTE.ink, linewidth=0.7, zorder=0.5)
    _axis(axes, y, centre, scale, span)
    _legend(axes, page[0].item)
    return stamped(figure, simulated)


def _ends(cell: Description) -> tuple[float, float]:
    """How far a bar reaches to the left and right of the middle of the scale, in shares of its answers."""
    middle = (min(cell.counts) + max(cell.counts)) / 2
    below = sum(count for point, count in cell.counts.items() if point < middle)
    left = (below + cell.counts.get(int(middle), 0) / 2 if middle.is_integer() else below) / cell.n
    return left, 1 - left


def _bar(axes: Axes, y: float, label: str, cell: Description, centre: float, scale: float) -> None:
    axes.text(LEFT - 0.1, y + ROW / 2, label, fontsize=NORMAL, color=PALETTE.ink, ha="right", va="center")
    axes.text(WIDTH_IN - 0.1, y + ROW / 2, f"n = {cell.n}", fontsize=NORMAL, color=PALETTE.ink, ha="right", va="center")
    x = centre - _ends(cell)[0] * scale
    for count, colour in zip(cell.counts.values(), colours(len(cell.counts)), strict=True):
        width = count / cell.n * scale
        if count:
            edge: dict[str, Any] = {"edgecolor": PALETTE.ink, "linewidth": 0.4}
            box(axes, (x, y + ROW * 0.09), width, ROW * 0.82, facecolor=colour, **edge)
        if width > 0.06 * len(str(count)):
            ink = readable_on(colour)
            axes.text(x + width / 2, y + ROW / 2, str(count), fontsize=SMALL, color=ink, ha="center", va="center")
        x += width


def _axis(axes: Axes, y: float, centre: float, scale: float, span: float) -> None:
    """Percentages on both sides of the middle."""
    for share in range(-100, 101, 25):
        if abs(share) / 100 > span + 0.001:
            continue
        x = centre + share / 100 * scale
        line(axes, [x, x], [TOP, y], color=PALETTE.grid, linewidth=0.5, zorder=0.2)
        axes.text(x, y + 0.03, f"{abs(share)}%", fontsize=SMALL, color=PALETTE.ink, ha="center", va="top")
    axes.text(centre, y + 0.15, "share of the answers", fontsize=NORMAL, color=PALETTE.ink, ha="center", va="top")


def _legend(axes: Axes, item: Item) -> None:
    points = list(range(item.scale_min, item.scale_max + 1))
    step, x = 0.34, LEFT
    for point, colour in zip(points, colours(len(points)), strict=True):
        box(axes, (x, 0.15), step, 0.18, facecolor=colour, edgecolor=PALETTE.ink, linewidth=0.4)
        axes.text(x + step / 2, 0.24, str(point), fontsize=NORMAL, color=readable_on(colour), ha="center", va="center")
        x += step
    axes.text(LEFT - 0.1, 0.24, "lowest", fontsize=NORMAL, color=PALETTE.ink, ha="right", va="center")
    axes.text(x + 0.1, 0.24, "highest", fontsize=NORMAL, color=PALETTE.ink, ha="left", va="center")
