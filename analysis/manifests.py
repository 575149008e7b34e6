"""Which models made the explanations: the manifests that the study stored with every exposure."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Model:
    """One model in one role. ``sha256`` is that of its weights, empty where the manifest has none."""

    profile: str
    role: str
    id: str
    sha256: str
    exposures: int


def models(exposures: pd.DataFrame | None) -> tuple[Model, ...]:
    """The models of all manifests, by profile, role and id; empty without any manifest.

    A manifest that is no JSON object is passed over: it cannot change a rating.

    Args:
        exposures: rows with a ``manifest`` (JSON text, or None where nothing was shown).
    """
    if exposures is None or "manifest" not in exposures:
        return ()
    uses: Counter[tuple[str, str, str, str]] = Counter()
    for text in exposures["manifest"].dropna():
        manifest = _parsed(str(text))
        roles = manifest.get("models")
        for role, about in (roles if isinstance(roles, dict) else {}).items():
            if isinstance(about, dict):
                profile, name = str(manifest.get("profile", "")), str(about.get("id", ""))
                uses[profile, str(role), name, str(about.get("sha256", ""))] += 1
    return tuple(Model(*key, number) for key, number in sorted(uses.items()))


def _parsed(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
