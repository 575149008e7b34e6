"""Who and what is not in a table, by which rule: the sentence that stands under each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.export import Table
from analysis.model import StudyData
from analysis.people import by_rule

MOST_NAMED = 6


def accounted(table: Table, data: StudyData) -> Table:
    """The table with n and exclusions in its note."""
    note = " ".join(part for part in (table.note, _people(data), _answers(data), _rows(data)) if part)
    return replace(table, note=note)


def _people(data: StudyData) -> str:
    gone = ", ".join(f"{number} {reason}" for reason, number in by_rule(data.left_out).items())
    return f"{data.n} participants analysed; {f'left out: {gone}' if gone else 'nobody left out'}."


def _answers(data: StudyData) -> str:
    """Analysed participants who lack an answer in a condition that they met, item by item."""
    names = {item.key: item.name for item in data.items}
    labels = {condition.key: condition.label for condition in data.conditions}
    said = [
        f"{names[item]}{f', {labels[condition]}' if condition in labels else ''}: {_named(people)}"
        for item, cells in data.absent.items()
        for condition, people in cells.items()
    ]
    return f"No answer: {'; '.join(said)}." if said else ""


def _named(people: Sequence[str]) -> str:
    more = f" and {len(people) - MOST_NAMED} more" if len(people) > MOST_NAMED else ""
    return ", ".join(people[:MOST_NAMED]) + more


def _rows(data: StudyData) -> str:
    number = len(data.bad_rows)
    return f"{number} rating{'s' if number > 1 else ''} left out as impossible." if number else ""
