"""R's results (tests/reference) and the comparison with them, counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

REFERENCE = Path(__file__).parents[1] / "reference" / "statistics"
R: dict[str, Any] = json.loads((REFERENCE / "oracle.json").read_text())
DATA = {"complete": "likert_long.csv", "missing": "likert_missing.csv"}
ITEMS = ("Q1", "Q2", "Q3")
CONDITIONS = ("A", "B", "C")
PAIRS = ("A-B", "A-C", "B-C")

compared: dict[str, list[float]] = {}
"""What was compared -> the relative differences found, for the line that conftest prints."""


def long(which: str) -> pd.DataFrame:
    """participant, condition, order_position, item, rating of ``complete`` or ``missing``."""
    return pd.read_csv(REFERENCE / DATA[which])


def ratings(which: str, item: str) -> pd.DataFrame:
    """(participants, conditions) ratings of Q1, Q2, Q3 or SCALE_MEAN, NaN where missing."""
    rows = long(which)
    if item == "SCALE_MEAN":
        groups = rows.groupby(["participant", "condition"])["rating"]
        return groups.mean()[groups.count() == 3].unstack()
    return rows[rows["item"] == item].pivot(index="participant", columns="condition", values="rating")


def agree(what: str, found: Any, expected: Any, rel: float = 1e-9, abs_: float = 1e-15) -> None:
    """Assert that numbers (or equally long lists of them) are R's, and count them under ``what``."""
    pairs = list(zip(_flat(found), _flat(expected), strict=True))
    assert pairs, what
    for ours, theirs in pairs:
        assert None not in (ours, theirs), what
        apart = abs(float(ours) - float(theirs))
        largest = max(abs(float(ours)), abs(float(theirs)))
        assert apart <= max(rel * largest, abs_), f"{what}: {ours!r}, R has {theirs!r}"
        compared.setdefault(what, []).append(apart / largest if apart > abs_ else 0.0)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return _flat(list(value.values()))
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _flat(part)]
    return [value]
