"""What every figure beside Figure 9 shares: a name, words for those who do not see it, and three files.

Sizes are in inches, and positions in a figure too: nothing is laid out by trial, so that the same rows give the
same bytes. Colours are those of Figure 9's light palette, which differ in lightness as well as in hue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from analysis.figures import DPI, PALETTES, SIMULATED, Format, render

WIDTH_IN = 7.2
"""Two journal columns."""
KINDS: tuple[Format, ...] = ("png", "svg", "pdf")
PALETTE = PALETTES["light"]
SMALL, NORMAL = 5.5, 6.5
"""Font sizes in points."""


@dataclass(frozen=True)
class Picture:
    """One figure.

    Attributes:
        name: file name without ending.
        caption: what it shows and how to read it, n included.
        alt: its numbers in words.
        draw: makes the figure.
    """

    name: str
    caption: str
    alt: str
    draw: Callable[[], Figure]

    @cached_property
    def svg(self) -> bytes:
        return render(self.draw(), "svg")

    def files(self) -> Mapping[str, bytes]:
        """File name -> bytes: PNG (300 dpi), SVG and PDF."""
        figure = self.draw()  # once: nothing in it moves from one kind of file to the next
        order: tuple[Format, ...] = ("svg", "png", "pdf")
        found = {f"{self.name}.{kind}": render(figure, kind) for kind in order}
        vars(self)["svg"] = found[f"{self.name}.svg"]  # the page shows these bytes
        return found


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure and axes over all of it: x and y in inches from the upper left corner, nothing drawn yet."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=PALETTE.background)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    return figure, axes


def box(axes: Axes, corner: tuple[float, float], width: float, height: float, **style: Any) -> None:
    """A rectangle of a sheet. ``axes.bar`` would update limits that are fixed, at five times the price."""
    axes.add_artist(Rectangle(corner, width, height, **style))


def line(axes: Axes, xs: Sequence[float], ys: Sequence[float], **style: Any) -> None:
    """A line of a sheet, without ``axes.plot``'s search for limits and colours."""
    axes.add_artist(Line2D(xs, ys, **style))


def stamped(figure: Figure, simulated: bool) -> Figure:
    """The figure, marked above and across its middle where no person answered."""
    if simulated:
        # Plain text as well: what is drawn with an outline cannot be searched in an SVG.
        figure.text(0.985, 0.99, SIMULATED, ha="right", va="top", fontsize=7, weight="bold", color=PALETTE.warning)
        figure.text(
            *(0.5, 0.5, SIMULATED),
            rotation=24,
            ha="center",
            va="center",
            fontsize=26,
            fontweight="bold",
            color=PALETTE.warning,
            alpha=0.5,
            path_effects=[withStroke(linewidth=2, foreground=PALETTE.background)],
            zorder=10,
        )
    return figure
