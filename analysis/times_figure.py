"""Times: median, quartiles and range of the seconds that something took, every system.

Two figures: how long participants had the rating pages open, to the last rating of each, and how long the systems took
to answer the participants (SkinGPT-4's Figure 4b).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.describe import half_up
from analysis.durations import pages
from analysis.friedman import Floats
from analysis.model import ONCE, StudyData
from analysis.pictures import NORMAL, PALETTE, SMALL, WIDTH_IN, Picture, box, line, sheet, stamped

LEFT, RIGHT, TOP, BOTTOM = 1.5, 1.75, 0.15, 0.4
ROW, GROUP, LINE = 0.2, 0.1, 0.13
LEAST_S = 0.1
"""Shorter times are drawn here: a logarithmic axis has no zero."""
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000)
AXIS = (
    "on a logarithmic axis: the line is the median, the box the quartiles, the whiskers the shortest and the longest. "
    "Right: median (quartiles), n."
)


@dataclass(frozen=True)
class Times:
    """One bar: the five numbers of Tukey's box with quartiles of R's type 7, in seconds."""

    label: str
    n: int
    low: float
    q1: float
    median: float
    q3: float
    high: float

    @property
    def words(self) -> str:
        """``3.2 s (2.1 to 4.5), n = 40``."""
        return f"{half_up(self.median, 1)} s ({half_up(self.q1, 1)} to {half_up(self.q3, 1)}), n = {self.n}"


@dataclass(frozen=True)
class Group:
    """Bars under one heading; ``name`` is short, for the words beside the picture."""

    name: str
    heading: str
    bars: tuple[Times, ...]


def pictures(data: StudyData) -> Iterator[Picture]:
    """Participants' times on the rating pages, by system; none where no answer was timed."""
    rows = pages(data)
    seconds = {key: found.to_numpy(float) for key, found in rows.groupby("condition")["seconds"]}
    systems = tuple(times(c.label, seconds[c.key]) for c in data.conditions if c.key in seconds)
    once = (times("", seconds[ONCE]),) if ONCE in seconds else ()
    groups = [
        Group("Rating page", "Page with the items rated after a system, to its last rating", systems),
        Group("Last page", "Page with the items rated once, to its last rating", once),
    ]
    page = [group for group in groups if group.bars]
    if page:
        caption = f"Seconds from the appearance of a page to its last rating, {AXIS}"
        yield Picture("page_times", caption, _alt("page times", page), partial(_draw, page, data.simulated))


def answer_pictures(data: StudyData) -> Iterator[Picture]:
    """The systems' times, from a participant's question to the end of the answer; none where they are not known."""
    if data.replies is None:
        return
    seconds = pd.to_numeric(data.replies["response_s"], errors="coerce")
    by_system = {c.label: seconds[data.replies["condition"] == c.key].dropna() for c in data.conditions}
    bars = tuple(times(label, found.to_numpy(float)) for label, found in by_system.items() if len(found))
    if bars:
        page = [Group("Answers of the systems", "From a question to the system's answer", bars)]
        caption = f"Seconds from a question to the end of the system's answer, {AXIS}"
        yield Picture("answer_times", caption, _alt("answer times", page), partial(_draw, page, data.simulated))


def times(label: str, seconds: Floats) -> Times:
    """The five numbers of at least one duration."""
    low, q1, median, q3, high = (float(value) for value in np.quantile(seconds, [0, 0.25, 0.5, 0.75, 1]))
    return Times(label, int(seconds.size), low, q1, median, q3, high)


def _alt(what: str, page: Sequence[Group]) -> str:
    said = [f"{of.name}{f', {bar.label}' if bar.label else ''}: {bar.words}." for of in page for bar in of.bars]
    return f"Box plots of {what}, median and quartiles. " + " ".join(said)


def _draw(page: Sequence[Group], simulated: bool) -> Figure:
    height = TOP + BOTTOM + sum(LINE + 0.04 + len(group.bars) * ROW + GROUP for group in page)
    figure, axes = sheet(WIDTH_IN, height)
    every = [bar for group in page for bar in group.bars]
    low, high = (max(LEAST_S, value) for value in (min(b.low for b in every), max(b.high for b in every)))
    ends = np.log10(low) - 0.05, np.log10(high) + 0.05
    unit = (WIDTH_IN - LEFT - RIGHT) / (ends[1] - ends[0])
    _axis(axes, height - BOTTOM, (low, high), ends[0], unit)
    y = TOP
    for group in page:
        y += LINE
        name = textwrap.shorten(group.heading, 105, placeholder=" …")
        ground = {"facecolor": PALETTE.background, "edgecolor": "none", "pad": 0.5}
        axes.text(0.1, y, name, fontsize=NORMAL, color=PALETTE.ink, va="bottom", bbox=ground)
        y += 0.04
        for bar in group.bars:
            _box(axes, bar, y + ROW / 2, ends[0], unit)
            y += ROW
        y += GROUP
    return stamped(figure, simulated)


def _box(axes: Axes, bar: Times, y: float, start: float, unit: float) -> None:
    low, q1, median, q3, high = (
        LEFT + (np.log10(max(LEAST_S, seconds)) - start) * unit
        for seconds in (bar.low, bar.q1, bar.median, bar.q3, bar.high)
    )
    thin: dict[str, Any] = {"color": PALETTE.ink, "linewidth": 0.8}
    line(axes, [low, high], [y, y], **thin)
    for end in (low, high):
        line(axes, [end, end], [y - 0.04, y + 0.04], **thin)
    edge: dict[str, Any] = {"edgecolor": PALETTE.ink, "linewidth": 0.6}
    box(axes, (q1, y - 0.065), q3 - q1, 0.13, facecolor=PALETTE.grid, zorder=3, **edge)
    line(axes, [median, median], [y - 0.065, y + 0.065], color=PALETTE.ink, linewidth=2, zorder=4)
    axes.text(LEFT - 0.1, y, bar.label, fontsize=NORMAL, color=PALETTE.ink, ha="right", va="center")
    axes.text(WIDTH_IN - RIGHT + 0.1, y, bar.words, fontsize=NORMAL, color=PALETTE.ink, va="center")


def _axis(axes: Axes, floor: float, ends: tuple[float, float], start: float, unit: float) -> None:
    for seconds in (tick for tick in TICKS if ends[0] * 0.99 <= tick <= ends[1] * 1.01):
        x = LEFT + (np.log10(seconds) - start) * unit
        line(axes, [x, x], [TOP, floor], color=PALETTE.grid, linewidth=0.5, zorder=0.2)
        axes.text(x, floor + 0.03, f"{seconds:g}", fontsize=SMALL, color=PALETTE.ink, ha="center", va="top")
    middle = LEFT + (WIDTH_IN - LEFT - RIGHT) / 2
    axes.text(middle, floor + 0.16, "seconds", fontsize=NORMAL, color=PALETTE.ink, ha="center", va="top")
