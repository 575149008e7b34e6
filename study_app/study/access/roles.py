"""What each role may do: every one may do what those before it may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["viewer", "editor", "owner"]
ROLES: tuple[Role, ...] = get_args(Role)
MAY: dict[Role, str] = {
    "viewer": "monitor and results",
    "editor": "also participants and export",
    "owner": "also studies, accounts and audit",
}


def at_least(role: Role, needed: Role) -> bool:
    return ROLES.index(role) >= ROLES.index(needed)


@dataclass(frozen=True)
class Account:
    """``state``: invited (no password yet), active, closed."""

    name: str
    role: Role
    state: Literal["invited", "active", "closed"]
    created_at: str
