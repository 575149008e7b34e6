"""What each part of a pack was made from: `make pack` trains what is out of date and leaves the rest, as make does.

A part's key is a digest of its recipe, of the files that it learns from and of the keys of the parts whose weights it
reads, so that a change of one recipe makes everything that follows from it out of date. The key stands beside the
weights: a pack says for each of its parts whether today's recipes would make it, on whatever machine that was.

Code is not part of a key: who changes how something is drawn or learned trains anew (`make pack`'s ``--afresh``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from pipeline.training.together import Part

HOME = Path(__file__).parent
RECIPES = HOME / "recipes"


class NothingToBeginWith(ValueError):
    """What a part goes on from is no longer in the pack; the message says what brings it back."""


def digest(content: Any) -> str:
    """SHA-256 of anything that JSON can say, in hex."""
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Made:
    """What is known of a pack's parts."""

    pack: Path
    parts: Mapping[str, Part]
    shortened: Mapping[str, int | None] = field(default_factory=dict)
    """What overrides the recipes, by its name on the command line"""

    def up_to_date(self) -> set[str]:
        """The parts that today's recipes would make again as they are.

        What another part has replaced is gone: when that one is out of date, both are.
        """
        fresh: set[str] = set()
        for name, part in self.parts.items():  # what a part needs stands before it
            if self._recorded(name) == self._wanted(name) and fresh.issuperset(part.needs):
                fresh.add(name)
        gone = {part.replaces for name, part in self.parts.items() if name not in fresh and self._recorded(name)}
        return fresh - gone

    def key(self, name: str) -> str:
        """Of what ``name`` is made when it is trained now, on the parts as they are in the pack, out of date or not."""
        return self._key(name, {other: self._recorded(other) for other in self.parts[name].needs})

    def check_beginning(self, name: str) -> None:
        """Raises NothingToBeginWith when ``name`` has already replaced what it is to begin with."""
        before = self.parts[name].replaces
        if before is not None and self._recorded(name) is not None:
            raise NothingToBeginWith(
                f"{name} begins with what {before} makes, and has replaced that in {self.pack}: train {before} first"
            )

    def record(self, name: str, key: str, how: Mapping[str, str]) -> None:
        """Write of what ``name`` was made and ``how``: with what library and arithmetic, as bits depend on both.

        key: as it was when the training began
        """
        file = self._record(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"key": key, **how}, indent=1) + "\n")
        for other, part in self.parts.items():
            if part.replaces == name:  # there again is what that one had replaced
                self._record(other).unlink(missing_ok=True)

    def _wanted(self, name: str) -> str:
        return self._key(name, {other: self._wanted(other) for other in self.parts[name].needs})

    def _key(self, name: str, needs: Mapping[str, str | None]) -> str:
        recipe = RECIPES / f"{name}.yaml"
        return digest(
            {
                "part": name,
                "recipe": yaml.safe_load(recipe.read_text()) if recipe.exists() else None,
                "reads": _digests(self.parts[name].reads),
                "needs": needs,
                "shortened": {option: number for option, number in self.shortened.items() if number is not None},
            }
        )

    def _recorded(self, name: str) -> str | None:
        file = self._record(name)
        return str(json.loads(file.read_text())["key"]) if file.exists() else None

    def _record(self, name: str) -> Path:
        return self.pack / "made" / f"{name}.json"


def _digests(patterns: Sequence[str]) -> dict[str, str]:
    files = sorted(path for pattern in patterns for path in HOME.glob(pattern) if path.is_file())
    return {path.relative_to(HOME).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}
