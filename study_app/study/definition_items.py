"""What can be asked: one class per kind of item. ``kind`` may be left out where ``scale`` or ``options`` tells it.

What each kind stores as its answer is said in `answers.py`, how it looks in `participant/items.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag
from pydantic.dataclasses import dataclass

from study_app.study.definition_text import Text, TextOrNothing

KEY = r"^[a-z][a-z0-9_]*$"
STRICT = ConfigDict(extra="forbid", strict=True)
Missing = Literal["required", "may_skip", "prefer_not_to_say"]
MAX_DECIMALS = 6
"""Digits after the point that a number can have."""


def is_default(default: Any) -> Any:
    """For ``exclude_if``: a field added later is left out of the canonical form at its default, so that the
    definitions registered before keep their hash."""
    return lambda value: value == default


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Option:
    """One possible answer of a question: ``value`` is stored, ``label`` is shown."""

    value: str = Field(pattern=KEY)
    label: Text


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Scale:
    """Points ``minimum`` .. ``minimum + len(labels) - 1``, one label per point; points between the ends may have
    an empty label."""

    labels: tuple[TextOrNothing, ...] = Field(min_length=2)
    minimum: int = 1

    @property
    def maximum(self) -> int:
        return self.minimum + len(self.labels) - 1

    @property
    def points(self) -> tuple[int, ...]:
        return tuple(range(self.minimum, self.maximum + 1))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Asked:
    """What all kinds share."""

    id: str = Field(pattern=KEY)
    wording: Text
    missing: Missing = Field(default="required", exclude_if=is_default("required"))
    """May the page be left without an answer? ``may_skip``: yes; ``prefer_not_to_say``: that is an answer of
    its own beside the others."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Likert(Asked):
    """One statement rated on a scale of the study. ``repeated``: once after every condition; else once."""

    kind: Literal["likert"] = Field(default="likert", exclude=True)
    scale: str
    construct: str = Field(min_length=1)
    repeated: bool
    attention_check: int | None = Field(default=None, exclude_if=is_default(None))
    """The point that the wording asks to choose: no rating, but a check that it was read."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class _Other(Asked):
    """What the kinds share that are no rating on a scale."""

    construct: str = Field(default="", exclude_if=is_default(""))
    repeated: bool = Field(default=False, exclude_if=is_default(False))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Single(_Other):
    """One of several options."""

    kind: Literal["single"] = Field(default="single", exclude=True)
    options: tuple[Option, ...] = Field(min_length=2)
    attention_check: str | None = Field(default=None, exclude_if=is_default(None))
    """The option that the wording asks to choose."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Multiple(_Other):
    """Any of several options, at least ``at_least`` and at most ``at_most`` of them."""

    kind: Literal["multiple"]
    options: tuple[Option, ...] = Field(min_length=2)
    at_least: int = Field(default=1, ge=1)
    at_most: int | None = Field(default=None, ge=1)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class YesNo(_Other):
    """Yes or no; stored as "yes" and "no", shown in the study's words."""

    kind: Literal["yes_no"]
    label_yes: Text = "Yes"
    label_no: Text = "No"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Number(_Other):
    """A number typed in: ``minimum`` <= answer <= ``maximum``, with ``decimals`` digits after the point."""

    kind: Literal["number"]
    minimum: float
    maximum: float
    decimals: int = Field(default=0, ge=0, le=MAX_DECIMALS)
    unit: TextOrNothing = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ShortText(_Other):
    """One line of the participant's own words."""

    kind: Literal["short_text"]
    max_length: int = Field(default=200, gt=0)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LongText(_Other):
    """Several lines of the participant's own words."""

    kind: Literal["long_text"]
    max_length: int = Field(default=4000, gt=0)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Slider(_Other):
    """A whole number between two labelled ends, in steps of ``step``; unanswered until it is moved or confirmed."""

    kind: Literal["slider"]
    minimum: int = 0
    maximum: int = 100
    step: int = Field(default=1, gt=0)
    ends: tuple[Text, Text]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Ranking(_Other):
    """Options to be put in order, all of them, the first one first."""

    kind: Literal["ranking"]
    options: tuple[Option, ...] = Field(min_length=2, max_length=9)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Side:
    """One side of a pair: a text, or a picture whose file is named from the study file, or what the participant was
    shown in a condition, the first of the pictures drawn there. ``value`` is stored when it is chosen, and never
    shown."""

    value: str = Field(pattern=KEY)
    text: TextOrNothing = ""
    picture: str = ""
    shown_in: str = Field(default="", exclude_if=is_default(""))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Pairwise(_Other):
    """Which of two, texts or pictures, shown beside each other; which one stands left is drawn for each participant
    (and period) once."""

    kind: Literal["pairwise"]
    sides: tuple[Side, Side]


KINDS = (
    *("likert", "single", "multiple", "yes_no", "number", "short_text", "long_text", "slider", "ranking"),
    "pairwise",
)


def kind_of(value: Any) -> str | None:
    """The kind of an item, from the file or in Python; None where nothing tells it."""
    if not isinstance(value, dict):
        return getattr(value, "kind", None)
    if "kind" in value:
        return str(value["kind"])
    return "likert" if "scale" in value else "single" if "options" in value else None


Item = Annotated[
    Annotated[Likert, Tag("likert")]
    | Annotated[Single, Tag("single")]
    | Annotated[Multiple, Tag("multiple")]
    | Annotated[YesNo, Tag("yes_no")]
    | Annotated[Number, Tag("number")]
    | Annotated[ShortText, Tag("short_text")]
    | Annotated[LongText, Tag("long_text")]
    | Annotated[Slider, Tag("slider")]
    | Annotated[Ranking, Tag("ranking")]
    | Annotated[Pairwise, Tag("pairwise")],
    Discriminator(kind_of),
]
