"""Ratings that can be counted: known items and conditions, on the scale, one answer each.

Every check names the row, the participant and the item, because whoever reads the message has to
find that row in a spreadsheet or in the database.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.errors import InputError
from analysis.model import Condition, Item

FIRST_CSV_ROW = 2
"""Row 1 of a CSV is its header; a database's rows are counted from 1 as well (see ``row_name``)."""


def checked_ratings(
    ratings: pd.DataFrame, items: Mapping[str, Item], conditions: Mapping[str, Condition], source: str
) -> pd.DataFrame:
    """Return the ratings with ``value`` as float, in their order, rows without a value left away.

    Raises:
        InputError: an item or condition that the study does not have, a condition where there must
            be none (or none where there must be one), a value that is no number or off the scale,
            or two answers to one item by one participant in one condition.
    """
    for row in ratings.itertuples():
        where = row_name(source, row)
        if row.participant is None:
            raise InputError(f"{where}: no participant. Every rating names who gave it.")
        item = items.get(str(row.item))
        if item is None:
            raise InputError(f"{where}: unknown item. The study has {', '.join(items)}.")
        _check_condition(where, item, row.condition, conditions)
        if row.value is not None:
            _check_value(where, item, row.value)
    answered = ratings[ratings["value"].notna()].copy()
    _check_single(answered, source)
    answered["value"] = answered["value"].astype(float)
    return answered


def row_name(source: str, row: object) -> str:
    """`ratings.csv, row 7 (participant P0003, item trust, condition text)`."""
    condition = getattr(row, "condition", None)
    number = int(getattr(row, "Index", 0)) + (FIRST_CSV_ROW if source.lower().endswith(".csv") else 1)
    about = f"participant {getattr(row, 'participant', '?')}, item {getattr(row, 'item', '?')}"
    return f"{source}, ratings row {number} ({about}{f', condition {condition}' if condition else ''})"


def _check_condition(where: str, item: Item, condition: object, conditions: Mapping[str, Condition]) -> None:
    if item.repeated and condition is None:
        raise InputError(f"{where}: no condition, but '{item.key}' is rated once per condition.")
    if not item.repeated and condition is not None:
        raise InputError(f"{where}: '{item.key}' is rated once, so its condition must be empty.")
    if condition is not None and condition not in conditions:
        raise InputError(f"{where}: unknown condition. The study has {', '.join(conditions)}.")


def _check_value(where: str, item: Item, value: object) -> None:
    try:
        number = float(str(value))
    except ValueError:
        raise InputError(f"{where}: '{value}' is not a number.") from None
    if not item.scale_min <= number <= item.scale_max:  # also refuses NaN
        points = f"{item.scale_min} to {item.scale_max}"
        raise InputError(f"{where}: the value {value} is not on the scale from {points}. Correct the row.")


def _check_single(ratings: pd.DataFrame, source: str) -> None:
    keys = ["participant", "item", "condition"]
    double = ratings[ratings.duplicated(keys, keep=False)]
    if double.empty:
        return
    first = double.iloc[0]
    same = double[(double[keys].fillna("") == first[keys].fillna("")).all(axis=1)]
    rows = [row_name(source, row) for row in same.itertuples()]
    raise InputError(f"{rows[0]}: answered again in {rows[1]}. Keep one of the two.")
