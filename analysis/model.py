"""What the loader hands on: a study's items, conditions, people and ratings, checked and frozen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.describe import Description, describe
from analysis.measures import SCORE, Item, Score

RATINGS = ("participant", "condition", "item", "value", "period", "duration_s")
"""Columns of a study's ratings."""

DECISIONS = ("participant", "condition", "initial", "advice", "final", "truth")
"""Columns of the decisions before and after an advice, one row a case."""

EXPOSURES = ("participant", "condition", "photo", "known_label", "truth", "diagnosis", "manifest")
REPLIES = ("participant", "condition", "response_s")
QUESTIONS = ("definition_hash", "study", "step", "position", "item", "kind", "options", "unit")
SCORES = ("definition_hash", "study", "score", "label", "method", "items", "reverse", "add", "times")
"""Columns of the declared scores; items and reverse are JSON lists of items."""
PAIRS = ("participant", "condition", "item", "left_side", "right_side", "chosen")
"""Columns of the pairwise choices, one row a pair that was shown; condition is None for a pair shown once."""

ONCE = "once"
"""In the place of a condition, for items that are rated once."""


@dataclass(frozen=True)
class Condition:
    """One of the compared systems, with the researcher's label for it."""

    key: str
    label: str


@dataclass(frozen=True)
class Question:
    """What participants were asked about themselves.

    Attributes:
        kind: as in the study file: single, yes_no, multiple, number, ...
        options: stored value -> what was shown, in the study's order; empty where the input does not say it.
        unit: of a number; may be empty.
    """

    key: str
    kind: str
    options: dict[str, str]
    unit: str = ""


@dataclass(frozen=True)
class Arm:
    """The participants of one sequence (an arm of the crossover).

    Attributes:
        sequence: ``text>cases>generated``.
        finished: how many finished the first condition of it, the second, ..., with all their cases; empty where that
            is not known.
        out: reason -> number, of those who were allocated and are not analysed.
    """

    sequence: str
    allocated: int
    finished: tuple[int, ...]
    completed: int
    out: dict[str, int]


@dataclass(frozen=True)
class Flow:
    """How many participants reached each stage (of the chosen run kind and study).

    Attributes:
        not_consented, not_allocated: reason -> number, of those who left before that stage.
        arms: by sequence, in alphabetical order; empty where the file has no stages.
    """

    arrived: int
    consented: int | None
    allocated: int | None
    completed: int
    not_consented: dict[str, int] = field(default_factory=dict)
    not_allocated: dict[str, int] = field(default_factory=dict)
    arms: tuple[Arm, ...] = ()


@dataclass(frozen=True)
class StudyData:
    """The part of a study that is analysed, and the account of the part that is not.

    Attributes:
        items: what was rated, and after it the scores made of it.
        conditions: in the study's order; without those that nobody who completed was allocated.
        participants: completed participants, one row each: participant, sequence (or None) and
            demographics (dict).
        ratings: their ratings and scores, the columns RATINGS: participant, condition (None for items rated
            once), item, value (float), period and duration_s (float, NaN where unknown). One row a rating: in a
            condition with several cases an item has several, one a period.
        left_out: reason -> number of participants not analysed, in order of the reasons.
        notes: plain sentences that a reader of the results must know.
        last_answer: newest answered_at (ISO-8601, UTC) among the ratings, where known.
        excluded_ratings: the ratings of participants whose outcome is "excluded", same columns.
        excluded: those participants, one row each: participant and sequence (or None).
        bad_rows: what was wrong with each rating that was left out, one sentence each.
        cases: how many cases a participant rated in each condition; 1 in a plain crossover.
        decisions: the columns DECISIONS, of the analysed participants; None where the study has none.
        exposures, replies: what was shown and how long it took, the columns EXPOSURES and REPLIES; None where the
            input does not have them.
        questions: what was asked about the participants, in the study's order; None where the input does not have it.
        pairs: the columns PAIRS, of the analysed participants; None where the input does not have them.
        scores: how the scores among ``items`` are made.
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
    cases: int = 1
    decisions: pd.DataFrame | None = None
    exposures: pd.DataFrame | None = None
    replies: pd.DataFrame | None = None
    pairs: pd.DataFrame | None = None
    excluded: pd.DataFrame | None = None
    questions: tuple[Question, ...] | None = None
    scores: tuple[Score, ...] = ()

    @property
    def n(self) -> int:
        """Completed participants."""
        return len(self.participants)

    @property
    def repeated_items(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.repeated)

    @property
    def tested_items(self) -> tuple[Item, ...]:
        """What is compared between the conditions: of a score's items the score alone."""
        return tuple(item for item in self.repeated_items if item.key not in self.score_of)

    @cached_property
    def score_of(self) -> dict[str, str]:
        """item -> name of the score (or the first of them) that it is part of."""
        return {key: score.name for score in reversed(self.scores) for key in score.items}

    @property
    def single_items(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if not item.repeated)

    @cached_property
    def _by_item(self) -> dict[str, pd.DataFrame]:
        return {str(key): rows for key, rows in self.ratings.groupby("item", sort=False)}

    def of_item(self, item: Item) -> pd.DataFrame:
        """The ratings of one item, the columns RATINGS, in the order of the file."""
        return self._by_item.get(item.key, self.ratings.iloc[:0])

    @cached_property
    def allocated(self) -> dict[str, str]:
        """participant -> the conditions in the order drawn, joined by ``>``; empty where the file does not say it."""
        return self._drawn(self.participants)

    @cached_property
    def allocated_of_excluded(self) -> dict[str, str]:
        """The same of the participants whose outcome is "excluded"."""
        return {} if self.excluded is None else self._drawn(self.excluded)

    def _drawn(self, people: pd.DataFrame) -> dict[str, str]:
        keys = {condition.key for condition in self.conditions}
        drawn = zip(people["participant"], people["sequence"], strict=True)
        return {str(who): str(order) for who, order in drawn if order and keys & set(str(order).split(">"))}

    @cached_property
    def sequences(self) -> dict[str, str]:
        """participant -> the conditions in the order met: as allocated, else as the periods of the answers say."""
        if self.allocated:
            return self.allocated
        timed = self.ratings.dropna(subset=["period", "condition"]).sort_values("period", kind="stable")
        met = timed.drop_duplicates(["participant", "condition"])
        found: dict[str, str] = {}
        for who, condition in zip(met["participant"], met["condition"], strict=True):
            found[str(who)] = f"{found[str(who)]}>{condition}" if str(who) in found else str(condition)
        return found

    def values(self, item: Item, condition: Condition | None = None) -> list[float]:
        """All ratings of an item (in a condition), in the order of the file."""
        rows = self.of_item(item)
        if condition is not None:
            rows = rows[rows["condition"] == condition.key]
        return [float(value) for value in rows["value"].to_numpy(float).tolist()]

    def described(self, item: Item, condition: Condition | None = None) -> Description:
        """n, mean, SD, median and counts of an item (in a condition), computed when it is first asked for."""
        cell = item.key, condition.key if condition else ONCE
        if cell not in self._described:
            found = describe(self.values(item, condition), item.scale_min, item.scale_max)
            self._described[cell] = found if item.counted else replace(found, counts={})
        return self._described[cell]

    @cached_property
    def _described(self) -> dict[tuple[str, str], Description]:
        return {}

    @cached_property
    def absent(self) -> dict[str, dict[str, list[str]]]:
        """item -> condition (or ``once``) -> analysed participants without that answer, where there are any."""
        found = {item.key: self._absent(item) for item in self.items if item.kind != SCORE}
        return {key: cells for key, cells in found.items() if cells}

    def _absent(self, item: Item) -> dict[str, list[str]]:
        if not item.repeated:
            given = set(self.of_item(item)["participant"])
            people = [str(who) for who in self.participants["participant"] if who not in given]
            return {ONCE: people} if people else {}
        frame = self.by_condition(item)
        open_ = {str(key): [str(who) for who in frame.index[frame[key].isna().to_numpy()]] for key in frame}
        owed = {key: [who for who in people if self.met(who, key)] for key, people in open_.items()}
        return {key: people for key, people in owed.items() if people}

    def met(self, participant: str, condition: str) -> bool:
        """Whether that participant was to rate that condition: as allocated; where that is not known, every condition,
        and between subjects the one that was rated."""
        if participant in self.allocated:
            return condition in self.allocated[participant].split(">")
        return not self.between or (participant, condition) in self._rated

    @cached_property
    def _rated(self) -> frozenset[tuple[str, str]]:
        cells = zip(self.ratings["participant"], self.ratings["condition"], strict=True)
        return frozenset((str(who), str(condition)) for who, condition in cells if condition is not None)

    @cached_property
    def between(self) -> bool:
        """Whether every participant met one condition only, and not all the same one."""
        met = self.ratings[["participant", "condition"]].dropna(subset=["condition"]).drop_duplicates()
        people = met["participant"].nunique()
        return people > 1 and len(met) == people and met["condition"].nunique() > 1

    def by_condition(self, item: Item, with_excluded: bool = False) -> pd.DataFrame:
        """(participants, conditions) floats of a repeated item, NaN where nothing was answered; means over cases."""
        return self._wide(item, with_excluded=True) if with_excluded else self._by_condition[item.key]

    def by_place(self, item: Item) -> pd.DataFrame:
        """One row per participant and condition of a repeated item, the columns RATINGS: ``value`` is the mean over the
        cases, ``period`` the place of the condition among the participant's, 1 for the first."""
        rows = self.of_item(item).dropna(subset=["period"])
        if self.cases == 1:
            return rows
        rows = rows.assign(period=(rows["period"] - 1) // self.cases + 1)
        means = rows.groupby(["participant", "condition", "item", "period"], sort=False)[["value", "duration_s"]].mean()
        return means.reset_index()[list(RATINGS)]

    @cached_property
    def _by_condition(self) -> dict[str, pd.DataFrame]:
        return {item.key: self._wide(item, with_excluded=False) for item in self.items if item.repeated}

    def _wide(self, item: Item, with_excluded: bool) -> pd.DataFrame:
        rows = self.of_item(item)
        people = list(self.participants["participant"])
        if with_excluded:
            more = self.excluded_ratings[self.excluded_ratings["item"] == item.key]
            rows = pd.concat([rows, more]) if len(more) else rows
            people += [who for who in self.excluded_ratings["participant"].unique() if who not in set(people)]
        wide = pivoted(rows, "condition", "value")
        index = pd.Index(people, dtype=object, name="participant")  # pandas' own strings are slow to loop over
        return wide.reindex(index=index, columns=[c.key for c in self.conditions]).astype(float)


def pivoted(rows: pd.DataFrame, columns: str, values: str) -> pd.DataFrame:
    """(participants, ``columns``): the one value of each cell, or its mean where several cases were answered."""
    places, people = pd.factorize(rows["participant"], sort=True)
    which, names = pd.factorize(rows[columns], sort=True)
    cells = places * len(names) + which
    if len(cells) and (min(places.min(), which.min()) < 0 or np.bincount(cells).max() > 1):
        return rows.groupby(["participant", columns], sort=False)[values].mean().unstack(columns)
    table = np.full(len(people) * len(names), np.nan)
    table[cells] = rows[values].to_numpy(float)
    index, heads = pd.Index(people, dtype=object, name="participant"), pd.Index(names, name=columns)
    return pd.DataFrame(table.reshape(len(people), len(names)), index, heads, copy=False)
