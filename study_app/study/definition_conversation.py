"""What is asked in a conversation, and conditions without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from study_app.study.definition_errors import Problem
from study_app.study.definition_items import STRICT, is_default

NO_EXPLAINER = "none"
"""Explainer of a condition in which nobody says anything: a picture is shown and rated."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Prompts:
    """``prompts`` are asked in this order, each as soon as the one before is answered, in the words that the models
    get; without them the app's own first question is asked. ``free_questions``: the participant may ask more."""

    prompts: tuple[str, ...] = Field(default=(), exclude_if=is_default(()))
    free_questions: bool = Field(default=True, exclude_if=is_default(True))


DEFAULT_PROMPTS = Prompts()


def conversation_checks(data: dict[str, Any]) -> Iterator[Problem]:
    """What conditions without an explainer need, and what the pictures of the cases belong to."""
    silent: set[Any] = set()
    rows = data.get("conditions")
    photo = data.get("photo")
    sources = photo.get("sources") if isinstance(photo, dict) else None
    for index, row in enumerate(rows if isinstance(rows, list) else []):
        if isinstance(row, dict) and row.get("explainer") == NO_EXPLAINER:
            if isinstance(row.get("key"), str):
                silent.add(row["key"])
            if isinstance(sources, list) and sources != ["assigned"]:
                text = f"condition '{row.get('key')}' has no explainer, so its pictures must be assigned cases"
                yield Problem(("conditions", index, "explainer"), text)
    cases = photo.get("cases") if isinstance(photo, dict) else None
    for index, case in enumerate(cases if isinstance(cases, list) else []):
        pictures = case.get("pictures") if isinstance(case, dict) else None
        for key in pictures if isinstance(pictures, dict) else {}:
            if key not in silent:
                known = ", ".join(sorted(silent)) or "none"
                text = f"case '{case.get('id')}' has a picture for '{key}'; conditions with explainer: none are {known}"
                yield Problem(("photo", "cases", index, "pictures", str(key)), text)
