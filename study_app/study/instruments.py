"""Scales that several studies share: files in `questionnaires/instruments/`, used by name among a study's items.

A study says ``- {instrument: sus, repeated: false}``; the instrument's items, its scale and its scoring take that
place, and so become part of the study's canonical form and hash. Wording, scoring and licence are the source's:
each file cites it. An instrument is in one language, the one its wording was checked in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as typed

from study_app.study.definition_errors import DefinitionError, Problem, in_words
from study_app.study.definition_items import KEY, STRICT, Item, Scale
from study_app.study.definition_parts import Score
from study_app.study.definition_text import LANGUAGE, LANGUAGES
from study_app.study.yaml_lines import read_yaml

SHIPPED = Path(__file__).resolve().parents[2] / "questionnaires" / "instruments"
_FIELDS = {"instrument", "repeated", "missing"}


@typed(frozen=True, kw_only=True, config=STRICT)
class Instrument:
    """One file of `questionnaires/instruments/`."""

    id: str = Field(pattern=KEY)
    title: str = Field(min_length=1)
    citation: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    """Under which terms the wording may be used, as far as its source says."""
    language: str = Field(pattern=LANGUAGE)
    scales: dict[str, Scale] = Field(default_factory=dict)
    items: tuple[Item, ...] = Field(min_length=1)
    scores: tuple[Score, ...] = Field(min_length=1)


_INSTRUMENT = TypeAdapter(Instrument)


@dataclass
class Used:
    """The raw study with its instruments filled in. ``origin``: index of an item -> its line's index in the file."""

    data: dict[str, Any]
    origin: dict[int, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def with_instruments(data: dict[str, Any], folder: Path) -> Used:
    """``data`` is the raw study file; whatever has the wrong shape is passed on, it is reported later."""
    used = Used({**data})
    if "instruments" in data:
        text = "field 'instruments' is written by the app: name an instrument among the items, - {instrument: sus}"
        used.problems.append(Problem(("instruments",), text))
        del used.data["instruments"]
    rows = data.get("items")
    if not isinstance(rows, list):
        return used
    items: list[Any] = []
    for index, row in enumerate(rows):
        taken = _filled_in(used, index, row, folder) if isinstance(row, dict) and "instrument" in row else [row]
        used.origin.update({len(items) + n: index for n in range(len(taken))})
        items += taken
    used.data["items"] = items
    return used


def _filled_in(used: Used, index: int, row: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """The items of the instrument that ``row`` names; its scale and scores go into ``used``."""
    name, here = row["instrument"], ("items", index)
    extra = sorted(set(row) - _FIELDS)
    if extra:
        text = f"instrument '{name}' has an unknown field '{extra[0]}'; allowed: {', '.join(sorted(_FIELDS))}"
        used.problems.append(Problem((*here, extra[0]), text))
    if not isinstance(row.get("repeated"), bool):
        used.problems.append(Problem(here, f"instrument '{name}' needs 'repeated': true or false"))
    known = names(folder)
    if name not in known:
        text = f"there is no instrument '{name}'; allowed: {', '.join(known)}"
        used.problems.append(Problem((*here, "instrument"), text))
        return []
    raw = _read(_file(str(name), folder))
    languages = used.data.get("languages", ["en"])
    if languages != [raw["language"]]:
        text = (
            f"instrument '{name}' is worded in '{raw['language']}' only, the study is in {languages}: "
            "write its items out in every language"
        )
        used.problems.append(Problem((*here, "instrument"), text))
        return []
    _keep(used, raw, here)
    given: dict[str, Any] = {key: value for key, value in row.items() if key in ("repeated", "missing")}
    return [{"repeated": False, **item, **given} for item in raw["items"]]


def _keep(used: Used, raw: dict[str, Any], here: tuple[str | int, ...]) -> None:
    scales = used.data.get("scales", {})
    if isinstance(scales, dict):
        for name in sorted(set(scales) & set(raw["scales"])):
            text = f"scale '{name}' is the name of a scale of instrument '{raw['id']}': choose another name"
            used.problems.append(Problem(("scales", name), text))
        used.data["scales"] = {**scales, **raw["scales"]}
    source = {key: raw[key] for key in ("id", "title", "citation", "licence")}
    used.data["instruments"] = [*used.data.get("instruments", []), source]
    scores = used.data.get("scores", [])
    if isinstance(scores, list):
        used.data["scores"] = [*scores, *raw["scores"]]


def names(folder: Path = SHIPPED) -> tuple[str, ...]:
    """Instruments that a study in the folder above ``folder`` can name, in alphabetical order."""
    return tuple(sorted({path.stem for place in (folder, SHIPPED) for path in place.glob("*.yaml")}))


def load_instrument(path: Path) -> Instrument:
    """Read and check one file. Raises DefinitionError with every mistake, or OSError."""
    return _INSTRUMENT.validate_json(json.dumps(_read(path)), context={LANGUAGES: (_read(path)["language"],)})


def _file(name: str, folder: Path) -> Path:
    own = folder / f"{name}.yaml"
    return own if own.exists() else SHIPPED / f"{name}.yaml"


def _read(path: Path) -> dict[str, Any]:
    return _checked(path, path.read_text(encoding="utf-8"))


@lru_cache(maxsize=32)
def _checked(path: Path, text: str) -> dict[str, Any]:
    """The raw instrument, complete and checked; its items say ``repeated: false`` until a study says otherwise."""
    document = read_yaml(str(path), text)
    data = document.data
    problems = [Problem(loc, message) for loc, message in document.problems]
    if isinstance(data, dict):
        rows = data.get("items")
        items = rows if isinstance(rows, list) else []
        data = {"scales": {}, **data, "items": [{"repeated": False, **i} if isinstance(i, dict) else i for i in items]}
        if data.get("id") != path.stem:
            problems.append(Problem(("id",), f"the instrument's id must be the file's name, '{path.stem}'"))
    context = {LANGUAGES: (str(data.get("language")),) if isinstance(data, dict) else ()}
    try:
        _INSTRUMENT.validate_json(json.dumps(data, default=str), context=context)
    except ValidationError as error:
        problems += in_words(error, data, Instrument)
    if problems:
        raise DefinitionError(document.told(str(path), problems))
    return data
