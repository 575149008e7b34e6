"""A profile says which model fills each role, and what it may say: read without loading any model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pipeline.roles import Role, RoleError, read_role
from pipeline.types import LabelInfo
from pipeline.wording import SKINCON

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
    """SKINCON concepts that are typical; may be none"""
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
    """diagnose, caption, detect, segment, clip, generate, ... -> place below ``root`` (a remote role's: its address)"""
    settings: dict[str, Any]
    knowledge: tuple[Knowledge, ...]
    specs: dict[str, Role] = field(default_factory=dict)
    """Where the profile says more of a role than its folder; see `spec`."""
    file: Path | None = None
    """The YAML it was read from; `download` writes what it got beside it."""

    @property
    def labels(self) -> tuple[LabelInfo, ...]:
        """The closed label set, in alphabetical order."""
        return tuple(LabelInfo(k.label, k.description, k.concepts) for k in self.knowledge)

    def folder(self, role: str) -> Path:
        """Raises ProfileError when the role's weights are not there."""
        if role not in self.roles:
            raise ProfileError(f"profile {self.name}: no role {role!r}; it has {', '.join(self.roles)}")
        path = self.root / self.roles[role]
        if not path.exists():
            raise ProfileError(f"profile {self.name}: role {role!r} wants {path}, which is not there; {self.get(role)}")
        return path

    def spec(self, role: str) -> Role:
        """Everything that the profile says of a role. Raises KeyError for a role that it does not have."""
        return self.specs.get(role) or Role(role, path=self.roles[role], embedded=True)

    def get(self, role: str) -> str:
        """What to do when the role's files are not there."""
        spec = self.spec(role)
        if spec.embedded:
            return "train it with `python -m pipeline train pack` or correct the profile"
        if spec.hub:
            return f"`python -m pipeline download {self.called} --role {role}` fetches {spec.hub}"
        return spec.source or "correct the profile"

    @property
    def called(self) -> str:
        """How a command line names this profile."""
        return self.name if self.file is None or self.file.parent == PROFILES else str(self.file)

    @property
    def lock_file(self) -> Path:
        """What `download` got: revisions and SHA-256, beside the profile's file."""
        assert self.file is not None, "a profile that was read from a file"
        return self.file.with_suffix(".lock.json")

    def about(self, label: str) -> Knowledge:
        """Raises KeyError for a label outside the closed set."""
        return next(k for k in self.knowledge if k.label == label)


def load_knowledge(path: Path) -> tuple[Knowledge, ...]:
    """Read labels.yaml. Raises ProfileError naming the label and the missing key, or the concept that is unknown."""
    rows = yaml.safe_load(path.read_text())
    out = []
    for label, row in sorted(rows.items()):
        try:
            out.append(Knowledge(label=label, **{**row, "concepts": _concepts(row["concepts"])}))
        except (KeyError, TypeError, ValueError) as error:
            raise ProfileError(f"{path}: {label!r}: {error}") from error
    return tuple(out)


def _concepts(said: Any) -> tuple[str, ...]:
    """Raises ValueError for what the prompts have no words for."""
    if not isinstance(said, list):
        raise ValueError(f"concepts is {said!r}; a list of SKINCON's concepts is wanted, [] for none")
    if unknown := [concept for concept in said if concept not in SKINCON]:
        raise ValueError(f"concept {unknown[0]!r} is not one of SKINCON's: {', '.join(sorted(SKINCON))}")
    return tuple(said)


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
        roles = {name: read_role(name, said) for name, said in raw["roles"].items()}
        return Profile(
            name=raw["name"],
            demonstration=bool(raw["demonstration"]),
            root=root,
            roles={name: role.place for name, role in roles.items()},
            settings=dict(raw["settings"]),
            knowledge=load_knowledge((root / raw["labels"]).resolve()),
            specs=roles,
            file=path.resolve(),
        )
    except KeyError as error:
        raise ProfileError(f"{path}: key {error} is missing") from error
    except RoleError as error:
        raise ProfileError(f"{path}: {error}") from error
