"""Which items hang together: the reliability of every score, and of the constructs that no score is made of."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from analysis.facts import Facts, with_notes
from analysis.model import ONCE, StudyData, pivoted
from analysis.reliability import reliability
from analysis.scores import keyed


def scales(data: StudyData) -> Facts:
    """scale (score or construct of two items or more) -> condition -> {n, alpha, alpha_ci, omega, items, reversed}.

    The items that a score reverses are reversed: alpha and omega ask for items keyed the same way. So a construct whose
    items a score reverses, or is made of as a whole, is there as that score.
    """
    found: Facts = {}
    for construct in dict.fromkeys(item.construct for item in data.items if item.construct):
        items = [item for item in data.items if item.construct == construct]
        for repeated in (True, False):
            keys = [item.key for item in items if item.repeated == repeated]
            if len(keys) > 1 and not _told_by_a_score(data, keys):
                found.setdefault(construct, {}).update(_reliabilities(data, keys, (), repeated))
    repeated_keys = {item.key for item in data.repeated_items}
    for score in data.scores:
        if len(score.items) > 1:
            repeated = score.key in repeated_keys
            found[score.key] = _reliabilities(data, list(score.items), score.reverse, repeated)
    return found


def _told_by_a_score(data: StudyData, keys: Collection[str]) -> bool:
    return any(set(keys) & set(score.reverse) or set(keys) <= set(score.items) for score in data.scores)


def _reliabilities(data: StudyData, keys: list[str], reverse: Collection[str], repeated: bool) -> Facts:
    rows = data.ratings[data.ratings["item"].isin(keys)]
    rows = keyed(rows, reverse, {item.key: item for item in data.items})
    cells = {c.key: rows[rows["condition"] == c.key] for c in data.conditions} if repeated else {ONCE: rows}
    return {name: _reliability(cell, keys, reverse) for name, cell in cells.items()}


def _reliability(rows: pd.DataFrame, keys: list[str], reverse: Collection[str]) -> Facts:
    """Of several cases in a condition each participant's mean counts."""
    wide = pivoted(rows, "item", "value").reindex(columns=keys).dropna()
    found = reliability(wide.to_numpy(float))
    facts = {"n": found.n, "alpha": found.alpha, "alpha_ci": found.alpha_ci, "omega": found.omega}
    notes = {"omega": found.note or found.omega_note, "": found.note}
    return {**with_notes(facts, notes), "items": keys, "reversed": list(reverse)}
