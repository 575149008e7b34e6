"""What the loader hands on: a study's items, conditions, people and ratings, checked and frozen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

RATINGS = ("participant", "condition", "item", "value", "period", "duration_s")
"""Columns of a study's ratings."""

DECISIONS = ("participant", "condition", "initial", "advice", "final", "truth")
"""Columns of the decisions before and after an advice, one row a case."""


@dataclass(frozen=True)
class Item:
    """One rated statement. ``repeated`` items are rated after every condition, others once.

    ``name`` is short, for axes and tables, and differs between the items of a study.
    """

    key: str
    name: str
    wording: str
    construct: str
    scale_min: int
    scale_max: int
    repeated: bool


@dataclass(frozen=True)
class Condition:
    """One of the compared systems, with the researcher's label for it."""

    key: str
    label: str


@dataclass(frozen=True)
class Flow:
    """How many participants reached each stage (of the chosen run kind and study)."""

    arrived: int
    consented: int | None
    allocated: int | None
    completed: int


@dataclass(frozen=True)
class StudyData:
    """The part of a study that is analysed, and the account of the part that is not.

    Attributes:
        participants: completed participants, one row each: participant, sequence (or None) and
            demographics (dict).
        ratings: their ratings, the columns RATINGS: participant, condition (None for items rated
            once), item, value (float), period and duration_s (float, NaN where unknown).
        left_out: reason -> number of participants not analysed, in order of the reasons.
        notes: plain sentences that a reader of the results must know.
        last_answer: newest answered_at (ISO-8601, UTC) among the ratings, where known.
        excluded_ratings: the ratings of participants whose outcome is "excluded", same columns.
        bad_rows: what was wrong with each rating that was left out, one sentence each.
        decisions: the columns DECISIONS, of the analysed participants; None where the study has none.
    """

    source: Path
    study: str
    run_kind: str
    definitions: tuple[str, ...]
    items: tuple[Item, ...]
    conditions: tuple[Condition, ...]
    participants: pd.DataFrame
    ratings: pd.DataFrame
    flow: Flow
    left_out: dict[str, int]
    notes: tuple[str, ...]
    simulated: bool
    last_answer: str | None
    excluded_ratings: pd.DataFrame
    bad_rows: tuple[str, ...] = ()
    decisions: pd.DataFrame | None = None

    @property
    def n(self) -> int:
        """Completed participants."""
        return len(self.participants)

    @property
    def repeated_items(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.repeated)

    @property
    def single_items(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if not item.repeated)

    def values(self, item: Item, condition: Condition | None = None) -> list[float]:
        """All ratings of an item (in a condition), in the order of the file."""
        rows = self.ratings[self.ratings["item"] == item.key]
        if condition is not None:
            rows = rows[rows["condition"] == condition.key]
        return [float(value) for value in rows["value"]]

    @property
    def between(self) -> bool:
        """Whether every participant met one condition only, and not all the same one."""
        met = self.ratings.dropna(subset=["condition"]).groupby("participant")["condition"]
        return len(met) > 1 and int(met.nunique().max()) == 1 and self.ratings["condition"].nunique() > 1

    def by_condition(self, item: Item, with_excluded: bool = False) -> pd.DataFrame:
        """(participants, conditions) floats of a repeated item, NaN where nothing was answered."""
        rows = self.ratings[self.ratings["item"] == item.key]
        people = list(self.participants["participant"])
        if with_excluded:
            more = self.excluded_ratings[self.excluded_ratings["item"] == item.key]
            rows = pd.concat([rows, more]) if len(more) else rows
            people += [who for who in self.excluded_ratings["participant"].unique() if who not in set(people)]
        wide = rows.pivot(index="participant", columns="condition", values="value")
        return wide.reindex(index=people, columns=[c.key for c in self.conditions]).astype(float)
