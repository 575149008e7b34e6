"""One row a participant, for SPSS, JASP and jamovi: a column for every item, and for every condition if repeated.

Versions of a study share one file; what a version did not ask stays empty. Free text stands on one line, because
SPSS ends a case at a line break, also within quotation marks. Where several options may be chosen, each has a
column of 0 and 1; where they are ranked, each has its place, 1 for the first. Where the answer is a number, "prefer
not to say" is an empty cell; all_answers.csv tells it.
Scores stand at the end, computed by `scoring.py` as the study declares them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, NamedTuple

from study_app.study.export.columns import ColumnKind
from study_app.study.export.errors import ExportError
from study_app.study.export.public import published_reason
from study_app.study.export.spss import safe_name
from study_app.study.export.tables import SCHEMA
from study_app.study.export.variables import NUMERIC, Asked, AskedKind, Definition

PERSON = (
    "participant",
    "run_kind",
    "outcome",
    "exclusion_reason",
    "definition_hash",
    "sequence",
    "arrived_at",
    "completed_at",
)
"""Columns of the view participants that come first. Their names suit SPSS as they are."""
VERSION, OUTCOME, REASON = (PERSON.index(name) for name in ("definition_hash", "outcome", "exclusion_reason"))
PERIOD, SECONDS, SCORE = "#period", "#exposure_s", "#score:"
"""Stand for an item in the keys of what is no answer; no item is called so."""


PER_OPTION: dict[AskedKind, tuple[tuple[int | str, str], ...]] = {
    "several": ((0, "not chosen"), (1, "chosen")),
    "ranking": ((1, "first"),),
}
"""Kinds that have a column for each option, with the labels of its values."""


class Key(NamedTuple):
    """What a column holds. ``condition`` is None for what is asked once, and has the number of the photo where there
    are several in a condition; ``option`` is None where only one is chosen."""

    item: str
    condition: str | None
    option: str | None = None

    @property
    def plain_name(self) -> str:
        item = self.item.removeprefix(SCORE).removeprefix("#")
        return "_".join(part for part in (item, self.condition, self.option) if part)


@dataclass(frozen=True)
class Wanted:
    """A column as one version of the study wants it."""

    label: str
    kind: ColumnKind
    unit: str = ""
    asked: Asked | None = None
    values: tuple[tuple[int | str, str], ...] = ()


@dataclass(frozen=True)
class Variable:
    """One column. ``versions`` are the short hashes of the versions of the study that have it, each with what it
    asks there (None for what is no answer)."""

    name: str
    key: Key
    label: str
    kind: ColumnKind
    unit: str
    values: tuple[tuple[int | str, str], ...]
    versions: tuple[tuple[str, Asked | None], ...]

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Each way of asking once; empty for what is no answer."""
        return tuple(dict.fromkeys(asked for _, asked in self.versions if asked is not None))

    @property
    def free_text(self) -> bool:
        return any(asked.kind == "text" for asked in self.asked)


def variables(definitions: Sequence[Definition]) -> tuple[Variable, ...]:
    """The columns after PERSON, of all versions of one study, each once. The same definitions give the same names."""
    taken = {name.lower() for name in PERSON}
    found: dict[Key, list[tuple[str, Wanted]]] = {}
    for definition in definitions:
        for key, wanted in _wanted(definition):
            found.setdefault(key, []).append((definition.short, wanted))
    return tuple(_merged(safe_name(key.plain_name, taken), key, versions) for key, versions in found.items())


def _merged(name: str, key: Key, versions: Sequence[tuple[str, Wanted]]) -> Variable:
    wanted = [one for _, one in versions]
    kinds = {one.kind for one in wanted}
    return Variable(
        name=name,
        key=key,
        label=" / ".join(dict.fromkeys(one.label for one in wanted)),
        kind=kinds.pop() if len(kinds) == 1 else "text",
        unit=wanted[0].unit,
        values=tuple(dict.fromkeys(chain.from_iterable(one.values for one in wanted))),
        versions=tuple((short, one.asked) for short, one in versions),
    )


def _wanted(definition: Definition) -> Iterator[tuple[Key, Wanted]]:
    for condition, label in definition.cells:
        yield Key(PERIOD, condition), Wanted(f"Period in which {label} was met", "integer")
        yield Key(SECONDS, condition), Wanted(f"Time with {label}, from photo to rating", "number", "s")
    for asked in definition.asked:
        for place, lead in _places(definition, asked.per_condition):
            label = lead + asked.wording
            if asked.kind in PER_OPTION:
                for option, words in asked.values:
                    values = PER_OPTION[asked.kind]
                    yield (
                        Key(asked.item, place, str(option)),
                        Wanted(f"{label} [{words}]", "integer", "", asked, values),
                    )
            else:
                yield Key(asked.item, place), Wanted(label, _kind(asked), asked.unit, asked, asked.values)
    for score in definition.scores:
        for place, lead in _places(definition, score.per_condition):
            yield Key(SCORE + score.score, place), Wanted(f"{lead}{score.name}: {score.rule}", "number")


def _places(definition: Definition, per_condition: bool) -> Iterator[tuple[str | None, str]]:
    """(condition, what stands before the label) for each column of one item or score."""
    if not per_condition:
        yield None, ""
        return
    for condition, label in definition.cells:
        yield condition, f"{label}: "


def _kind(asked: Asked) -> ColumnKind:
    return "integer" if asked.kind == "scale" else "number" if asked.kind == "number" else "text"


def header(columns: Sequence[Variable]) -> list[str]:
    return [*PERSON, *(column.name for column in columns)]


def public_header(columns: Sequence[Variable]) -> list[str]:
    """Names of what may be published: everything but free text."""
    return [*PERSON, *(column.name for column in columns if not column.free_text)]


def public_rows(rows: Sequence[Sequence[Any]], columns: Sequence[Variable]) -> list[list[Any]]:
    """The cells under `public_header`."""
    places = [place for place, column in enumerate(columns, len(PERSON)) if not column.free_text]
    return [[*_public_person(row), *(row[place] for place in places)] for row in rows]


def _public_person(row: Sequence[Any]) -> list[Any]:
    person = list(row[: len(PERSON)])
    person[REASON] = published_reason(row[OUTCOME], row[REASON])
    return person


def wide_rows(
    conn: sqlite3.Connection,
    definitions: Sequence[Definition],
    columns: Sequence[Variable],
    on_row: Callable[[int], None] = lambda _: None,
) -> Iterator[list[Any]]:
    """One row per participant of one study, by number; ``definitions`` are its versions, ``columns`` their
    `variables`. ``on_row`` is told how many answers each row holds.

    Raises ExportError for an answer that has no column."""
    study = definitions[0].study
    places = {column.key: place for place, column in enumerate(columns, len(PERSON))}
    versions = {definition.hash: definition for definition in definitions}
    answers = _of_each(conn, "all_answers", "participant, item, period, condition, value", study)
    exposures = _of_each(conn, "exposures", "participant, condition, period, started_at, finished_at", study)
    people = f"SELECT {', '.join(PERSON)} FROM {SCHEMA}.participants WHERE study = ? ORDER BY participant"
    for person in conn.execute(people, (study,)):
        row: list[Any] = [*person, *([None] * len(columns))]
        for _, condition, period, started, finished in exposures(person[0]):
            cell_of = versions[person[VERSION]].cell(condition, period)
            row[places[Key(PERIOD, cell_of)]] = period
            row[places[Key(SECONDS, cell_of)]] = _seconds(started, finished)
        given = answers(person[0])
        for key, cell in _filled(versions[person[VERSION]], given):
            if key not in places:
                raise ExportError(f"Nothing was exported: no column for an answer of {person[0]} to '{key.item}'.")
            row[places[key]] = cell
        on_row(len(given))
        yield row


def _filled(definition: Definition, given: Sequence[Any]) -> Iterator[tuple[Key, Any]]:
    """The cells of one participant's answers, and of the scores of them."""
    asked = {one.item: one for one in definition.asked}
    conditions: dict[int | None, str | None] = {None: None}
    for _, item, period, condition, value in given:
        conditions[period] = None if period is None or condition is None else definition.cell(condition, period)
        if item in asked:
            yield from _cells(asked[item], conditions[period], value)
        else:
            yield Key(item, conditions[period]), value
    for score, period, total in definition.scored({(row[1], row[2]): row[4] for row in given}):
        if period in conditions:
            yield Key(SCORE + score, conditions[period]), total


def _cells(asked: Asked, condition: str | None, value: Any) -> Iterator[tuple[Key, Any]]:
    """The cell or cells of one answer."""
    if asked.kind in PER_OPTION:
        listed = json.loads(value) if value.startswith("[") else None  # else: preferred not to say
        for option, _ in asked.values:
            yield Key(asked.item, condition, str(option)), None if listed is None else _of_option(asked, option, listed)
    elif asked.kind in NUMERIC:
        yield Key(asked.item, condition), None if isinstance(value, str) else value
    else:
        yield Key(asked.item, condition), " ".join(value.splitlines()) if isinstance(value, str) else value


def _of_option(asked: Asked, option: int | str, listed: list[str]) -> int | None:
    """0 or 1: chosen; or its place in a ranking."""
    if asked.kind == "several":
        return int(option in listed)
    return listed.index(str(option)) + 1 if option in listed else None


def _of_each(conn: sqlite3.Connection, table: str, columns: str, study: str) -> Callable[[str], list[Any]]:
    """A function that gives the rows of one participant after the other, asked in order of their numbers; only
    one participant's rows are in memory."""
    rows = conn.execute(f"SELECT {columns} FROM {SCHEMA}.{table} WHERE study = ? ORDER BY participant", (study,))
    groups = groupby(rows, key=itemgetter(0))
    waiting = next(groups, None)

    def of(participant: str) -> list[Any]:
        nonlocal waiting
        if waiting is None or waiting[0] != participant:
            return []
        found = list(waiting[1])
        waiting = next(groups, None)
        return found

    return of


def _seconds(started: str, finished: str | None) -> float | None:
    if finished is None:
        return None
    return round((datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds(), 3)
