"""Which weights a profile uses: file hashes for the manifest and for `python -m pipeline check`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pipeline.profile import Profile


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """All safetensors below ``folder``, sorted by path."""
    return sorted(folder.rglob("*.safetensors"))


def fingerprint(folder: Path) -> str:
    """One SHA-256 for all weights of a folder: over `<sha256>  <relative path>` lines, as sha256sum prints them."""
    lines = [f"{sha256_of(p)}  {p.relative_to(folder).as_posix()}\n" for p in weight_files(folder)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _class_of(folder: Path) -> str:
    """The class named in the folder's own configuration."""
    for name, key in (("model_index.json", "_class_name"), ("config.json", "architectures")):
        if (folder / name).exists():
            named = json.loads((folder / name).read_text()).get(key)
            return named[0] if isinstance(named, list) else str(named)
    return "-"


def role_models(profile: Profile) -> dict[str, dict[str, str]]:
    """role -> {"id", "class", "sha256"} for every role of the profile."""
    return {
        role: {
            "id": f"{profile.name}/{place}",
            "class": _class_of(profile.folder(role)),
            "sha256": fingerprint(profile.folder(role)),
        }
        for role, place in sorted(profile.roles.items())
    }
