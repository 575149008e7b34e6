"""The codebook: every variable of every file, with wording, values and their labels, condition and type."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from typing import Any

from study_app.study.export.columns import describe
from study_app.study.export.tables import NAMES, columns_of
from study_app.study.export.variables import Asked, AskedKind, Definition
from study_app.study.export.wide import PERSON, Variable

VALUE_TABLES = ("ratings", "all_answers")
"""Tables whose ``value`` holds answers to many items: the codebook says for each item what it can be."""


@dataclass(frozen=True)
class Entry:
    """One variable, or one item's values of the column ``value``; the fields are the columns of codebook.csv."""

    file: str
    variable: str
    description: str
    type: str
    values: str = ""
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    item: str = ""
    condition: str = ""
    construct: str = ""
    note: str = ""
    translations: str = ""
    definitions: str = ""


STORED_AS: dict[AskedKind, str] = {
    "scale": "integer",
    "number": "number",
    "choice": "text",
    "several": "JSON list",
    "ranking": "JSON list, the first one first",
    "text": "text",
}
HEADER = tuple(field.name for field in fields(Entry))


def codebook(
    conn: sqlite3.Connection, definitions: Sequence[Definition], wide: Mapping[str, Sequence[Variable]]
) -> tuple[Entry, ...]:
    """Every column of the tidy tables, what ``value`` is for every item, and every column of the wide files
    (``wide``: file name -> its columns after PERSON)."""
    entries: list[Entry] = []
    for table in NAMES:
        for name in columns_of(conn, table):
            column = describe(table, name)
            entries.append(Entry(f"{table}.csv", name, column.description, column.kind, unit=column.unit))
        if table in VALUE_TABLES:
            entries.extend(_items(f"{table}.csv", definitions, scales_only=table == "ratings"))
    for file, variables in wide.items():
        entries.extend(_person(file))
        entries.extend(_variable(file, variable) for variable in variables)
    return tuple(entries)


def rows(entries: Iterable[Entry]) -> Iterator[tuple[object, ...]]:
    return (astuple(entry) for entry in entries)


def markdown(entries: Sequence[Entry], title: str) -> str:
    """One section a file, one table row a variable."""
    lines = [f"# Codebook: {title}", ""]
    for file in dict.fromkeys(entry.file for entry in entries):
        lines += [f"## {file}", "", "| variable | description | type | values | condition |", "|---|---|---|---|---|"]
        for entry in entries:
            if entry.file == file:
                of_item = entry.variable == "value" and entry.item
                name = f"value (item {entry.item})" if of_item else entry.variable
                kind = f"{entry.type}, {entry.unit}" if entry.unit else entry.type
                cells = (name, entry.description, kind, entry.values, entry.condition)
                lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _person(file: str) -> Iterator[Entry]:
    for name in PERSON:
        column = describe("participants", name)
        yield Entry(file, name, column.description, column.kind, unit=column.unit)


def _variable(file: str, variable: Variable) -> Entry:
    entry = Entry(file, variable.name, variable.label, variable.kind, unit=variable.unit)
    entry = replace(
        entry, condition=variable.key[1] or "", definitions=", ".join(short for short, _ in variable.versions)
    )
    if not variable.asked:
        return entry
    return replace(entry, **{**_answers(variable.asked), "values": _labelled(variable.values)})


def _items(file: str, definitions: Sequence[Definition], scales_only: bool) -> Iterator[Entry]:
    """An item asked in the same words by several versions has one entry; other words are another entry."""
    versions: dict[Asked, list[str]] = {}
    for definition in definitions:
        for asked in definition.asked:
            if asked.rated or not scales_only:
                versions.setdefault(asked, []).append(definition.short)
    for asked, hashes in versions.items():
        yield Entry(
            file, "value", asked.wording, STORED_AS[asked.kind], definitions=", ".join(hashes), **_answers((asked,))
        )


def _answers(asked: Sequence[Asked]) -> dict[str, Any]:
    return {
        "values": _labelled(tuple(dict.fromkeys(value for one in asked for value in one.values))),
        "minimum": min((one.minimum for one in asked if one.minimum is not None), default=None),
        "maximum": max((one.maximum for one in asked if one.maximum is not None), default=None),
        "unit": asked[0].unit,
        "item": asked[0].item,
        "construct": asked[0].construct,
        "note": asked[0].note,
        "translations": asked[0].translations,
    }


def _labelled(values: Sequence[tuple[int | str, str]]) -> str:
    return "; ".join(f"{value} = {label}" for value, label in values if label)
