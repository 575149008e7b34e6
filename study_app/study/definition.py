"""A study as data: the YAML file of a questionnaire, read into a frozen `Study`.

Every mistake in the file is reported at once, each with its line, its path and the allowed values
(see `definition_errors.py`). The canonical form of a study, and with it the definition hash, does
not depend on comments, order of fields or line breaks: a participant is pinned to that hash.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from study_app.study.definition_cases import case_checks, missing_files
from study_app.study.definition_checks import cross_checks
from study_app.study.definition_conversation import DEFAULT_PROMPTS, Prompts, conversation_checks
from study_app.study.definition_errors import DefinitionError, Problem, in_words
from study_app.study.definition_groups import group_checks
from study_app.study.definition_items import (
    KEY,
    STRICT,
    Item,
    Likert,
    Option,
    Scale,
    Single,
    is_default,
)
from study_app.study.definition_outcome_checks import outcome_checks
from study_app.study.definition_parts import (
    Comments,
    CompletionCodes,
    Condition,
    Consent,
    Debrief,
    Design,
    Eligibility,
    Exclusion,
    InstrumentSource,
    PhotoRule,
    Score,
)
from study_app.study.definition_reliance import Reliance, reliance_checks
from study_app.study.definition_running import OPEN_ENTRY, Entry, ReturnUrls, running_checks
from study_app.study.definition_text import LANGUAGE, LANGUAGES, Text, TextOrNothing, in_language
from study_app.study.instruments import SHIPPED, with_instruments
from study_app.study.yaml_lines import read_yaml

__all__ = [
    "Condition",
    "DefinitionError",
    "Item",
    "Likert",
    "Option",
    "Scale",
    "Single",
    "Study",
    "load_study",
    "read_study",
]

SHIELD = "shield"
StepName = Literal["consent", "demographics", "periods", "final_items", "comments"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Study:
    """A study. Build it with `load_study` (from YAML) or `Study.from_canonical` (from the database)."""

    id: str = Field(pattern=KEY)
    title: Text
    version: str = Field(default="", exclude_if=is_default(""))
    """The author's own name for this state of the study; what identifies it is the definition hash."""
    languages: tuple[Annotated[str, Field(pattern=LANGUAGE)], ...] = Field(
        default=("en",), min_length=1, exclude_if=is_default(("en",))
    )
    """Languages of what participants read; the first is the one of plain strings."""
    institution: str = Field(min_length=1)
    ethics: str = Field(min_length=1)
    contact: str = Field(min_length=1)
    planned_n: int = Field(gt=0)
    seed: int = 0
    assistant_name: Text = "Assistant {n}"
    """Neutral name of a condition for participants; ``{n}`` is the period, 1 for the first met."""
    steps: tuple[StepName, ...]
    design: Design = Design()
    conditions: tuple[Condition, ...] = Field(min_length=1)
    photo: PhotoRule
    sensitive_images: Literal["shield", "show"] = Field(default="show", exclude_if=is_default("show"))
    """``shield``: pictures stay covered until the participant asks for them, one by one or all; their own photo is
    not covered. ``show``, where nothing is said: the definitions of before there were covers show what they showed."""
    conversation: Prompts = Field(default=DEFAULT_PROMPTS, exclude_if=is_default(DEFAULT_PROMPTS))
    reliance: Reliance | None = Field(default=None, exclude_if=is_default(None))
    """A decision before and after each explanation."""
    suggested_questions: tuple[Text, ...] = ()
    """Questions offered under an answer."""
    consent: Consent
    demographics: tuple[Item, ...] = ()
    scales: dict[Annotated[str, Field(pattern=KEY)], Scale]
    items: tuple[Item, ...] = Field(min_length=1)
    scores: tuple[Score, ...] = Field(default=(), exclude_if=is_default(()))
    instruments: tuple[InstrumentSource, ...] = Field(default=(), exclude_if=is_default(()))
    eligibility: tuple[Eligibility, ...] = Field(default=(), exclude_if=is_default(()))
    exclusion: Exclusion | None = Field(default=None, exclude_if=is_default(None))
    final_items_intro: TextOrNothing = ""
    """Shown above the items asked once. ``{KEY}`` stands for the participant's name of condition KEY."""
    comments: Comments | None = None
    debrief: Debrief
    completion_codes: CompletionCodes
    return_urls: ReturnUrls | None = Field(default=None, exclude_if=is_default(None))
    entry: Entry = Field(default=OPEN_ENTRY, exclude_if=is_default(OPEN_ENTRY))
    resume_within_hours: float | None = Field(default=None, gt=0, exclude_if=is_default(None))
    """How long after the arrival a link leads back into the study; then it says that it is over."""

    @property
    def repeated_items(self) -> tuple[Item, ...]:
        """Items asked after every condition, in order."""
        return tuple(item for item in self.items if item.repeated)

    @property
    def final_items(self) -> tuple[Item, ...]:
        """Items asked once, at the end, in order."""
        return tuple(item for item in self.items if not item.repeated)

    @property
    def conditions_met(self) -> int:
        """How many conditions each participant meets."""
        if self.design.groups:
            return len(next(iter(self.design.groups.values())))
        return 1 if self.design.kind == "between" else len(self.conditions)

    @property
    def periods(self) -> int:
        """How many photos each participant meets: one in each condition, or several assigned cases."""
        return self.conditions_met * self.photo.cases_per_condition

    def place_of(self, period: int) -> int:
        """Which of the participant's conditions ``period`` belongs to: 1 for the one met first."""
        return (period - 1) // self.photo.cases_per_condition + 1

    def item(self, name: str) -> Item | None:
        """The item or question of this id; None when nothing is asked under it (the comments are no item)."""
        return next((item for item in (*self.demographics, *self.items, *self.decisions) if item.id == name), None)

    @property
    def decisions(self) -> tuple[Item, ...]:
        """Items of the reliance step, those before and those after the explanation."""
        return (*self.reliance.first, *self.reliance.final) if self.reliance else ()

    @property
    def files(self) -> tuple[str, ...]:
        """Pictures of assigned cases and of pairs, as the study names them: from the folder of the study file."""
        sides = [side for item in (*self.demographics, *self.items) for side in getattr(item, "sides", ())]
        cases = [file for case in self.photo.cases for file in case.files]
        return tuple(dict.fromkeys((*cases, *(side.picture for side in sides if side.picture))))

    def condition(self, key: str) -> Condition:
        """Raises KeyError for an unknown key."""
        return {condition.key: condition for condition in self.conditions}[key]

    def scale_of(self, item: Likert) -> Scale:
        return self.scales[item.scale]

    def name_in_period(self, period: int) -> str:
        """What participants call the condition met in ``period`` (1, 2, ...): "Assistant 2"."""
        return self.assistant_name.replace("{n}", str(self.place_of(period)))

    def canonical(self) -> str:
        """JSON with sorted keys: the same for two files that say the same."""
        return json.dumps(_STUDY.dump_python(self, mode="json"), sort_keys=True, ensure_ascii=False)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of `canonical`: the definition hash."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def in_language(self, language: str) -> Study:
        """The same study with every text as the plain string participants read in ``language``. Its hash is
        another one: only for showing."""
        return _in_language(self.canonical(), language)

    @staticmethod
    def from_canonical(source: str) -> Study:
        """Inverse of `canonical`. Raises pydantic.ValidationError."""
        return _STUDY.validate_json(source, context={LANGUAGES: _languages(json.loads(source))})


_STUDY = TypeAdapter(Study)


@lru_cache(maxsize=64)
def _in_language(canonical: str, language: str) -> Study:
    return _one_language(Study.from_canonical(canonical), language)


def _one_language(value: Any, language: str) -> Any:
    """``value`` with every text inside it as a plain string."""
    if isinstance(value, str):
        return in_language(value, language)
    if isinstance(value, tuple):
        return tuple(_one_language(part, language) for part in value)
    if isinstance(value, dict):
        return {key: _one_language(part, language) for key, part in value.items()}
    fields = getattr(value, "__dataclass_fields__", None)
    if fields is None:
        return value
    return type(value)(**{name: _one_language(getattr(value, name), language) for name in fields})


def _languages(data: dict[str, Any]) -> tuple[str, ...]:
    """What the file says about its languages, as far as it can be used."""
    found = data.get("languages", ["en"])
    return tuple(code for code in found if isinstance(code, str)) if isinstance(found, list) else ()


def load_study(path: str | Path) -> Study:
    """Read and check a study file. Raises DefinitionError with every mistake, or OSError.

    Instruments named among the items are read from ``instruments/`` beside the file, or else from those that
    come with the app (`instruments.SHIPPED`).
    """
    return read_study(str(path), Path(path).read_bytes(), Path(path).parent)


def read_study(name: str, content: bytes, folder: Path | None) -> Study:
    """Read and check the ``content`` of a study file, which messages call ``name``. Raises DefinitionError.

    ``folder``: where the file is. None for one that is nowhere on this machine: its pictures are not looked for, and
    instruments are those that come with the app."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DefinitionError((f"{name}:1: not text in UTF-8: {error.reason}",)) from error
    document = read_yaml(name, text)
    problems = [Problem(loc, message) for loc, message in document.problems]
    data: Any = document.data
    origin: dict[int, int] = {}
    found: list[Problem] = []
    if isinstance(data, dict):
        used = with_instruments(data, SHIPPED if folder is None else folder / "instruments")
        data, origin = used.data, used.origin
        problems += used.problems
        found += [*cross_checks(data), *outcome_checks(data), *running_checks(data), *case_checks(data)]
        found += [*reliance_checks(data), *conversation_checks(data), *group_checks(data)]
        found += [] if folder is None else missing_files(data, folder)
    study = None
    languages = _languages(data) if isinstance(data, dict) else ()
    try:
        study = _STUDY.validate_json(json.dumps(data, default=str), context={LANGUAGES: languages})
    except ValidationError as error:
        found += in_words(error, data, Study)
    problems += [Problem(_as_written(problem.loc, origin), problem.message) for problem in found]
    if problems or study is None:
        raise DefinitionError(document.told(name, problems))
    return study


def _as_written(loc: tuple[str | int, ...], origin: dict[int, int]) -> tuple[str | int, ...]:
    """The place in the file: an instrument stands there in one line, whatever it stands for."""
    if len(loc) > 1 and loc[0] == "items" and isinstance(loc[1], int):
        return ("items", origin.get(loc[1], loc[1]), *loc[2:])
    return loc
