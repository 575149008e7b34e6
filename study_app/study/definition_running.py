"""How a study is run, as its file declares it: who comes in, where they are sent back to, how long a link holds."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from study_app.study.definition_errors import Problem
from study_app.study.definition_items import STRICT, is_default

PARAMETER = r"^[A-Za-z][A-Za-z0-9_.-]*$"
TAKEN = ("t", "lang", "embed", "embed_options")
"""Parameters of the app's own links."""
KEPT = " (a parameter needs keep: true, and of who declines none is kept)"
CODE = "code"
"""Stands in a return address for the completion code; so no parameter that is put there can have this name."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Parameter:
    """One parameter of the link by which a recruiting site sends people: every arrival must have it."""

    name: str = Field(pattern=PARAMETER)
    keep: bool = Field(default=False, exclude_if=is_default(False))
    """Store its value: apart from all answers, in no export but `python -m study_app panel`, erased by withdrawal."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Entry:
    """Who can take part. ``open``: whoever has the address. ``invitation``: who has a code from `python -m study_app
    invite`. ``panel``: who comes from a recruiting site, whose ``parameters`` are in the link; the one named by
    ``person`` tells people apart."""

    kind: Literal["open", "invitation", "panel"] = "open"
    person: str | None = Field(default=None, exclude_if=is_default(None))
    parameters: tuple[Parameter, ...] = Field(default=(), exclude_if=is_default(()))

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the parameters whose values are stored."""
        return tuple(parameter.name for parameter in self.parameters if parameter.keep)


OPEN_ENTRY = Entry()
Outcome = Literal["completed", "declined", "screened_out", "failed_checks", "over"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ReturnUrls:
    """Where participants are sent back to, one address per outcome. ``{code}`` stands for the completion code of the
    outcome, ``{NAME}`` for a parameter with ``keep: true``."""

    completed: str | None = Field(default=None, exclude_if=is_default(None))
    declined: str | None = Field(default=None, exclude_if=is_default(None))
    screened_out: str | None = Field(default=None, exclude_if=is_default(None))
    failed_checks: str | None = Field(default=None, exclude_if=is_default(None))
    over: str | None = Field(default=None, exclude_if=is_default(None))

    def of(self, outcome: Outcome) -> str | None:
        found: str | None = getattr(self, outcome)
        return found


def running_checks(data: dict[str, Any]) -> list[Problem]:
    """As `definition_checks.cross_checks`, on the raw file."""
    return [*_entry(data), *_return_urls(data), *_over(data)]


def _names(entry: Any) -> list[tuple[int, str, bool]]:
    """(place, name, kept) of every parameter that has a name."""
    rows = entry.get("parameters") if isinstance(entry, dict) else None
    return [
        (place, row["name"], row.get("keep") is True)
        for place, row in enumerate(rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and isinstance(row.get("name"), str)
    ]


def _entry(data: dict[str, Any]) -> Iterator[Problem]:
    entry = data.get("entry")
    if not isinstance(entry, dict):
        return
    kind, names = entry.get("kind", "open"), [name for _, name, _ in _names(entry)]
    if kind != "panel":
        for field in (name for name in ("person", "parameters") if name in entry):
            yield Problem(("entry", field), f"entry has {field}, which needs kind: panel")
        return
    if "person" not in entry or not names:
        text = "entry of kind panel needs 'parameters', and 'person': the one that tells people apart"
        yield Problem(("entry",), text)
    elif isinstance(entry["person"], str) and entry["person"] not in names:
        yield Problem(("entry", "person"), f"entry has person '{entry['person']}'; parameters are {', '.join(names)}")
    for place, name, _ in _names(entry):
        here = ("entry", "parameters", place, "name")
        if name in TAKEN:
            yield Problem(here, f"parameter '{name}' is one of the app's own; rename it on the recruiting site")
        if name in names[:place]:
            yield Problem(here, f"parameter '{name}' stands there twice")


def _return_urls(data: dict[str, Any]) -> Iterator[Problem]:
    urls = data.get("return_urls")
    codes = data.get("completion_codes")
    kept = [name for _, name, keeps in _names(data.get("entry")) if keeps]
    for outcome, url in urls.items() if isinstance(urls, dict) else ():
        if not isinstance(url, str):
            continue
        here = ("return_urls", str(outcome))
        if isinstance(codes, dict) and outcome in ("screened_out", "failed_checks") and outcome not in codes:
            yield Problem(here, f"return_urls has '{outcome}', for which there is no completion code")
        if not re.match(r"https?://[^\s/]+", url) or re.search(r"\s", url):
            yield Problem(here, f"return_urls has {outcome} '{url}': write a whole address, https://...")
            continue
        known = kept if outcome != "declined" else []  # of who declines nothing is kept
        yield from _in_braces(here, url, known, isinstance(codes, dict) and outcome in codes)


def _in_braces(here: tuple[str, str], url: str, kept: list[str], has_code: bool) -> Iterator[Problem]:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(url) if name is not None]
    except ValueError:
        yield Problem(here, f"return_urls has {here[1]} with a brace without a partner")
        return
    if re.match(r"https?://[^/?#]*\{", url):
        yield Problem(here, f"return_urls has {here[1]} with a placeholder in the name of the site")
    allowed = [*([CODE] if has_code else []), *kept]
    for name in names:
        if name not in allowed:
            braces = ", ".join("{" + key + "}" for key in allowed) or "none"
            text = f"return_urls has {here[1]} with {{{name}}}; allowed: {braces}{KEPT if name != CODE else ''}"
            yield Problem(here, text)


def _over(data: dict[str, Any]) -> Iterator[Problem]:
    if "resume_within_hours" in data:
        return
    for field in ("completion_codes", "return_urls"):
        if isinstance(data.get(field), dict) and "over" in data[field]:
            yield Problem((field, "over"), f"{field} has 'over', which needs the field 'resume_within_hours'")
