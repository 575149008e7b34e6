"""What a definition asks, as the export needs it. The only module of the export that knows `Study`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from study_app.study.definition import Study
from study_app.study.export.errors import ExportError

AskedKind = Literal["scale", "number", "choice", "several", "text"]
"""How an answer is stored: a point of a scale or a number (number), an option's value (text), options' values
(JSON list), free text."""
SHORT = 12
"""Characters of a definition's hash that tell the versions of a study apart."""
NUMERIC: frozenset[AskedKind] = frozenset({"scale", "number"})


@dataclass(frozen=True)
class Asked:
    """One thing that a definition asks. ``values``: what can be stored, with the label that was shown;
    ``minimum`` and ``maximum``: of a numeric answer. ``rated``: its points are in the view ``ratings``."""

    item: str
    wording: str
    construct: str
    kind: AskedKind
    per_condition: bool
    values: tuple[tuple[int | str, str], ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    rated: bool = False


@dataclass(frozen=True)
class Definition:
    """One version of a study. ``conditions`` are (key, label for the researcher)."""

    hash: str
    study: str
    title: str
    institution: str
    contact: str
    ethics: str
    registered_at: str
    conditions: tuple[tuple[str, str], ...]
    asked: tuple[Asked, ...]
    comments: str | None
    """Item under which the comments are stored, which are in the view of that name."""

    @property
    def short(self) -> str:
        return self.hash[:SHORT]

    @property
    def rated(self) -> frozenset[str]:
        """Items whose answers are in the view ``ratings``."""
        return frozenset(asked.item for asked in self.asked if asked.rated)


def read_definitions(conn: sqlite3.Connection) -> tuple[Definition, ...]:
    """The definitions that participants are pinned to, oldest first; all of them while nobody is there.

    Raises ExportError for one that this version cannot read."""
    rows = conn.execute("SELECT hash, source, registered_at FROM definition ORDER BY registered_at, hash").fetchall()
    used = {row[0] for row in conn.execute("SELECT DISTINCT definition_hash FROM participant")}
    return tuple(_definition(*row) for row in rows if row[0] in used or not used)


def _definition(definition_hash: str, source: str, registered_at: str) -> Definition:
    try:
        study = Study.from_canonical(source)
    except ValidationError as error:
        raise ExportError(
            f"Nothing was exported: the definition {definition_hash[:SHORT]} cannot be read by this version of the "
            "app. Export with the version that registered it."
        ) from error
    return Definition(
        hash=definition_hash,
        study=study.id,
        title=study.title,
        institution=study.institution,
        contact=study.contact,
        ethics=study.ethics,
        registered_at=registered_at,
        conditions=tuple((condition.key, condition.label) for condition in study.conditions),
        asked=tuple(_asked(study)),
        comments=study.comments.id if study.comments else None,
    )


def _asked(study: Study) -> Iterator[Asked]:
    """Questions about the person, items asked after every condition, items asked once, the comments."""
    for item in (*study.demographics, *study.repeated_items, *study.final_items):
        yield _item(study, item)
    if study.comments is not None:
        yield Asked(study.comments.id, study.comments.wording, "", "text", per_condition=False)


def _item(study: Study, item: Any) -> Asked:
    """By what an item has and not by its class: kinds of items may be added that differ in their looks only."""
    common = (item.id, item.wording, getattr(item, "construct", ""))
    repeated: bool = getattr(item, "repeated", False)
    if hasattr(item, "scale"):
        scale = study.scale_of(item)
        points = tuple(zip(scale.points, scale.labels, strict=True))
        return Asked(*common, "scale", repeated, points, scale.minimum, scale.maximum, rated=True)
    if hasattr(item, "options"):
        options = tuple((option.value, option.label) for option in item.options)
        return Asked(*common, "several" if hasattr(item, "at_least") else "choice", repeated, options)
    if hasattr(item, "yes"):
        return Asked(*common, "choice", repeated, (("yes", item.yes), ("no", item.no)))
    if hasattr(item, "ends"):
        ends = tuple(zip((item.minimum, item.maximum), item.ends, strict=True))
        return Asked(*common, "scale", repeated, ends, item.minimum, item.maximum)
    if hasattr(item, "minimum"):
        return Asked(*common, "number", repeated, (), item.minimum, item.maximum, item.unit)
    return Asked(*common, "text", repeated)
