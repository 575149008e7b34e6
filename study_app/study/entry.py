"""What a link says about who comes: a code or a recruiting site's parameters. Pure: no database, no screen."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from study_app.study.definition_running import Entry

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without 0, 1, I and O, which look alike on paper."""
GROUPS, GROUP = 4, 4
"""16 letters of 32: 80 random bits, too many to guess."""
LONGEST = 200
"""Characters of a parameter's value; recruiting sites' ids have 5 to 40."""
NOT_FILLED = re.compile(r"\s*(\{.*\}|%.*%|\$.*|<.*>|\[.*\])\s*\Z|\s*\Z|ASSIGNMENT_ID_NOT_AVAILABLE\Z", re.DOTALL)
"""What a recruiting site was to replace and did not: taken for an id, it would make everybody the same person."""


@dataclass(frozen=True)
class Arrival:
    """``person`` tells people apart; ``kept`` are the parameters that the study stores. ``lacking``: names of the
    parameters that the link does not have, or not filled in; then nobody can be let in."""

    person: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()


def read_arrival(entry: Entry, parameters: Mapping[str, str]) -> Arrival:
    """Who comes with the ``parameters`` of a link, for an entry of kind ``panel``."""
    names = [parameter.name for parameter in entry.parameters]
    lacking = tuple(name for name in names if not _filled(parameters.get(name, "")))
    if lacking or entry.person is None:
        return Arrival(lacking=lacking)
    kept = {name: parameters[name].strip() for name in entry.kept}
    return Arrival(parameters[entry.person].strip(), kept)


def _filled(value: str) -> bool:
    return len(value) <= LONGEST and NOT_FILLED.match(value) is None


def new_code() -> str:
    """A random invitation: "K7QM-2F9T-XW4P-HD3N"."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))


def plain_code(text: str) -> str:
    """What somebody typed or copied, as `new_code` wrote it: without spaces and hyphens, in capitals."""
    return re.sub(r"[\s\-]", "", text).upper()
