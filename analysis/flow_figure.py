"""Participant flow after CONSORT's extension to randomised crossover trials: every stage, every sequence, who left why.

Dwan, Li, Altman & Elbourne (2019), doi 10.1136/bmj.l4378. The same numbers are a table, ``flow``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.describe import NOTHING
from analysis.export import Table
from analysis.model import Arm, Flow, StudyData
from analysis.pictures import NORMAL, PALETTE, SMALL, WIDTH_IN, Picture, box, line, sheet, stamped

MOST_ARMS = 6
"""More sequences are drawn as one box; the table has each."""
LINE, PAD = 0.115, 0.07
"""Inches: a line of text, the space around it in a box."""
GAP = 0.22


def pictures(data: StudyData) -> Iterator[Picture]:
    """One figure; none where the input has no stages (a CSV without flow.csv)."""
    if data.flow.allocated is not None:
        caption = (
            "Participant flow (CONSORT for crossover trials): how many reached each stage, in each sequence, "
            "and how many left, by reason."
        )
        yield Picture("flow", caption, alt_text(data), partial(_draw, data))


def table(data: StudyData) -> Table:
    """One row a sequence: allocated, finished periods, completed, out by reason; the stages before it in the note."""
    flow, labels = data.flow, {condition.key: condition.label for condition in data.conditions}
    periods = max((len(arm.finished) for arm in flow.arms), default=0)
    columns = ["sequence", "allocated", *(f"finished_{n}" for n in range(1, periods + 1)), "completed", "out"]
    rows = [
        [
            *(arm.sequence, arm.allocated),
            *(arm.finished[n] if n < len(arm.finished) else None for n in range(periods)),
            *(arm.completed, _account(arm.out)),
        ]
        for arm in flow.arms
    ]
    frame = pd.DataFrame(rows, columns=columns)
    display = pd.DataFrame(
        [
            [
                *(_names(arm, labels, " → "), str(row[-1] or "nobody")),
                *(NOTHING if cell is None else str(cell) for cell in row[1:-1]),
            ]
            for arm, row in zip(flow.arms, rows, strict=True)
        ],
        columns=["Sequence", "Out", "Allocated", *(f"Period {n}" for n in range(1, periods + 1)), "Completed"],
    )
    title = f"Participant flow by sequence ({flow.allocated} allocated)"
    return Table("flow", title, frame, display, _stages(data), words=2)


def alt_text(data: StudyData) -> str:
    """Every number of the figure."""
    labels = {condition.key: condition.label for condition in data.conditions}
    said = [
        f"{_names(arm, labels, ', then ')}: {arm.allocated} allocated"
        f"{''.join(f', {n} finished period {p}' for p, n in enumerate(arm.finished, start=1))}, "
        f"{arm.completed} completed{f', out: {_account(arm.out)}' if arm.out else ''}."
        for arm in data.flow.arms
    ]
    return f"Flow chart of the participants. {_stages(data)} {' '.join(said)} {data.n} analysed."


def _stages(data: StudyData) -> str:
    flow = data.flow
    before = {"before consent": flow.not_consented, "after consent": flow.not_allocated}
    gone = "".join(f" Left {when}: {_account(out)}." for when, out in before.items() if out)
    whole = f" A period is finished with the last of the {data.cases} cases of its system." if data.cases > 1 else ""
    reached = f"{flow.arrived} arrived, {flow.consented} consented, {flow.allocated} were allocated to a sequence."
    return f"{reached}{gone}{whole}"


def _account(out: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in out.items())


def _names(arm: Arm, labels: Mapping[str, str], between: str) -> str:
    return between.join(labels.get(key, key) for key in arm.sequence.split(">"))


def _drawn_arms(flow: Flow) -> tuple[Arm, ...]:
    if len(flow.arms) <= MOST_ARMS:
        return flow.arms
    out: dict[str, int] = {}
    for arm in flow.arms:
        for reason, number in arm.out.items():
            out[reason] = out.get(reason, 0) + number
    known = all(arm.finished for arm in flow.arms)
    finished = tuple(map(sum, zip(*(arm.finished for arm in flow.arms), strict=False))) if known else ()
    together = f"{len(flow.arms)} sequences (see the table)"
    return (Arm(together, flow.allocated or 0, finished, flow.completed, out),)


def _lines(arm: Arm, labels: Mapping[str, str], characters: int) -> list[str]:
    """A sequence's box: which systems in which order, then how many."""
    order = [f"{place}. {labels.get(key, key)}" for place, key in enumerate(arm.sequence.split(">"), start=1)]
    names = order if len(order) > 1 else [labels.get(arm.sequence, arm.sequence)]
    counts = [f"allocated: {arm.allocated}"]
    counts += [f"finished period {period}: {n}" for period, n in enumerate(arm.finished, start=1)]
    counts += [f"completed: {arm.completed}", f"out: {sum(arm.out.values())}"]
    counts += [f"  {number} {reason}" for reason, number in arm.out.items()]
    return [line for text in [*names, "", *counts] for line in textwrap.wrap(text, characters) or [""]]


def _draw(data: StudyData) -> Figure:
    flow, labels = data.flow, {condition.key: condition.label for condition in data.conditions}
    arms = _drawn_arms(flow)
    width = (WIDTH_IN - 0.2) / max(len(arms), 1)
    texts = [_lines(arm, labels, max(14, round(width * 21))) for arm in arms]
    deepest = max((len(text) for text in texts), default=0) * LINE + 2 * PAD
    stages = [(f"Arrived: {flow.arrived}", flow.not_consented), (f"Consented: {flow.consented}", flow.not_allocated)]
    tops, y = [], 0.1
    for _, out in stages:
        tops.append(y)
        y += max(0.3, len(_gone(out)) * LINE + 2 * PAD) + GAP
    figure, axes = sheet(WIDTH_IN, y + 0.3 + (GAP + deepest if arms else 0) + GAP + 0.4)
    middle = WIDTH_IN / 2
    for top, (stage, out) in zip(tops, stages, strict=True):
        _box(axes, middle - 0.9, top, 1.8, [stage], bold=True)
        _side(axes, middle, top, _gone(out))
    ends = [*tops, y]
    for top, below in pairwise(ends):
        _arrow(axes, middle, top + 0.26, below)
    _box(axes, middle - 0.9, y, 1.8, [f"Allocated to a sequence: {flow.allocated}"], bold=True)
    y += 0.26
    for place, text in enumerate(texts):
        x = 0.1 + place * width
        _arrow(axes, x + width / 2, y, y + GAP, middle)
        _box(axes, x + 0.04, y + GAP, width - 0.08, text, height=deepest)
        _arrow(axes, x + width / 2, y + GAP + deepest, y + 2 * GAP + deepest)
    y += GAP + (GAP + deepest if arms else 0)
    if not arms:
        _arrow(axes, middle, y - GAP, y)
    _box(axes, 0.14, y, WIDTH_IN - 0.28, [f"Completed the study and analysed: {data.n}"], bold=True)
    return stamped(figure, data.simulated)


def _gone(out: Mapping[str, int]) -> list[str]:
    if not out:
        return []
    lines = [f"Left: {sum(out.values())}", *(f"  {number} {reason}" for reason, number in out.items())]
    return [part for line in lines for part in textwrap.wrap(line, 44, subsequent_indent="    ")]


def _side(axes: Axes, middle: float, top: float, lines: list[str]) -> None:
    """Who left before the next stage, to the right of the way down."""
    if lines:
        _box(axes, middle + 1.2, top, 2.25, lines)
        arrow = {"arrowstyle": "->", "color": PALETTE.ink, "linewidth": 0.7}
        axes.annotate("", (middle + 1.2, top + 0.13), (middle + 0.9, top + 0.13), arrowprops=arrow)


def _box(
    axes: Axes, x: float, y: float, width: float, lines: list[str], height: float | None = None, bold: bool = False
) -> None:
    tall = height or len(lines) * LINE + 2 * PAD
    frame: dict[str, Any] = {"facecolor": PALETTE.background, "edgecolor": PALETTE.ink, "linewidth": 0.7}
    box(axes, (x, y), width, tall, **frame)
    font: dict[str, Any] = {
        "fontsize": NORMAL if bold else SMALL,
        "fontweight": "bold" if bold else "normal",
        "color": PALETTE.ink,
    }
    for number, text in enumerate(lines):
        at = y + PAD + (number + 0.5) * LINE
        if bold:
            axes.text(x + width / 2, at, text, ha="center", va="center", **font)
        else:
            axes.text(x + PAD, at, text, va="center", **font)


def _arrow(axes: Axes, x: float, top: float, bottom: float, start: float | None = None) -> None:
    """Down to (x, bottom); ``start``: from another x, over a bar halfway."""
    thin: dict[str, Any] = {"color": PALETTE.ink, "linewidth": 0.7}
    if start is not None:
        half = (top + bottom) / 2
        line(axes, [start, start, x, x], [top, half, half, half], **thin)
        top = half
    arrow = {"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0, **thin}
    axes.annotate("", (x, bottom), (x, top), arrowprops=arrow)
