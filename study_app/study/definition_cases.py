"""Assigned cases: photos that the researcher chose, with what they show, dealt out to participants by the app."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from study_app.study.definition_checks import asked_in, dicts_in
from study_app.study.definition_errors import Problem
from study_app.study.definition_items import KEY, STRICT, is_default

MAX_PERIODS = 200
"""More photos than this nobody looks at in one sitting; a number beyond it is a slip."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class AssignedCase:
    """One photo. ``file`` is relative to the study file. ``truth`` is what it shows; participants never see it."""

    id: str = Field(pattern=KEY)
    file: str = Field(min_length=1)
    truth: str = Field(default="", exclude_if=is_default(""))
    pictures: dict[Annotated[str, Field(pattern=KEY)], str] = Field(
        default_factory=dict, exclude_if=lambda value: not value
    )
    """Condition -> the picture shown beside ``file`` in a condition without an explainer."""

    @property
    def files(self) -> tuple[str, ...]:
        return (self.file, *self.pictures.values())


def case_checks(data: dict[str, Any]) -> Iterator[Problem]:
    """What the fields of ``photo`` say about each other and about the conditions."""
    photo = data.get("photo")
    if not isinstance(photo, dict):
        return
    sources, cases = photo.get("sources"), photo.get("cases")
    assigned = isinstance(sources, list) and "assigned" in sources
    if isinstance(sources, list) and "assigned" in sources and len(sources) > 1:
        yield Problem(("photo", "sources"), "assigned cases are the only source: write sources: [assigned]")
    if assigned and not cases:
        yield Problem(("photo", "cases"), "sources: [assigned] needs the field 'cases', the photos to be assigned")
    for field in ("cases", "cases_per_condition"):
        if isinstance(sources, list) and field in photo and not assigned:
            yield Problem(("photo", field), f"'{field}' needs sources: [assigned]")
    if assigned and isinstance(cases, list):
        yield from _ids(cases)
        yield from _enough(data, cases, photo.get("cases_per_condition", 1))


def _ids(cases: list[Any]) -> Iterator[Problem]:
    seen: set[Any] = set()
    for index, case in enumerate(cases):
        name = case.get("id") if isinstance(case, dict) else None
        if isinstance(name, str) and name in seen:
            yield Problem(("photo", "cases", index, "id"), f"id '{name}' is used twice; it must be unique")
        seen.add(name if isinstance(name, str) else None)


def _enough(data: dict[str, Any], cases: list[Any], each: Any) -> Iterator[Problem]:
    """No participant meets a case twice."""
    if not isinstance(each, int) or isinstance(each, bool) or each < 1:
        return
    met = conditions_met(data)
    needed = met * each
    if needed > MAX_PERIODS:
        yield Problem(
            ("photo", "cases_per_condition"),
            f"{met} conditions with {each} cases each are {needed} photos for every participant; at most "
            f"{MAX_PERIODS} are possible",
        )
    elif needed > len(cases):
        yield Problem(
            ("photo", "cases"),
            f"{len(cases)} cases; every participant meets {needed} different ones "
            f"({met} conditions with {each} each): add cases or lower cases_per_condition",
        )


def conditions_met(data: dict[str, Any]) -> int:
    """How many conditions each participant meets, from the raw file."""
    design = data.get("design")
    kind = design.get("kind") if isinstance(design, dict) else None
    conditions = data.get("conditions")
    if kind == "between":
        return 1
    if kind == "mixed" and isinstance(design, dict) and isinstance(design.get("groups"), dict):
        return max((len(group) for group in design["groups"].values() if isinstance(group, list)), default=1)
    return len(conditions) if isinstance(conditions, list) else 1


def periods_met(data: dict[str, Any]) -> int:
    """How many photos each participant rates, from the raw file, as `Study.periods`."""
    photo = data.get("photo")
    each = photo.get("cases_per_condition", 1) if isinstance(photo, dict) else 1
    several = isinstance(each, int) and not isinstance(each, bool) and each > 1
    return conditions_met(data) * (each if several else 1)


def missing_files(data: dict[str, Any], folder: Path) -> Iterator[Problem]:
    """Every file that a case or a side of a pair names is beside the study, told with the place where it was looked
    for."""
    for item, where, file in _pictures_of_pairs(data):
        if not (folder / file).is_file():
            yield Problem(where, f"{item}: there is no file {file} beside the study file")
    photo = data.get("photo")
    cases = photo.get("cases") if isinstance(photo, dict) else None
    for index, case in enumerate(cases if isinstance(cases, list) else []):
        if not isinstance(case, dict):
            continue
        here: tuple[str | int, ...] = ("photo", "cases", index)
        named = [((*here, "file"), case.get("file"))]
        pictures = case.get("pictures")
        if isinstance(pictures, dict):
            named += [((*here, "pictures", str(key)), name) for key, name in pictures.items()]
        for loc, name in named:
            if isinstance(name, str) and name and not (folder / name).is_file():
                yield Problem(loc, f"case '{case.get('id')}': there is no file {name} beside the study file")


def _pictures_of_pairs(data: dict[str, Any]) -> Iterator[tuple[str, tuple[str | int, ...], str]]:
    """(name for a message, path, file) of every picture that is compared with another."""
    for here, name, row in asked_in(data):
        for index, side in dicts_in(row, "sides"):
            file = side.get("picture")
            if isinstance(file, str) and file:
                yield name, (*here, "sides", index, "picture"), file
