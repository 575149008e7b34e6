"""Reliance as a step: the participant decides, sees the explanation, and decides again.

The questions before and after are made of one block of the study, so that both offer the same options. They are
ordinary items, stored as answers of the period; `views.py` puts them beside the advice and the truth (``decisions``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from study_app.study.definition_cases import AssignedCase
from study_app.study.definition_errors import Loc, Problem
from study_app.study.definition_items import KEY, STRICT, Item, Likert, Option, Single, is_default
from study_app.study.definition_text import Text

FIRST, FINAL, CONFIDENCE = "first", "final", "confidence"
SUFFIXES = (FIRST, f"{FIRST}_{CONFIDENCE}", FINAL, f"{FINAL}_{CONFIDENCE}")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DecisionOption:
    """One decision: ``value`` is stored, ``label`` is shown. ``diagnoses`` are the models' names that mean it, where
    they are not the value itself: nevus stands for "nevocytic nevus", benign for several."""

    value: str = Field(pattern=KEY)
    label: Text
    diagnoses: tuple[str, ...] = Field(default=(), exclude_if=is_default(()))

    def means(self, diagnosis: str) -> bool:
        return diagnosis in (self.value, self.value.replace("_", " "), *self.diagnoses)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Confidence:
    """Asked under each decision, on one of the study's scales."""

    wording: Text
    scale: str


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Reliance:
    """``wording`` is asked before the explanation, ``final_wording`` after it (the same where nothing is said)."""

    id: str = Field(default="decision", pattern=KEY)
    wording: Text
    final_wording: Text | None = Field(default=None, exclude_if=is_default(None))
    options: tuple[DecisionOption, ...] = Field(min_length=2)
    confidence: Confidence | None = Field(default=None, exclude_if=is_default(None))

    @property
    def first(self) -> tuple[Item, ...]:
        """The items before the explanation."""
        return self._items(FIRST, self.wording, "First decision")

    @property
    def final(self) -> tuple[Item, ...]:
        """The items after the explanation."""
        return self._items(FINAL, self.final_wording or self.wording, "Final decision")

    def option_of(self, diagnosis: str) -> str | None:
        """The decision that a diagnosis of the models, or the truth of a case, means; None for another one."""
        return next((option.value for option in self.options if option.means(diagnosis)), None)

    def _items(self, name: str, wording: str, construct: str) -> tuple[Item, ...]:
        options = tuple(Option(value=option.value, label=option.label) for option in self.options)
        decision = Single(id=f"{self.id}_{name}", wording=wording, options=options, construct=construct, repeated=True)
        if self.confidence is None:
            return (decision,)
        sure = Likert(
            id=f"{self.id}_{name}_{CONFIDENCE}",
            wording=self.confidence.wording,
            scale=self.confidence.scale,
            construct=f"{construct}: confidence",
            repeated=True,
        )
        return (decision, sure)


def truths(cases: tuple[AssignedCase, ...], reliance: Reliance) -> Iterator[tuple[str, str | None]]:
    """(case, the right decision), None where the truth is none of the options."""
    for case in cases:
        yield case.id, reliance.option_of(case.truth)


def reliance_checks(data: dict[str, Any]) -> Iterator[Problem]:
    """What the block says about the rest of the file."""
    block = data.get("reliance")
    if not isinstance(block, dict):
        return
    yield from _ids(data, block)
    yield from _scale(data, block)
    options = [each for each in _list(block.get("options")) if isinstance(each, dict)]
    yield from _options(options)
    photo = data.get("photo")
    if not isinstance(photo, dict):
        return
    if photo.get("sources") != ["assigned"]:
        text = "reliance needs cases with a known truth: photo with sources: [assigned]"
        yield Problem(("reliance",), text)
        return
    yield from _truths(photo, options)


def _ids(data: dict[str, Any], block: dict[str, Any]) -> Iterator[Problem]:
    name = block.get("id", "decision")
    made = {f"{name}_{suffix}" for suffix in SUFFIXES}
    for field in ("demographics", "items"):
        for index, row in enumerate(_list(data.get(field))):
            if isinstance(row, dict) and row.get("id") in made:
                text = f"id '{row['id']}' is that of a question of the reliance step; choose another one"
                yield Problem((field, index, "id"), text)


def _scale(data: dict[str, Any], block: dict[str, Any]) -> Iterator[Problem]:
    confidence, scales = block.get("confidence"), data.get("scales")
    scale = confidence.get("scale") if isinstance(confidence, dict) else None
    known = list(scales) if isinstance(scales, dict) else []
    if isinstance(scale, str) and scale not in known:
        text = f"confidence has scale '{scale}'; scales are {', '.join(map(str, known)) or 'none'}"
        yield Problem(("reliance", "confidence", "scale"), text)


def _options(options: list[dict[str, Any]]) -> Iterator[Problem]:
    """A diagnosis means one decision."""
    seen: dict[str, Any] = {}
    for index, option in enumerate(options):
        value = option.get("value")
        here: Loc = ("reliance", "options", index)
        for name in dict.fromkeys(_names(option)):
            if name in seen:
                text = f"option '{value}' means '{name}', and so does option '{seen[name]}'"
                yield Problem(here, text)
            seen.setdefault(name, value)


def _truths(photo: dict[str, Any], options: list[dict[str, Any]]) -> Iterator[Problem]:
    known = {name for option in options for name in _names(option)}
    for index, case in enumerate(_list(photo.get("cases"))):
        if not isinstance(case, dict):
            continue
        truth = case.get("truth")
        here: Loc = ("photo", "cases", index)
        if truth is None:
            yield Problem(here, f"case '{case.get('id')}' has no truth; the reliance step needs it")
        elif isinstance(truth, str) and truth not in known:
            values = ", ".join(str(option.get("value")) for option in options)
            text = f"case '{case.get('id')}' has truth '{truth}', which is no decision; decisions are {values}"
            yield Problem((*here, "truth"), text)


def _names(option: dict[str, Any]) -> list[str]:
    """What means this option, as `DecisionOption.means` has it; from the raw file."""
    value = option.get("value")
    names = [value, value.replace("_", " ")] if isinstance(value, str) else []
    return [*names, *(each for each in _list(option.get("diagnoses")) if isinstance(each, str))]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
