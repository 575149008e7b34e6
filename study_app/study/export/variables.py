"""What a definition asks, as the export needs it. The only module of the export that knows `Study`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import ValidationError

from study_app.study import scoring
from study_app.study.answers import NOT_SAID
from study_app.study.definition import Study
from study_app.study.definition_items import (
    Item,
    Likert,
    Multiple,
    Number,
    Pairwise,
    Ranking,
    Side,
    Single,
    Slider,
    YesNo,
)
from study_app.study.definition_text import Translated
from study_app.study.export.errors import ExportError
from study_app.study.state import Value

AskedKind = Literal["scale", "number", "choice", "several", "ranking", "text"]
"""How an answer is stored: a point of a scale or a number (number), an option's value (text), the values of the
options chosen or of all in their order (JSON list), free text."""
SHORT = 12
"""Characters of a definition's hash that tell the versions of a study apart."""
OPTIONS: dict[type, AskedKind] = {Single: "choice", Multiple: "several", Ranking: "ranking"}
NUMERIC: frozenset[AskedKind] = frozenset({"scale", "number"})


@dataclass(frozen=True)
class Asked:
    """One thing that a definition asks.

    ``values``: what can be stored, with the label that was shown; ``minimum`` and ``maximum``: of a numeric answer;
    ``rated``: its answers are in the view ``ratings``; ``note``: what else to know of the answers; ``translations``:
    the wording in the study's other languages, "zh: ..."."""

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
    note: str = ""
    translations: str = ""


@dataclass(frozen=True)
class ScoreColumn:
    """A scale's score, computed from its items as the study declares it. ``rule`` says how, in words."""

    score: str
    name: str
    rule: str
    per_condition: bool


@dataclass(frozen=True)
class Definition:
    """One version of a study. ``conditions`` are (key, label for the researcher); ``comments`` is the item under
    which the comments are stored, which are in the view of that name."""

    hash: str
    study: str
    title: str
    institution: str
    registered_at: str
    conditions: tuple[tuple[str, str], ...]
    asked: tuple[Asked, ...]
    comments: str | None
    scores: tuple[ScoreColumn, ...] = ()
    source: Study | None = field(default=None, repr=False, compare=False)

    @property
    def photos(self) -> int:
        """How many assigned cases a participant meets in each condition."""
        return self.source.photo.cases_per_condition if self.source is not None else 1

    @property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """(name, label) of what a participant answers the repeated items about: a condition, or a photo in it."""
        if self.photos == 1:
            return self.conditions
        numbers = range(1, self.photos + 1)
        return tuple((f"{key}_{n}", f"{label}, photo {n}") for key, label in self.conditions for n in numbers)

    def cell(self, condition: str, period: int) -> str:
        """The name in `cells` of the exposure of ``period``."""
        return condition if self.photos == 1 else f"{condition}_{(period - 1) % self.photos + 1}"

    @property
    def short(self) -> str:
        return self.hash[:SHORT]

    @property
    def rated(self) -> frozenset[str]:
        """Items whose answers are in the view ``ratings``."""
        return frozenset(asked.item for asked in self.asked if asked.rated)

    def scored(self, answers: Mapping[tuple[str, int | None], Value]) -> Iterator[tuple[str, int | None, float | None]]:
        """(score, period, value) of one participant; ``answers`` by item and period, None for what is asked once."""
        if self.source is not None:
            for found in scoring.scores(self.source, answers):
                yield found.score, found.period, found.value


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
        title=str(study.title),
        institution=study.institution,
        registered_at=registered_at,
        conditions=tuple((condition.key, condition.label) for condition in study.conditions),
        asked=tuple(_asked(study)),
        comments=study.comments.id if study.comments else None,
        scores=tuple(_scores(study)),
        source=study,
    )


def _asked(study: Study) -> Iterator[Asked]:
    """Questions about the person, items asked after every condition, items asked once, the comments."""
    for question in study.demographics:
        yield _item(study, question, rated=False)
    for item in study.decisions:
        yield _item(study, item, rated=False)
    for item in (*study.repeated_items, *study.final_items):
        yield _item(study, item, rated=_is_rated(item))
    if study.comments is not None:
        words = study.comments.wording
        yield Asked(study.comments.id, str(words), "", "text", False, translations=_translations(words))


def _is_rated(item: Item) -> bool:
    """As the view ``items`` has it: a slider, or a statement on a scale that is no attention check."""
    return isinstance(item, Slider) or (isinstance(item, Likert) and item.attention_check is None)


def _item(study: Study, item: Item, rated: bool) -> Asked:
    values: tuple[tuple[int | str, str], ...] = ()
    kind: AskedKind = "text"
    minimum: float | None = None
    maximum: float | None = None
    unit = ""
    match item:
        case Likert():
            scale = study.scale_of(item)
            kind, minimum, maximum = "scale", scale.minimum, scale.maximum
            values = tuple((point, str(label)) for point, label in zip(scale.points, scale.labels, strict=True))
        case Slider():
            kind, minimum, maximum = "scale", item.minimum, item.maximum
            values = ((item.minimum, str(item.ends[0])), (item.maximum, str(item.ends[1])))
        case Number():
            kind, minimum, maximum, unit = "number", item.minimum, item.maximum, str(item.unit)
        case Single() | Multiple() | Ranking():
            kind = OPTIONS[type(item)]
            values = tuple((option.value, str(option.label)) for option in item.options)
        case Pairwise():
            kind, values = "choice", tuple((side.value, _side(side)) for side in item.sides)
        case YesNo():
            kind, values = "choice", (("yes", str(item.label_yes)), ("no", str(item.label_no)))
    if item.missing == NOT_SAID and kind == "choice":
        values = (*values, (NOT_SAID, "preferred not to say"))
    return Asked(
        item=item.id,
        wording=str(item.wording),
        construct=item.construct,
        kind=kind,
        per_condition=item.repeated,
        values=values,
        minimum=minimum,
        maximum=maximum,
        unit=unit,
        rated=rated,
        note=_note(item, kind),
        translations=_translations(item.wording),
    )


def _side(side: Side) -> str:
    """Not the name of a file, which may name a patient: codebooks are published."""
    return str(side.text) or ("a picture" if side.picture else f"the first picture drawn in {side.shown_in}")


def _note(item: Item, kind: AskedKind) -> str:
    """What the values do not say."""
    notes = []
    if isinstance(item, Likert | Single) and item.attention_check is not None:
        notes.append(f"attention check, right is {item.attention_check}")
    if isinstance(item, Pairwise):
        notes.append("which side stood left was drawn: pairs.csv")
    if item.missing == NOT_SAID and kind != "choice":
        notes.append(f"or '{NOT_SAID}', which is an empty cell in wide files where the answer is a number")
    if item.missing == "may_skip":
        notes.append("may be left open")
    return "; ".join(notes)


def _scores(study: Study) -> Iterator[ScoreColumn]:
    for score in study.scores:
        first = study.item(score.items[0])
        items = ", ".join(f"{item} (reversed)" if item in score.reverse else item for item in score.items)
        rule = f"{score.method} of {items}"
        rule += f", {score.add:+g}" if score.add else ""
        rule += f", times {score.times:g}" if score.times != 1 else ""
        yield ScoreColumn(score.id, score.name, rule, first is not None and first.repeated)


def _translations(text: str) -> str:
    if not isinstance(text, Translated):
        return ""
    return "; ".join(f"{code}: {words}" for code, words in text.languages.items() if words != str(text))
