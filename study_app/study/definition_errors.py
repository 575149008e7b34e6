"""Mistakes in a study file, in words a study's author understands."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import ValidationError

MAX_CONDITIONS = 5
"""All orders of five conditions are 120 sequences; more cannot be balanced in a study of this kind."""


class DefinitionError(ValueError):
    """The study file cannot be used. ``problems`` holds one line per mistake: ``file:line: what``."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Problem(NamedTuple):
    """``loc`` is the path to the value: ("items", 2, "scale")."""

    loc: tuple[str | int, ...]
    message: str


def in_words(error: ValidationError, data: Any) -> list[Problem]:
    """Pydantic's errors, each as one sentence that names the thing by its id."""
    return [_problem(detail, data) for detail in error.errors() if not _echo(detail)]


def _echo(detail: Any) -> bool:
    """A list counts as too short when its entries were refused: those are reported themselves."""
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]


def _problem(detail: Any, data: Any) -> Problem:
    loc, kind, value = detail["loc"], detail["type"], detail["input"]
    field, where = (str(loc[-1]), name_of(loc[:-1], data)) if loc else ("", "")
    if kind == "missing":
        return Problem(loc, f"{where} has no field '{field}'")
    if kind == "unexpected_keyword_argument":
        return Problem(loc, f"{where} has an unknown field '{field}'")
    if kind == "literal_error":
        return Problem(loc, f"{where} has {field} {value!r}; allowed: {detail['ctx']['expected']}")
    if kind == "string_pattern_mismatch":
        text = f"{where} has {field} {value!r}: use lower-case letters, digits and _, a letter first"
        return Problem(loc, text)
    if kind == "string_type":
        return Problem(loc, f"{where} has {field} {value!r}, which is not text: put it in quotes")
    if kind == "dataclass_type":
        return Problem(loc, f"{name_of(loc, data)} is {value!r}, expected fields with values")
    if kind == "string_too_short":
        return Problem(loc, f"{where} has an empty {field}")
    return Problem(loc, f"{where} has {field} {value!r}: {detail['msg'].lower()}")


def name_of(loc: tuple[str | int, ...], data: Any) -> str:
    """("items", 2) -> "item 'trust'"; () -> "the study"."""
    name, value = "the study", data
    for index, part in enumerate(loc):
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            value = None
        if isinstance(part, int):
            thing = {"demographics": "question"}.get(str(loc[index - 1]), str(loc[index - 1]).rstrip("s"))
            label = value.get("id") or value.get("key") or value.get("value") if isinstance(value, dict) else None
            name = f"{thing} '{label}'" if label else f"{thing} {part + 1}"
        else:
            name = str(part) if index == 0 or not isinstance(loc[index - 1], str) else f"{loc[index - 1]} '{part}'"
    return name


def cross_checks(data: dict[str, Any]) -> list[Problem]:
    """What one field says about another. Looks at the raw file, so that it reports beside the errors of
    single fields; whatever has the wrong shape is passed over, it is reported already."""
    return [
        *_unknown_scales(data),
        *_repeated_ids(data),
        *_steps(data),
        *_placeholders(data),
        *_conditions(data),
    ]


def _dicts(data: Any, field: str) -> Iterator[tuple[int, dict[str, Any]]]:
    rows = data.get(field) if isinstance(data, dict) else None
    for index, row in enumerate(rows if isinstance(rows, list) else []):
        if isinstance(row, dict):
            yield index, row


def _unknown_scales(data: dict[str, Any]) -> Iterator[Problem]:
    scales = data.get("scales")
    known = list(scales) if isinstance(scales, dict) else []
    for index, item in _dicts(data, "items"):
        scale = item.get("scale")
        if isinstance(scale, str) and scale not in known:
            text = f"item '{item.get('id')}' has scale '{scale}'; scales are {', '.join(known) or 'none'}"
            yield Problem(("items", index, "scale"), text)


def _repeated_ids(data: dict[str, Any]) -> Iterator[Problem]:
    """Items, questions and comments share one space of ids: the log of answers names them by id."""
    asked = [((field, i, "id"), row.get("id")) for field in ("items", "demographics") for i, row in _dicts(data, field)]
    comments = data.get("comments")
    if isinstance(comments, dict):
        asked.append((("comments", 0, "id"), comments.get("id", "comments")))
    keys = [(("conditions", i, "key"), row.get("key")) for i, row in _dicts(data, "conditions")]
    groups: list[list[tuple[tuple[str | int, ...], Any]]] = [list(asked), list(keys)]
    for index, question in _dicts(data, "demographics"):
        groups.append(
            [(("demographics", index, "options", i, "value"), o.get("value")) for i, o in _dicts(question, "options")]
        )
    for group in groups:
        counts = Counter(str(name) for _, name in group)
        seen: set[str] = set()
        for loc, name in group:
            if counts[str(name)] > 1 and str(name) in seen:
                yield Problem(loc, f"{loc[-1]} '{name}' is used twice; it must be unique")
            seen.add(str(name))


def _steps(data: dict[str, Any]) -> Iterator[Problem]:
    steps = data.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        return
    here = ("steps",)
    for step, count in Counter(steps).items():
        if count > 1:
            yield Problem(here, f"step '{step}' stands {count} times; every step comes once")
    if steps[:1] != ["consent"]:
        yield Problem(here, "the first step must be consent")
    if "periods" not in steps:
        yield Problem(here, "step 'periods' is missing: it holds photo, conversation and rating")
    elif "final_items" in steps and steps.index("final_items") < steps.index("periods"):
        yield Problem(here, "step 'final_items' must come after periods")
    once = any(item.get("repeated") is False for _, item in _dicts(data, "items"))
    again = any(item.get("repeated") is True for _, item in _dicts(data, "items"))
    needs = {"demographics": bool(data.get("demographics")), "comments": bool(data.get("comments"))}
    for step, there in {**needs, "final_items": once}.items():
        if there != (step in steps):
            what = "an item with repeated: false" if step == "final_items" else f"the field '{step}'"
            text = f"there is {what}, but no step '{step}'" if there else f"step '{step}' needs {what}"
            yield Problem(here, text)
    if not again:
        yield Problem(("items",), "no item has repeated: true, so there is nothing to rate after a condition")


def _placeholders(data: dict[str, Any]) -> Iterator[Problem]:
    keys = [str(row.get("key")) for _, row in _dicts(data, "conditions")]
    for field, allowed in (("assistant_name", ["n"]), ("final_items_intro", keys)):
        text = data.get(field)
        if not isinstance(text, str):
            continue
        try:
            names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
        except ValueError:
            yield Problem((field,), f"{field} has a brace without a partner")
            continue
        for name in names:
            if name not in allowed:
                braces = ", ".join("{" + key + "}" for key in allowed)
                yield Problem((field,), f"{field} has {{{name}}}; allowed: {braces}")
        if field == "assistant_name" and "n" not in names:
            yield Problem((field,), "assistant_name lacks {n}, the number of the period")


def _conditions(data: dict[str, Any]) -> Iterator[Problem]:
    rows = data.get("conditions")
    if isinstance(rows, list) and len(rows) > MAX_CONDITIONS:
        yield Problem(("conditions",), f"{len(rows)} conditions; all orders are balanced for up to {MAX_CONDITIONS}")
