"""The scores of scales, computed from the ratings as the study declares them, and each a measure of its own.

The rule is the study app's (`study_app/study/scoring.py`): (mean or sum of the items, reversed where declared, + add)
x times; no score where an item has no answer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.errors import InputError
from analysis.measures import SCORE, Item, Score

CELL = ["participant", "condition", "period"]
"""One score each: an item is answered once in a period, or once in all (no condition, no period)."""


def declared(table: pd.DataFrame, items: Sequence[Item], source: object) -> tuple[tuple[Score, ...], tuple[str, ...]]:
    """The scores of the rated items, and notes on those that are of others.

    Args:
        table: the rows of the view ``scores``, or the file scores.csv.

    Raises:
        InputError: a row cannot be read, or pooled versions make a score in different ways.
    """
    known = {item.key: item for item in items}
    taken = {*known, *(item.construct for item in items)}
    found: dict[str, Score] = {}
    notes: list[str] = []
    for row in table.to_dict("records"):
        score = _score(row, source)
        before = found.setdefault(score.key, score)
        if before != score:
            raise InputError(f"score '{score.key}' has different rules in the pooled versions. Choose one version.")
        unknown = [key for key in score.items if key not in known]
        if unknown:
            found.pop(score.key)
            notes.append(f"{score.name} is not analysed: {', '.join(unknown)} is no rated item.")
    return tuple(_named_apart(score, taken) for score in found.values()), tuple(dict.fromkeys(notes))


def measure(score: Score, items: Sequence[Item]) -> Item:
    """The score as what is described and tested. Ends of its scale that are no whole numbers are rounded outwards."""
    parts = [item for item in items if item.key in score.items]
    lowest, highest = [item.scale_min for item in parts], [item.scale_max for item in parts]
    ends = sorted(score.of(each) for each in (lowest, highest))
    return Item(
        key=score.key,
        name=score.name,
        wording=f"{score.name}: {score.rule}",
        construct="",
        scale_min=math.floor(round(ends[0], 9)),
        scale_max=math.ceil(round(ends[1], 9)),
        repeated=parts[0].repeated,
        kind=SCORE,
    )


def scored(ratings: pd.DataFrame, scores: Sequence[Score], items: Sequence[Item]) -> pd.DataFrame:
    """The ratings and, below them, one row for each score that has all its answers.

    Args:
        ratings: checked, ``value`` as float.
    """
    if not scores:
        return ratings
    known = {item.key: item for item in items}
    return pd.concat([ratings, *(_values(ratings, score, known) for score in scores)], ignore_index=True)


def keyed(rows: pd.DataFrame, reverse: Collection[str], items: Mapping[str, Item]) -> pd.DataFrame:
    """The rows with the answers to ``reverse`` mirrored on their scales: minimum + maximum − answer."""
    ends = {key: items[key].scale_min + items[key].scale_max for key in reverse}
    mirrored = rows["item"].map(ends).astype(float) - rows["value"]
    return rows.assign(value=rows["value"].where(~rows["item"].isin(list(reverse)), mirrored))


def _values(ratings: pd.DataFrame, score: Score, items: Mapping[str, Item]) -> pd.DataFrame:
    rows = keyed(ratings[ratings["item"].isin(score.items)], score.reverse, items)
    cell = [name for name in CELL if name in rows]
    totals = rows.groupby(cell, sort=False, dropna=False)["value"].agg(["size", score.method]).reset_index()
    whole = totals[totals["size"] == len(score.items)]  # the ratings are checked: no item twice
    condition = whole["condition"].astype(object).where(whole["condition"].notna(), None)
    value = (whole[score.method] + score.add) * score.times
    return whole[cell].assign(condition=condition, item=score.key, value=value)


def _named_apart(score: Score, taken: Collection[str]) -> Score:
    """A score called like an item or a construct gets another key, so that no figure has two meanings."""
    return replace(score, key=f"score_{score.key}") if score.key in taken else score


def _score(row: Mapping[Any, Any], source: object) -> Score:
    try:
        score = Score(
            key=str(row["score"]),
            name=str(row["label"]),
            items=tuple(map(str, json.loads(row["items"]))),
            reverse=tuple(map(str, json.loads(row["reverse"] or "[]"))),
            method=str(row["method"]),
            add=float(row["add"]),
            times=float(row["times"]),
        )
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{source}: score '{row['score']}' cannot be read ({error}). Export the study again."
        ) from error
    if score.method not in ("mean", "sum") or not score.items:
        raise InputError(f"{source}: score '{score.key}' is a {score.method} of {len(score.items)} items: mean or sum.")
    if not set(score.reverse) <= set(score.items):
        raise InputError(f"{source}: score '{score.key}' reverses an item that it is not made of. Correct the row.")
    return score
