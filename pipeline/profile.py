"""A profile says which model fills each role, and what it may say: read without loading any model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.types import LabelInfo

PROFILES = Path(__file__).with_name("profiles")


class ProfileError(ValueError):
    """A profile's file is missing or incomplete; the message names the file and the key."""


@dataclass(frozen=True)
class Knowledge:
    """What is known of one label beyond its name: shown to participants, used in prompts."""

    label: str
    partition: str
    """non-neoplastic, benign or malignant (Fitzpatrick17k's three partitions)"""
    description: str
    concepts: tuple[str, ...]
    """SKINCON concepts that are typical"""
    cause: str
    advice: str
    danger: str
    look_alikes: dict[str, str]
    """label -> what tells it apart"""


@dataclass(frozen=True)
class Profile:
    """Roles and settings of one set of models (profiles/<name>.yaml)."""

    name: str
    demonstration: bool
    """True: trained on drawn skin; every page says that it is not for diagnosis nor a real study."""
    root: Path
    """Folder that the roles' paths are relative to."""
    roles: dict[str, str]
    """diagnose, caption, detect, segment, clip, generate -> folder below ``root``"""
    settings: dict[str, Any]
    knowledge: tuple[Knowledge, ...]

    @property
    def labels(self) -> tuple[LabelInfo, ...]:
        """The closed label set, in alphabetical order."""
        return tuple(LabelInfo(k.label, k.description, k.concepts) for k in self.knowledge)

    def folder(self, role: str) -> Path:
        """Raises ProfileError when the role's weights are not there."""
        path = self.root / self.roles[role]
        if not path.exists():
            raise ProfileError(
                f"profile {self.name}: role {role!r} wants {path}, which is not there; "
                "train it with `python -m pipeline train pack` or correct the profile"
            )
        return path

    def about(self, label: str) -> Knowledge:
        """Raises KeyError for a label outside the closed set."""
        return next(k for k in self.knowledge if k.label == label)


def load_knowledge(path: Path) -> tuple[Knowledge, ...]:
    """Read labels.yaml. Raises ProfileError naming the label and the missing key."""
    rows = yaml.safe_load(path.read_text())
    out = []
    for label, row in sorted(rows.items()):
        try:
            out.append(Knowledge(label=label, **{**row, "concepts": tuple(row["concepts"])}))
        except (KeyError, TypeError) as error:
            raise ProfileError(f"{path}: {label!r}: {error}") from error
    return tuple(out)


def load_profile(name_or_path: str | Path = "phantom") -> Profile:
    """A profile by name (profiles/<name>.yaml) or by path. Raises ProfileError."""
    path = Path(name_or_path)
    path = path if path.suffix in {".yaml", ".yml"} else PROFILES / f"{name_or_path}.yaml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in PROFILES.glob("*.yaml")))
        raise ProfileError(f"no profile {str(name_or_path)!r}: no file {path}; profiles here: {known}")
    raw = yaml.safe_load(path.read_text())
    try:
        root = (path.parent / raw["root"]).resolve()
        return Profile(
            name=raw["name"],
            demonstration=bool(raw["demonstration"]),
            root=root,
            roles=dict(raw["roles"]),
            settings=dict(raw["settings"]),
            knowledge=load_knowledge(root / raw["labels"]),
        )
    except KeyError as error:
        raise ProfileError(f"{path}: key {error} is missing") from error
