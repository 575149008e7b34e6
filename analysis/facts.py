"""Numbers for a machine: null where there is none, with the reason beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

Facts = dict[str, Any]


def with_notes(facts: Mapping[str, Any], why: str | Mapping[str, str]) -> Facts:
    """Add ``<key>_note`` to every value that is None or not finite (those become None).

    Args:
        why: one reason for all of them, or reasons by key; a key without one gets ``""``'s.
    """
    reasons = {"": why} if isinstance(why, str) else why
    found: Facts = {}
    for key, value in facts.items():
        nothing = value is None or (isinstance(value, float) and not math.isfinite(value))
        found[key] = None if nothing else list(value) if isinstance(value, tuple) else value
        if nothing:
            found[f"{key}_note"] = reasons.get(key) or reasons.get("") or "cannot be computed from these answers"
    return found


def as_json(facts: Facts) -> bytes:
    """UTF-8 JSON, numbers at full precision, keys in the order of the report, the same bytes for the same facts."""
    return (json.dumps(facts, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()
