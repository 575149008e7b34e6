"""`study_app.failures.guarded` for participants: what went wrong is said in the language of their page."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from study_app import failures
from study_app.participant.language import say

P = ParamSpec("P")


def guarded(draw: Callable[P, None]) -> Callable[P, None]:
    """``draw`` whose failures are told plainly. Fragments run by themselves, so each needs it too."""
    return failures.guarded(draw, say)
