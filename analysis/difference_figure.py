"""Paired differences: how much each participant rated one system above another, item by item and pair by pair.

Means hide how many prefer which; these bars count people. Nothing here is between-subject: no pairs, no figure.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.friedman import DECIMALS
from analysis.measures import Item
from analysis.model import Condition, StudyData
from analysis.pictures import NORMAL, PALETTE, SMALL, WIDTH_IN, Picture, box, line, sheet, stamped

MOST_ROWS = 8
MOST_STEPS = 10
"""A longer scale is divided into so many steps."""
LEFT, TOP, BOTTOM = 1.2, 0.45, 0.2
PLOT, GAP = 0.75, 0.5
"""Inches: a panel's height and what lies below it (axis and numbers)."""
LEAST_WIDTH = 1.7
FEWER, EQUAL, MORE = "#083F6B", "#C9D2D6", "#D9822B"
"""Second system rated higher (dark), equal (light), first higher (middle): the sides tell them apart as well."""


@dataclass(frozen=True)
class Panel:
    """One item and pair: difference (first minus second) -> participants.

    A difference counts in whole steps of ``step`` points, rounded away from zero: ``1`` is more than nothing, up to one
    step, so that 0 is who rated both alike.
    """

    item: Item
    first: Condition
    second: Condition
    counts: dict[int, int]
    step: int = 1
    rounded: bool = False

    @property
    def n(self) -> int:
        return sum(self.counts.values())

    @property
    def sides(self) -> tuple[int, int, int]:
        """How many rated the second higher, both alike, the first higher."""
        lower = sum(number for points, number in self.counts.items() if points < 0)
        return lower, self.counts.get(0, 0), self.n - lower - self.counts.get(0, 0)


def pictures(data: StudyData) -> Iterator[Picture]:
    """One figure, and more where there are many items; none where nobody met two systems."""
    rows = [] if data.between else [_panels(data, item) for item in data.tested_items]
    rows = [row for row in rows if any(panel.n for panel in row)]
    met = [place for place in range(len(rows[0]) if rows else 0) if any(row[place].n for row in rows)]
    rows = [[row[place] for place in met] for row in rows]  # in a mixed design nobody met some pairs
    for start in range(0, len(rows), MOST_ROWS):
        page = rows[start : start + MOST_ROWS]
        name = "differences" if start == 0 else f"differences_{start // MOST_ROWS + 1}"
        yield Picture(name, _caption(page), _alt(page), partial(_draw, page, data.simulated))


def _panels(data: StudyData, item: Item) -> list[Panel]:
    frame = data.by_condition(item)
    length = item.scale_max - item.scale_min
    step = 1 if length <= MOST_STEPS else math.ceil(length / MOST_STEPS)
    found = []
    for first, second in combinations(data.conditions, 2):
        differences = np.round((frame[first.key] - frame[second.key]).dropna().to_numpy(float) / step, DECIMALS)
        steps = np.sign(differences) * np.ceil(np.abs(differences))
        points, numbers = np.unique(steps.astype(int), return_counts=True)
        counts = dict(zip(points.tolist(), numbers.tolist(), strict=True))
        found.append(Panel(item, first, second, counts, step, rounded=bool((steps != differences).any())))
    return found


def _caption(page: Sequence[Sequence[Panel]]) -> str:
    numbers = sorted({panel.n for row in page for panel in row})
    people = f"n = {numbers[0]}" if len(numbers) == 1 else f"n = {numbers[0]} to {numbers[-1]}"
    rounded = any(panel.rounded for row in page for panel in row)
    classes = " A difference between two numbers of the axis counts at the one farther from zero." if rounded else ""
    return (
        "Paired differences, first minus second system, in points of the scale: bars count participants. Left of the "
        f"middle (dark) the second system is rated higher, right of it the first.{classes} {people}."
    )


def _alt(page: Sequence[Sequence[Panel]]) -> str:
    said = []
    for panel in (panel for row in page for panel in row):
        lower, equal, higher = panel.sides
        said.append(
            f"{panel.item.name}: {lower} rated {panel.second.label} higher, {equal} alike, "
            f"{higher} {panel.first.label} higher."
        )
    return "Bars of paired differences. " + " ".join(said)


def _draw(page: Sequence[Sequence[Panel]], simulated: bool) -> Figure:
    columns = len(page[0])
    width = max(WIDTH_IN, LEFT + columns * LEAST_WIDTH + 0.1)
    each = (width - LEFT - 0.1) / columns
    figure, axes = sheet(width, TOP + BOTTOM + len(page) * (PLOT + GAP))
    for place, panel in enumerate(page[0]):
        title = textwrap.fill(f"{panel.first.label} − {panel.second.label}", round(each * 19))
        x = LEFT + (place + 0.5) * each
        axes.text(x, TOP - 0.12, title, fontsize=NORMAL, color=PALETTE.ink, ha="center", va="bottom", weight="bold")
    tallest = max(max(panel.counts.values(), default=1) for row in page for panel in row)
    for number, row in enumerate(page):
        top = TOP + number * (PLOT + GAP)
        name = textwrap.fill(row[0].item.name, 18)
        axes.text(0.1, top + PLOT / 2, name, fontsize=NORMAL, color=PALETTE.ink, va="center")
        for place, panel in enumerate(row):
            _panel(axes, panel, LEFT + place * each + 0.08, top, each - 0.16, (PLOT - 0.1) / tallest)
    return stamped(figure, simulated)


def _panel(axes: Axes, panel: Panel, x: float, top: float, width: float, unit: float) -> None:
    """``unit``: inches a participant."""
    reach = math.ceil((panel.item.scale_max - panel.item.scale_min) / panel.step)
    step, floor = width / (2 * reach + 1), top + PLOT
    line(axes, [x, x + width], [floor, floor], color=PALETTE.ink, linewidth=0.6)
    middle = x + width / 2
    line(axes, [middle, middle], [top - 0.05, floor], color=PALETTE.grid, linewidth=0.8, zorder=0.2)
    label_every = max(1, round((2 * reach + 1) / 11)) if panel.step == 1 else math.ceil(reach / 2)
    for points in range(-reach, reach + 1):
        at = x + (points + reach + 0.5) * step
        if points % label_every == 0:
            shown = f"{points * panel.step:+d}".replace("-", "−") if points else "0"
            axes.text(at, floor + 0.02, shown, fontsize=SMALL, color=PALETTE.ink, ha="center", va="top")
        count = panel.counts.get(points, 0)
        if count:
            colour = FEWER if points < 0 else EQUAL if points == 0 else MORE
            bar: dict[str, Any] = {"facecolor": colour, "edgecolor": PALETTE.ink, "linewidth": 0.4}
            box(axes, (at - step * 0.43, floor), step * 0.86, -count * unit, **bar)
            if label_every == 1:
                y = floor - count * unit - 0.01
                ground = {"facecolor": PALETTE.background, "edgecolor": "none", "pad": 0.4}  # hides the line at zero
                text: dict[str, Any] = {"fontsize": SMALL, "color": PALETTE.ink, "bbox": ground}
                axes.text(at, y, str(count), ha="center", va="bottom", **text)
    _sides(axes, panel, x, floor + 0.16, width)


def _sides(axes: Axes, panel: Panel, x: float, y: float, width: float) -> None:
    lower, equal, higher = panel.sides
    texts = {"left": f"second higher: {lower}", "center": f"alike: {equal}", "right": f"first higher: {higher}"}
    for place, (side, text) in enumerate(texts.items()):
        at = x + place / 2 * width
        axes.text(at, y, text, fontsize=SMALL, color=PALETTE.ink, ha=side, va="top", style="italic")
