"""What each part of a pack was made from: `make pack` trains what is out of date and leaves the rest, as make does.

A part's key is a digest of its recipe, of the files that it learns from and of the keys of the parts whose weights it
reads, so that a change of one recipe makes everything that follows from it out of date. The key stands beside the
weights: a pack says for each of its parts whether today's recipes would make it, on whatever machine that was.

Code is not part of a key. Who changes how something is drawn or learned changes the recipe's ``seed``, or trains anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from pipeline.training.together import Part

HOME = Path(__file__).parent
RECIPES = HOME / "recipes"

Shortened = Mapping[str, int | None]
"""What overrides the recipes, by its name on the command line."""


def digest(content: Any) -> str:
    """SHA-256 of anything that JSON can say, in hex."""
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def needed(name: str, parts: Mapping[str, Part], shortened: Shortened) -> dict[str, str]:
    """The parts whose weights ``name`` reads, each with its key."""
    return {other: key(other, parts, shortened) for other in parts[name].needs}


def key(name: str, parts: Mapping[str, Part], shortened: Shortened) -> str:
    """What the part ``name`` would be made from today, as a digest."""
    recipe = RECIPES / f"{name}.yaml"
    return digest(
        {
            "part": name,
            "recipe": yaml.safe_load(recipe.read_text()) if recipe.exists() else None,
            "reads": {
                path.relative_to(HOME).as_posix(): sha256(path.read_bytes()).hexdigest() for path in _read(parts[name])
            },
            "needs": needed(name, parts, shortened),
            "shortened": {option: number for option, number in shortened.items() if number is not None},
        }
    )


def _read(part: Part) -> list[Path]:
    return sorted(path for pattern in part.reads for path in HOME.glob(pattern) if path.is_file())


def up_to_date(pack: Path, parts: Mapping[str, Part], shortened: Shortened) -> set[str]:
    """The parts of ``pack`` that today's recipes would make again as they are.

    What another part has replaced is gone: when that one is out of date, both are.
    """
    fresh = {name for name in parts if _recorded(pack, name) == key(name, parts, shortened)}
    gone = {part.replaces for name, part in parts.items() if name not in fresh and _recorded(pack, name)}
    return fresh - gone


def _recorded(pack: Path, name: str) -> str | None:
    file = _record(pack, name)
    return json.loads(file.read_text())["key"] if file.exists() else None


def record(pack: Path, name: str, parts: Mapping[str, Part], shortened: Shortened, how: Mapping[str, str]) -> None:
    """Write what ``name`` was made from and ``how``: with what library and arithmetic, as bits depend on both."""
    file = _record(pack, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"key": key(name, parts, shortened), **how}, indent=1) + "\n")
    for other, part in parts.items():
        if part.replaces == name:  # there again is what that one had replaced
            _record(pack, other).unlink(missing_ok=True)


def _record(pack: Path, name: str) -> Path:
    return pack / "made" / f"{name}.json"


def workplace(work: Path, name: str, parts: Mapping[str, Part], shortened: Shortened) -> Path:
    """Where checkpoints of ``name`` are kept: those of other inputs must not be gone on from.

    A longer recipe goes on from the checkpoint of a shorter one, so that the part's own recipe has no say in it.
    """
    given = {"needs": needed(name, parts, shortened), "phantoms": shortened.get("phantoms")}
    return work / f"{name}-{digest(given)[:12]}"
