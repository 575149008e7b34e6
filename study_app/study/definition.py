"""A study as data: the YAML file of a questionnaire, read into a frozen `Study`.

Every mistake in the file is reported at once, each with its line and the allowed values
(see `definition_errors.py`). The canonical form of a study, and with it the definition hash, does
not depend on comments, order of fields or line breaks: a participant is pinned to that hash.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from pipeline.types import Condition as ExplainerName
from study_app.study.definition_errors import DefinitionError, Problem, cross_checks, in_words
from study_app.study.yaml_lines import read_yaml

StepName = Literal["consent", "demographics", "periods", "final_items", "comments"]
PhotoSource = Literal["gallery", "upload"]
KEY = r"^[a-z][a-z0-9_]*$"


STRICT = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Option:
    """One possible answer of a question: ``value`` is stored, ``label`` is shown."""

    value: str = Field(pattern=KEY)
    label: str = Field(min_length=1)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Question:
    """A question with options, asked once (demographics). The answer is an option's value."""

    id: str = Field(pattern=KEY)
    wording: str = Field(min_length=1)
    options: tuple[Option, ...] = Field(min_length=2)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Scale:
    """Points ``minimum`` .. ``minimum + len(labels) - 1``, one label per point."""

    labels: tuple[str, ...] = Field(min_length=2)
    minimum: int = 1

    @property
    def maximum(self) -> int:
        return self.minimum + len(self.labels) - 1

    @property
    def points(self) -> tuple[int, ...]:
        return tuple(range(self.minimum, self.maximum + 1))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Item:
    """One statement rated on a scale. ``repeated``: once after every condition; else once, at the end."""

    id: str = Field(pattern=KEY)
    wording: str = Field(min_length=1)
    construct: str = Field(min_length=1)
    scale: str
    repeated: bool


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Condition:
    """One condition of the study. ``label`` is for the researcher only; participants see
    `Study.assistant_name`. ``explainer`` is what the pipeline is asked for."""

    key: str = Field(pattern=KEY)
    label: str = Field(min_length=1)
    explainer: ExplainerName


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Bullet:
    """A bold lead and the sentence that follows it."""

    lead: str = Field(min_length=1)
    text: str = Field(min_length=1)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Consent:
    """Consent page: one sentence, bullets, the full sheet (Markdown) and what must be ticked."""

    summary: str = Field(min_length=1)
    bullets: tuple[Bullet, ...] = Field(min_length=1)
    sheet: str = Field(min_length=1)
    agreements: tuple[str, ...] = Field(min_length=1)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Debrief:
    """Last page: a title and Markdown text; shown above the completion code."""

    title: str = Field(min_length=1)
    text: str = Field(min_length=1)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CompletionCodes:
    """Codes a recruiter's site asks for, one per outcome."""

    completed: str = Field(min_length=1)
    declined: str = Field(min_length=1)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PhotoRule:
    """Where a photo may come from, and the sentence above the choice."""

    instruction: str = Field(min_length=1)
    sources: tuple[PhotoSource, ...] = Field(min_length=1)
    ask_label: bool = True
    """Ask which condition the photo shows; the list of labels is the pipeline profile's."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Comments:
    """The free-text question. An empty answer is allowed."""

    id: str = Field(default="comments", pattern=KEY)
    wording: str = Field(min_length=1)
    max_length: int = Field(default=4000, gt=0)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Design:
    """Within-subjects: every participant meets every condition, in one of the sequences."""

    kind: Literal["within"] = "within"
    sequences: Literal["all_orders"] = "all_orders"
    inactive_after_minutes: int = Field(default=120, gt=0)
    """Without a sign of life for so long, the place in the sequence is free again and the outcome is
    ``abandoned``."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Study:
    """A study. Build it with `load_study` (from YAML) or `Study.from_canonical` (from the database)."""

    id: str = Field(pattern=KEY)
    title: str = Field(min_length=1)
    institution: str = Field(min_length=1)
    ethics: str = Field(min_length=1)
    contact: str = Field(min_length=1)
    planned_n: int = Field(gt=0)
    seed: int = 0
    assistant_name: str = "Assistant {n}"
    """Neutral name of a condition for participants; ``{n}`` is the period, 1 for the first met."""
    steps: tuple[StepName, ...]
    design: Design = Design()
    conditions: tuple[Condition, ...] = Field(min_length=2)
    photo: PhotoRule
    suggested_questions: tuple[str, ...] = ()
    """Questions offered under an answer."""
    consent: Consent
    demographics: tuple[Question, ...] = ()
    scales: dict[Annotated[str, Field(pattern=KEY)], Scale]
    items: tuple[Item, ...] = Field(min_length=1)
    final_items_intro: str = ""
    """Shown above the items asked once. ``{KEY}`` stands for the participant's name of condition KEY."""
    comments: Comments | None = None
    debrief: Debrief
    completion_codes: CompletionCodes

    @property
    def repeated_items(self) -> tuple[Item, ...]:
        """Items asked after every condition, in order."""
        return tuple(item for item in self.items if item.repeated)

    @property
    def final_items(self) -> tuple[Item, ...]:
        """Items asked once, in order."""
        return tuple(item for item in self.items if not item.repeated)

    def condition(self, key: str) -> Condition:
        """Raises KeyError for an unknown key."""
        return {condition.key: condition for condition in self.conditions}[key]

    def scale_of(self, item: Item) -> Scale:
        return self.scales[item.scale]

    def name_in_period(self, period: int) -> str:
        """What participants call the condition met in ``period`` (1, 2, ...): "Assistant 2"."""
        return self.assistant_name.replace("{n}", str(period))

    def canonical(self) -> str:
        """JSON with sorted keys: the same for two files that say the same."""
        return json.dumps(_STUDY.dump_python(self, mode="json"), sort_keys=True, ensure_ascii=False)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of `canonical`: the definition hash."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    @staticmethod
    def from_canonical(source: str) -> Study:
        """Inverse of `canonical`. Raises pydantic.ValidationError."""
        return _STUDY.validate_json(source)


_STUDY = TypeAdapter(Study)


def load_study(path: str | Path) -> Study:
    """Read and check a study file. Raises DefinitionError with every mistake, or OSError."""
    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DefinitionError((f"{name}:1: not text in UTF-8: {error.reason}",)) from error
    document = read_yaml(name, text)
    data: Any = document.data
    problems = [Problem(loc, message) for loc, message in document.problems]
    study = None
    if isinstance(data, dict):
        problems += cross_checks(data)
    try:
        study = _STUDY.validate_json(json.dumps(data, default=str))
    except ValidationError as error:
        problems += in_words(error, data)
    if problems or study is None:
        raise DefinitionError(
            tuple(
                f"{name}:{line}: {message}"
                for line, message in sorted({(document.line(p.loc), p.message) for p in problems})
            )
        )
    return study
