"""One session of a part's training: into which pack, from what, how much of its recipe, and on which device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.training.made import RECIPES

SHIPPED = Path(__file__).parents[1] / "packs" / "phantom"
WORK = Path(".cache/training")
"""Checkpoints and logs of all packs"""
LATENTS = Path(".cache/latents")
"""Phantoms, encoded"""


def recipe(part: str) -> dict[str, Any]:
    """Settings of ``part`` from recipes/<part>.yaml."""
    settings = yaml.safe_load((RECIPES / f"{part}.yaml").read_text())
    assert isinstance(settings, dict)
    return settings


@dataclass(frozen=True)
class Session:
    """What a part's training has to know beside its recipe."""

    pack: Path = SHIPPED
    """The folder that the part reads other parts from and writes itself into"""
    work: Path = WORK
    """Its own folder of checkpoints and logs"""
    key: str = ""
    """Of what the part is made (`made.Made.key`): what was handed over must be of the same"""
    steps: int | None = None
    """In place of the recipe's"""
    phantoms: int | None = None
    """No recipe draws more than this: for trying the trainings out"""
    device: str = "cpu"

    def recipe(self, part: str) -> dict[str, Any]:
        """`recipe`, with as many phantoms as this session allows."""
        settings = recipe(part)
        if self.phantoms is not None:
            settings |= {k: min(v, self.phantoms) for k, v in settings.items() if k.endswith("phantoms")}
        return settings
