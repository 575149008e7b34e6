"""Mistakes in a study file, in words a study's author understands."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from pydantic import Tag, ValidationError

Loc = tuple[str | int, ...]


class DefinitionError(ValueError):
    """The study file cannot be used. ``problems`` holds one line per mistake: ``file:line: what [path]``."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Problem(NamedTuple):
    """``loc`` is the path to the value: ("items", 2, "scale")."""

    loc: Loc
    message: str


def in_words(error: ValidationError, data: Any, model: type) -> list[Problem]:
    """Pydantic's errors about ``data`` as a ``model``, each as one sentence that names the thing by its id."""
    return [_problem(detail, data, model) for detail in error.errors() if not _echo(detail)]


def _echo(detail: Any) -> bool:
    """A list counts as too short when its entries were refused: those are reported themselves."""
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]


def _problem(detail: Any, data: Any, model: type) -> Problem:
    loc, allowed = _walk(detail["loc"], model)
    field, where = (str(loc[-1]), name_of(loc[:-1], data)) if loc else ("", "")
    value, context = detail["input"], detail.get("ctx", {})
    match detail["type"]:
        case "missing" if loc and isinstance(loc[-1], int):
            return Problem(loc[:-1], f"{name_of(loc[:-2], data)} has no {loc[-2]} entry {loc[-1] + 1}")
        case "missing":
            return Problem(loc, f"{where} has no field '{field}'")
        case "unexpected_keyword_argument":
            return Problem(loc, f"{where} has an unknown field '{field}'{_meant(field, allowed)}")
        case "dataclass_type" | "dict_type":
            return Problem(loc, f"{name_of(loc, data)} is {_shown(value)}, expected fields with values")
        case "union_tag_invalid":
            kinds = context["expected_tags"].replace("'", "")
            return Problem((*loc, "kind"), f"{name_of(loc, data)} has kind '{context['tag']}'; allowed: {kinds}")
        case "union_tag_not_found":
            text = f"is {_shown(value)}, expected fields with values"
            text = "has no kind; give it 'scale', 'options' or 'kind'" if isinstance(value, dict) else text
            return Problem(loc, f"{name_of(loc, data)} {text}")
    say = _SAYINGS.get(detail["type"])
    if say is None:
        return Problem(loc, f"{where} has {field} {_shown(value)}: {detail['msg'].lower()}")
    if loc and isinstance(loc[-1], int):
        where, field = name_of(loc[:-2], data), f"{loc[-2]} entry {loc[-1] + 1}"
    return Problem(loc, f"{where} has {say(field, _shown(value), context)}")


_SAYINGS: dict[str, Callable[[str, str, dict[str, Any]], str]] = {
    "literal_error": lambda field, value, ctx: f"{field} {value}; allowed: {ctx['expected']}",
    "string_pattern_mismatch": lambda field, value, ctx: f"{field} {value}: {_pattern(ctx['pattern'])}",
    "string_type": lambda field, value, _: f"{field} {value}, which is not text: put it in quotes",
    "text_type": lambda field, value, _: f"{field} {value}, which is not text: put it in quotes",
    "string_too_short": lambda field, *_: f"an empty {field}",
    "text_empty": lambda field, _, ctx: f"an empty {field}" + (f" in '{ctx['language']}'" if ctx["language"] else ""),
    "text_language": lambda field, _, ctx: (
        f"{field} in language '{ctx['language']}'; the study's languages are {ctx['known']}"
    ),
    "text_lacks": lambda field, _, ctx: f"no {field} in language '{ctx['lacking']}'",
    "int_type": lambda field, value, _: f"{field} {value}, which is not a whole number",
    "int_from_float": lambda field, value, _: f"{field} {value}, which is not a whole number",
    "float_type": lambda field, value, _: f"{field} {value}, which is not a number",
    "bool_type": lambda field, value, _: f"{field} {value}; allowed: true, false",
    "tuple_type": lambda field, value, _: f"{field} {value}, expected a list: [...] or lines that begin with '- '",
    "greater_than": lambda field, value, ctx: f"{field} {value}; it must be greater than {ctx['gt']}",
    "greater_than_equal": lambda field, value, ctx: f"{field} {value}; it must be {ctx['ge']} or more",
    "less_than_equal": lambda field, value, ctx: f"{field} {value}; it must be {ctx['le']} or less",
    "too_short": lambda field, _, ctx: f"{ctx['actual_length']} {field}; at least {ctx['min_length']} are needed",
    "too_long": lambda field, _, ctx: f"{ctx['actual_length']} {field}; at most {ctx['max_length']} are possible",
}


def _pattern(pattern: str) -> str:
    if "A-Za-z0-9_" in pattern:
        return "use letters, digits, _, . and -, a letter first"
    if "a-z0-9_" in pattern:
        return "use lower-case letters, digits and _, a letter first"
    return "write languages as en, de, zh"


def _shown(value: Any) -> str:
    """The value as the file has it, cut to a length that fits a line."""
    text = "nothing" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _meant(field: str, allowed: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(field, allowed, n=1)
    return f": did you mean '{close[0]}'?" if close else f"; allowed: {', '.join(allowed)}"


def _walk(loc: Loc, model: type) -> tuple[Loc, tuple[str, ...]]:
    """``loc`` without the names of an item's kind, and the fields allowed beside its last part."""
    kept: list[str | int] = []
    current: Any = model
    allowed: tuple[str, ...] = ()
    for part in loc:
        tagged = _by_tag(current).get(part)
        if tagged is not None:
            current = tagged
            continue
        kept.append(part)
        current = _bare(current)
        if is_dataclass(current):
            allowed = tuple(field.name for field in fields(current))
            current = get_type_hints(current, include_extras=True).get(str(part))
        else:
            arguments = [each for each in get_args(current) if each is not Ellipsis]
            current = arguments[-1] if arguments else None
    return tuple(kept), allowed


def _by_tag(hint: Any) -> dict[str | int, Any]:
    """The members of a union of item kinds, by their kind."""
    members = get_args(get_args(hint)[0]) if get_origin(hint) is Annotated else ()
    return {tag.tag: get_args(member)[0] for member in members for tag in get_args(member)[1:] if isinstance(tag, Tag)}


def _bare(hint: Any) -> Any:
    """The class inside ``Annotated[...]`` or ``... | None``."""
    if get_origin(hint) is Annotated:
        return _bare(get_args(hint)[0])
    options = [each for each in get_args(hint) if each is not type(None)]
    return options[0] if type(None) in get_args(hint) and len(options) == 1 else hint


def name_of(loc: Loc, data: Any) -> str:
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
