"""A study as data: the YAML file of a questionnaire, read into a frozen `Study`.

Every mistake in the file is reported at once, each with its line and the allowed values
(see `definition_errors.py`). The canonical form of a study, and with it the definition hash, does
not depend on comments, order of fields or line breaks: a participant is pinned to that hash.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.types import Condition as ExplainerName

StepName = Literal["consent", "demographics", "periods", "final_items", "comments"]
PhotoSource = Literal["gallery", "upload"]
KEY = r"^[a-z][a-z0-9_]*$"


class DefinitionError(ValueError):
    """The study file cannot be used. ``problems`` holds one line per mistake: ``file:line: what``."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Option(_Part):
    """One possible answer of a question: ``value`` is stored, ``label`` is shown."""

    value: str = Field(pattern=KEY)
    label: str = Field(min_length=1)


class Question(_Part):
    """A question with options, asked once (demographics). The answer is an option's value."""

    id: str = Field(pattern=KEY)
    wording: str = Field(min_length=1)
    options: tuple[Option, ...] = Field(min_length=2)


class Scale(_Part):
    """Points ``minimum`` .. ``minimum + len(labels) - 1``, one label per point."""

    labels: tuple[str, ...] = Field(min_length=2)
    minimum: int = 1

    @property
    def maximum(self) -> int:
        return self.minimum + len(self.labels) - 1

    @property
    def points(self) -> tuple[int, ...]:
        return tuple(range(self.minimum, self.maximum + 1))


class Item(_Part):
    """One statement rated on a scale. ``repeated``: once after every condition; else once, at the end."""

    id: str = Field(pattern=KEY)
    wording: str = Field(min_length=1)
    construct: str = Field(min_length=1)
    scale: str
    repeated: bool


class Condition(_Part):
    """One condition of the study. ``label`` is for the researcher only; participants see
    `Study.assistant_name`. ``explainer`` is what the pipeline is asked for."""

    key: str = Field(pattern=KEY)
    label: str = Field(min_length=1)
    explainer: ExplainerName


class Bullet(_Part):
    """A bold lead and the sentence that follows it."""

    lead: str = Field(min_length=1)
    text: str = Field(min_length=1)


class Consent(_Part):
    """Consent page: one sentence, bullets, the full sheet (Markdown) and what must be ticked."""

    summary: str = Field(min_length=1)
    bullets: tuple[Bullet, ...] = Field(min_length=1)
    sheet: str = Field(min_length=1)
    agreements: tuple[str, ...] = Field(min_length=1)


class Debrief(_Part):
    """Last page: a title and Markdown text; shown above the completion code."""

    title: str = Field(min_length=1)
    text: str = Field(min_length=1)


class CompletionCodes(_Part):
    """Codes a recruiter's site asks for, one per outcome."""

    completed: str = Field(min_length=1)
    declined: str = Field(min_length=1)


class PhotoRule(_Part):
    """Where a photo may come from, and the sentence above the choice."""

    instruction: str = Field(min_length=1)
    sources: tuple[PhotoSource, ...] = Field(min_length=1)
    ask_label: bool = True
    """Ask which condition the photo shows; the list of labels is the pipeline profile's."""


class Comments(_Part):
    """The free-text question. An empty answer is allowed."""

    id: str = Field(default="comments", pattern=KEY)
    wording: str = Field(min_length=1)
    max_length: int = Field(default=4000, gt=0)


class Design(_Part):
    """Within-subjects: every participant meets every condition, in one of the sequences."""

    kind: Literal["within"] = "within"
    sequences: Literal["all_orders"] = "all_orders"
    inactive_after_minutes: int = Field(default=120, gt=0)
    """Without a sign of life for so long, a place in a sequence is free again and the outcome is abandoned."""


class Study(_Part):
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
    scales: dict[str, Scale]
    items: tuple[Item, ...] = Field(min_length=1)
    final_items_intro: str = ""
    """Shown above the items asked once. ``{KEY}`` stands for the participant's name of condition KEY."""
    comments: Comments | None = None
    debrief: Debrief
    completion_codes: CompletionCodes

    @property
    def repeated_items(self) -> tuple[Item, ...]:
        """Items asked after every condition, in order."""
        raise NotImplementedError

    @property
    def final_items(self) -> tuple[Item, ...]:
        """Items asked once, in order."""
        raise NotImplementedError

    def condition(self, key: str) -> Condition:
        """Raises KeyError for an unknown key."""
        raise NotImplementedError

    def scale_of(self, item: Item) -> Scale:
        raise NotImplementedError

    def name_in_period(self, period: int) -> str:
        """What participants call the condition met in ``period`` (1, 2, ...): "Assistant 2"."""
        return self.assistant_name.format(n=period)

    def canonical(self) -> str:
        """JSON with sorted keys: the same for two files that say the same."""
        raise NotImplementedError

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of `canonical`: the definition hash."""
        raise NotImplementedError

    @classmethod
    def from_canonical(cls, source: str) -> Study:
        raise NotImplementedError


def load_study(path: str | Path) -> Study:
    """Read and check a study file. Raises DefinitionError with every mistake, or OSError."""
    raise NotImplementedError
