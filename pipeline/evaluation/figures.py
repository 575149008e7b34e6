"""A measured figure: its value, the group that comes off worst, the goal it was set, and whether it is reached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Figure:
    """One row of the model card. Goals are in the figure's own unit; a figure without any is only reported."""

    what: str
    value: float
    n: int
    """How many things were counted or measured."""
    unit: str = "%"
    worst: str = ""
    """The group that comes off worst: a condition or a skin type."""
    worst_value: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    worst_at_least: float | None = None
    """Goal of the worst group."""
    different: str = ""
    """Where things were counted again and again: how many different ones there are, ``177 wordings`` say."""
    low: float | None = None
    high: float | None = None
    """95 % interval over these"""
    this_machine: bool = False
    """Seconds and memory: they differ from run to run; every other figure is the same in a second run."""

    @property
    def holds(self) -> bool | None:
        """Whether every goal is reached, None where there is none. A figure that is not a number reaches nothing."""
        worst = self.value if self.worst_value is None else self.worst_value
        reached = [self.value >= self.at_least] if self.at_least is not None else []
        reached += [self.value <= self.at_most] if self.at_most is not None else []
        reached += [worst >= self.worst_at_least] if self.worst_at_least is not None else []
        return all(reached) if reached else None

    @property
    def goal(self) -> str:
        """The goal in words: ``at least 96 %, no group below 85 %``; empty where there is none."""
        goals = [(self.at_least, "at least"), (self.at_most, "at most"), (self.worst_at_least, "no group below")]
        return ", ".join(f"{words} {g:g} {self.unit}".rstrip() for g, words in goals if g is not None)

    @property
    def said(self) -> str:
        return number(self.value, self.unit)

    @property
    def interval_said(self) -> str:
        """``(94.1 to 97.4)``; empty where there is none."""
        if self.low is None or self.high is None:
            return ""
        low, high = (number(value, self.unit).removesuffix(f" {self.unit}") for value in (self.low, self.high))
        return f"({low} to {high})"

    @property
    def worst_said(self) -> str:
        return "" if self.worst_value is None else f"{self.worst} {number(self.worst_value, self.unit)}"

    def as_json(self) -> dict[str, Any]:
        """Its fields, and ``holds``, for figures.json."""
        return {**asdict(self), "holds": self.holds}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Figure:
        return cls(**{k: v for k, v in row.items() if k != "holds"})


def number(value: float, unit: str) -> str:
    """``96.5 %``, ``0.921``, ``0.45 s``: as many digits as tell a reached goal from a missed one."""
    digits = {"%": 1, "": 3, "s": 2, "GB": 2}.get(unit, 1)
    return f"{value:.{digits}f} {unit}".rstrip()


def over(what: str, figure: Figure, values: Sequence[float], sources: Sequence[str], draws: int = 2000) -> Figure:
    """``figure``, the mean of ``values``, with a 95 % interval for other sources than those that were at hand.

    what: the sources' name in the plural; sources: for each value the one that it came from. Sources are drawn with
    replacement, each with all its values (percentile bootstrap over clusters); the same in every run.
    """
    names = {name: i for i, name in enumerate(dict.fromkeys(sources))}
    of = np.array([names[name] for name in sources])
    sums, counts = np.bincount(of, np.asarray(values, float)), np.bincount(of)
    rows = np.random.default_rng(0).integers(len(names), size=(draws, len(names)))
    low, high = np.quantile(sums[rows].sum(1) / counts[rows].sum(1), (0.025, 0.975))
    return replace(figure, different=f"{len(names)} {what}", low=float(low), high=float(high))


def _worst(values: Sequence[float], groups: Sequence[str], rare: bool) -> tuple[str, float]:
    by: dict[str, list[float]] = defaultdict(list)
    for value, group in zip(values, groups, strict=True):
        by[group].append(value)
    means = {group: float(np.mean(of)) for group, of in by.items()}
    worst = (max if rare else min)(means, key=lambda group: means[group])
    return worst, means[worst]


def mean(
    what: str,
    values: Sequence[float],
    groups: Sequence[str] | None = None,
    *,
    unit: str = "",
    rare: bool = False,
    **goals: float | None,
) -> Figure:
    """Mean of ``values`` and the group with the lowest mean (``rare``: the highest, where less is better).

    groups: one name for each value; goals: ``at_least``, ``at_most``, ``worst_at_least`` of `Figure`.
    Raises ValueError for no values, or groups of another length.
    """
    if not len(values):
        raise ValueError(f"nothing was measured for {what!r}")
    figure = Figure(what, float(np.mean(values)), len(values), unit)
    if groups is not None:
        worst, worst_value = _worst(values, groups, rare)
        figure = replace(figure, worst=worst, worst_value=worst_value)
    return replace(figure, **goals)  # type: ignore[arg-type]  # names are checked when it runs


def share(
    what: str, hits: Sequence[bool], groups: Sequence[str] | None = None, *, rare: bool = False, **goals: float | None
) -> Figure:
    """Share of hits in percent, and the group with the fewest (``rare``: the most); as `mean` otherwise."""
    return mean(what, [100.0 * bool(hit) for hit in hits], groups, unit="%", rare=rare, **goals)
