"""Ratings that can be counted: known items and conditions, on the scale, one answer each.

Every check names the row, the participant and the item, because whoever reads the message has to
find that row in a spreadsheet or in the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.errors import InputError
from analysis.measures import Item
from analysis.model import Condition

FIRST_CSV_ROW = 2
"""Row 1 of a CSV is its header; a database's rows are counted from 1 as well (see ``row_name``)."""

KEYS = ["participant", "item", "condition"]


def checked_ratings(
    ratings: pd.DataFrame,
    items: Sequence[Item],
    conditions: Sequence[Condition],
    source: str,
    exclude: bool = False,
    several_cases: bool = False,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the ratings with ``value`` as float, in their order, rows without a value left away.

    Args:
        exclude: leave bad rows out and return what was wrong with each, instead of raising. Of two
            answers to one item both are left out: nobody can say which one was meant.
        several_cases: a condition is met in several periods, so that an item is answered once in each of them.

    Raises:
        InputError: an item or condition that the study does not have, a condition where there must
            be none (or none where there must be one), a value that is no number or off the scale,
            or two answers to one item by one participant in one condition.
    """
    known, names = {item.key: item for item in items}, [condition.key for condition in conditions]
    suspects = ratings[_suspicious(ratings, known, names)]
    checked = {int(str(row.Index)): _wrong(row, known, names, source) for row in suspects.itertuples()}
    wrong = {index: message for index, message in checked.items() if message}
    if wrong and not exclude:
        raise InputError(next(iter(wrong.values())))
    answered = ratings[ratings["value"].notna() & ~ratings.index.isin(list(wrong))].copy()
    keys = [*KEYS, "period"] if several_cases else KEYS
    double = answered[answered.duplicated(keys, keep=False)]
    if len(double) and not exclude:
        raise InputError(_answered_twice(double, source, keys))
    answered = answered.drop(index=double.index)
    answered["value"] = answered["value"].astype(float)
    again = {int(str(row.Index)): f"{row_name(source, row)}: answered more than once." for row in double.itertuples()}
    messages = {**wrong, **again}
    return answered, tuple(messages[index] for index in sorted(messages))


def _suspicious(ratings: pd.DataFrame, items: Mapping[str, Item], conditions: Sequence[str]) -> pd.Series:
    """The rows that may be wrong, found at once; ``_wrong`` says what."""
    codes, keys = pd.factorize(ratings["item"], use_na_sentinel=False)
    of_key = [items.get(str(key)) for key in keys]
    known = np.array([item is not None for item in of_key], dtype=bool)[codes]
    repeated = np.array([item is not None and item.repeated for item in of_key], dtype=bool)[codes]
    low = np.array([item.scale_min if item else np.nan for item in of_key], dtype=float)[codes]
    high = np.array([item.scale_max if item else np.nan for item in of_key], dtype=float)[codes]
    values = pd.to_numeric(ratings["value"], errors="coerce").astype(float)
    there = ratings["condition"].notna()
    return (
        ratings["participant"].isna()
        | ~known
        | (there != repeated)
        | (there & ~ratings["condition"].isin(conditions))
        | (ratings["value"].notna() & ~((values >= low) & (values <= high)))
    )


def _wrong(row: object, items: Mapping[str, Item], conditions: Sequence[str], source: str) -> str:
    """What is wrong with one row, in a sentence that names it; empty where nothing is."""
    where, condition, value = row_name(source, row), getattr(row, "condition", None), getattr(row, "value", None)
    item = items.get(str(getattr(row, "item", None)))
    if getattr(row, "participant", None) is None:
        return f"{where}: no participant. Every rating names who gave it."
    if item is None:
        return f"{where}: unknown item. The study has {', '.join(items)}."
    if item.repeated and condition is None:
        return f"{where}: no condition, but '{item.key}' is rated once per condition."
    if not item.repeated and condition is not None:
        return f"{where}: '{item.key}' is rated once, so its condition must be empty."
    if condition is not None and condition not in conditions:
        return f"{where}: unknown condition. The study has {', '.join(conditions)}."
    return _wrong_value(where, item, value) if value is not None else ""


def _wrong_value(where: str, item: Item, value: object) -> str:
    try:
        number = float(str(value))
    except ValueError:
        return f"{where}: '{value}' is not a number."
    if not item.scale_min <= number <= item.scale_max:  # also refuses NaN
        points = f"{item.scale_min} to {item.scale_max}"
        return f"{where}: the value {value} is not on the scale from {points}. Correct the row."
    return ""


def _answered_twice(double: pd.DataFrame, source: str, keys: list[str]) -> str:
    first = double.iloc[0]
    same = double[(double[keys].fillna("") == first[keys].fillna("")).all(axis=1)]
    rows = [row_name(source, row) for row in same.itertuples()]
    return f"{rows[0]}: answered again in {rows[1]}. Keep one of the two."


def row_name(source: str, row: object) -> str:
    """`ratings.csv, row 7 (participant P0003, item trust, condition text)`."""
    condition = getattr(row, "condition", None)
    number = int(getattr(row, "Index", 0)) + (FIRST_CSV_ROW if source.lower().endswith(".csv") else 1)
    about = f"participant {getattr(row, 'participant', '?')}, item {getattr(row, 'item', '?')}"
    return f"{source}, ratings row {number} ({about}{f', condition {condition}' if condition else ''})"
