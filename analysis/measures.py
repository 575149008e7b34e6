"""What is compared between systems: statements, sliders, and the scores made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.describe import MINUS

LIKERT, SLIDER, SCORE = "likert", "slider", "score"
"""Kinds of measures: a statement rated on labelled points, a slider, a score made of several of them."""
MOST_POINTS = 11
"""Of a longer slider the points are not counted: nobody could tell the parts of such a bar apart."""


@dataclass(frozen=True)
class Item:
    """One rated statement, slider or score. ``repeated`` items are rated after every condition, others once.

    ``name`` is short, for axes and tables, and differs between the items of a study.
    """

    key: str
    name: str
    wording: str
    construct: str
    scale_min: int
    scale_max: int
    repeated: bool
    kind: str = LIKERT

    @property
    def counted(self) -> bool:
        """Whether it is told how many gave each answer: not where there are many values."""
        return self.kind == LIKERT or (self.kind == SLIDER and self.scale_max - self.scale_min < MOST_POINTS)


@dataclass(frozen=True)
class Score:
    """How a score is made: (mean or sum of its items + ``add``) x ``times``.

    ``reverse``: items keyed the other way, of which minimum + maximum − answer counts.
    """

    key: str
    name: str
    items: tuple[str, ...]
    reverse: tuple[str, ...]
    method: str
    add: float
    times: float

    def of(self, values: Sequence[float]) -> float:
        """The score of one answer to each item, reversed already."""
        total = math.fsum(values)
        return ((total if self.method == "sum" else total / len(values)) + self.add) * self.times

    @property
    def rule(self) -> str:
        """``sum of a, b (reversed), −2, times 2.5``."""
        items = ", ".join(f"{item} (reversed)" if item in self.reverse else item for item in self.items)
        add = f", {self.add:+g}".replace("-", MINUS) if self.add else ""
        return f"{self.method} of {items}{add}{f', times {self.times:g}' if self.times != 1 else ''}"
