"""The researcher's password: argon2 hash and the throttle, both in the database (`Store.researcher`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LoginResult:
    """``wait_s``: seconds until the next attempt is looked at; 0 when one may try at once."""

    ok: bool
    wait_s: float


class ResearcherLogin:
    def is_set(self) -> bool:
        raise NotImplementedError

    def set_password(self, password: str) -> None:
        """Set at first start. Raises Refused when one is set already or it is shorter than 10 characters."""
        raise NotImplementedError

    def check(self, password: str) -> LoginResult:
        """Count failures in the database: after each the wait doubles, and survives a restart."""
        raise NotImplementedError
