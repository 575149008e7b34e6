"""Which models a profile uses, for the manifest: id, class and SHA-256 of every role."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.lock import Pinned, read_lock
from pipeline.profile import Profile
from pipeline.weights import fingerprint, fingerprint_of, sha256_of, weight_files


def role_models(profile: Profile) -> dict[str, dict[str, str]]:
    """role -> {"id", "class", "sha256"} for every role that is there. Raises ProfileError where a needed one is not."""
    pinned = _pinned(profile)
    there = [r for r in profile.roles if not profile.spec(r).optional or (profile.root / profile.roles[r]).exists()]
    return {role: _role_model(profile, role, pinned.get(role)) for role in sorted(there)}


def role_sha256(profile: Profile, role: str) -> str:
    """The SHA-256 of one role, as in `role_models`. Raises ProfileError when it is not there."""
    return _role_model(profile, role, _pinned(profile).get(role))["sha256"]


def _pinned(profile: Profile) -> dict[str, Pinned]:
    return read_lock(profile.lock_file) if profile.file is not None else {}


def _role_model(profile: Profile, role: str, pinned: Pinned | None) -> dict[str, str]:
    spec = profile.spec(role)
    if spec.remote is not None:  # the server alone knows its weights
        return {"id": f"{spec.remote.model} at {spec.remote.url}", "class": "remote", "sha256": "-"}
    place = profile.folder(role)
    name = f"{spec.hub}@{pinned.revision}" if spec.hub and pinned else f"{profile.name}/{profile.roles[role]}"
    return {"id": name, "class": _class_of(place), "sha256": _sha256(place, pinned)}


def _sha256(place: Path, pinned: Pinned | None) -> str:
    """Of a file, or `fingerprint` of a folder. What is unchanged since it was pinned is not read again: 28 GB take
    minutes, and `check` compares every byte."""
    if place.is_file():
        return sha256_of(place)
    files = {path.relative_to(place).as_posix(): path for path in weight_files(place)}
    if pinned is None or not all(pinned.unchanged(name, path) for name, path in files.items()):
        return fingerprint(place)
    return fingerprint_of((pinned.files[name].sha256, name) for name in files)


def _class_of(folder: Path) -> str:
    """The class named in the folder's own configuration."""
    for name, key in (("model_index.json", "_class_name"), ("config.json", "architectures")):
        if (folder / name).exists():
            named = json.loads((folder / name).read_text()).get(key)
            return named[0] if isinstance(named, list) else str(named)
    return "-"
