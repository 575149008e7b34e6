"""Is a profile complete? Per role: found or missing, where to get it, size, hash, and whether it fits in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from pipeline.lock import Pinned, differences, files_of, pin, read_lock, write_lock
from pipeline.memory import GB, DevicePlan, plan
from pipeline.profile import Profile
from pipeline.roles import Remote, Role
from pipeline.weights import fingerprint, sha256_of, weight_files

SUMS = "SHA256SUMS"
"""In an embedded profile's folder: `sha256sum`'s lines for all weights, written by `check --write`."""


@dataclass(frozen=True)
class Checked:
    """One role."""

    role: str
    found: bool
    lines: tuple[str, ...]
    """What is said of it, first where it is"""
    problems: tuple[str, ...]
    """Sentences; empty: this role can be used"""


def check_roles(profile: Profile, hashes: bool = True) -> Iterator[Checked]:
    """Every role, as soon as it is known. ``hashes``: read the files, too (28 GB take minutes)."""
    pinned = read_lock(profile.lock_file) if profile.file is not None else {}
    for name in profile.roles:
        yield _check(profile, profile.spec(name), pinned.get(name), hashes)


def _check(profile: Profile, role: Role, pinned: Pinned | None, hashes: bool) -> Checked:
    if role.remote is not None:
        return _remote(role)
    place = profile.root / role.place
    licence = (f"licence: {role.licence}",) if role.licence else ()
    if not place.exists():
        what = f"role {role.name!r} wants {place}, which is not there; {profile.get(role.name)}"
        if role.optional:
            return Checked(role.name, False, (f"{place}: missing, and not needed; {profile.get(role.name)}",), ())
        problem = f"profile {profile.name}: {what}"
        return Checked(role.name, False, (f"{place}: missing", *_source(role), *licence), (problem,))
    if role.embedded:  # its hashes are in SUMS
        return Checked(role.name, True, (str(place),), ())
    size = sum(path.stat().st_size for path in files_of(place).values())
    said, problems = _hash(role, place, pinned) if hashes else ("hash not looked at", ())
    return Checked(role.name, True, (f"{place}: found, {size / GB:.2f} GB, {said}", *licence), problems)


def _remote(role: Role) -> Checked:
    assert role.remote is not None
    lines = [f"{role.remote.url}: model {role.remote.model}; participants' photos are sent there"]
    here = ("http://127.0.0.1", "http://localhost", "http://[::1]")
    if role.remote.url.startswith("http://") and not role.remote.url.startswith(here):
        lines.append("not encrypted: use https, or a tunnel, before participants' photos go there")
    problem = _unanswered(role.remote)
    lines.append("it answers and has the model" if problem is None else "missing")
    return Checked(role.name, problem is None, tuple(lines), () if problem is None else (problem,))


def _unanswered(remote: Remote) -> str | None:
    """What is wrong with a server, asked for its models (GET /models); None: it has the one that is wanted."""
    key = os.environ.get(remote.key_variable, "") if remote.key_variable else ""
    if remote.key_variable and not key:
        return f"{remote.url}: the key is taken from {remote.key_variable}, which is not set"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx.Client(timeout=min(remote.connect_s, 10.0), trust_env=False) as http:
            answer = http.get(f"{remote.url.rstrip('/')}/models", headers=headers)
        answer.raise_for_status()
        names = [str(model["id"]) for model in answer.json()["data"]]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        return f"{remote.url}: no OpenAI-compatible server answers there ({error}); start it, or correct `url`"
    if remote.model in names:
        return None
    return f"{remote.url}: has no model {remote.model!r}; it has {', '.join(names) or 'none'}"


def _source(role: Role) -> tuple[str, ...]:
    return (f"where to get it: {role.source}",) if role.source else ()


def _hash(role: Role, place: Path, pinned: Pinned | None) -> tuple[str, tuple[str, ...]]:
    """(what to say, problems)"""
    if role.sha256:
        have = fingerprint(place) if place.is_dir() else sha256_of(place)
        if have == role.sha256:
            return "hash right", ()
        return "hash WRONG", (f"{place} has SHA-256 {have}, the profile wants {role.sha256}: other or damaged files",)
    if pinned is None:
        return "hash not pinned (`check --write` pins what is there)", ()
    problems = tuple(differences(place, pinned))
    commit = f", revision {pinned.revision[:12]}" if pinned.revision else ""
    return (f"hash {'WRONG' if problems else 'right'}{commit}"), problems


def memory_lines(profile: Profile, devices: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """(a table per device in the order of loading, what does not fit)"""
    lines, problems = [], []
    for device in plan(profile, devices):
        lines += _device_lines(device)
        if not device.fits:
            problems.append(
                f"{device.device}: {device.peak / GB:.1f} GB are needed, {device.available / GB:.1f} GB are free; "
                "use `quantisation: 8bit` or `4bit` for the largest role, another `device`, or a smaller model"
            )
    return lines, problems


def _device_lines(device: DevicePlan) -> list[str]:
    out = [f"Memory on {device.device}, {device.available / GB:.1f} GB free; loaded in this order:"]
    for need in device.needs:
        sure = "" if need.counted else " (published size)" if need.known else " (size unknown)"
        fits = "fits" if device.after(need.role) + need.working <= device.available else "DOES NOT FIT"
        out.append(
            f"  {need.role:14} {need.weights / GB:6.2f} GB, at work {need.working / GB:5.2f}; "
            f"sum {device.after(need.role) / GB:6.2f}: {fits}{sure}"
        )
    return [*out, f"  peak {device.peak / GB:.2f} GB: {'fits' if device.fits else 'DOES NOT FIT'}"]


def write_sums(root: Path) -> str:
    """Of an embedded profile's folder. Returns what to say."""
    found, sums = weight_files(root), root / SUMS
    sums.write_text("".join(f"{sha256_of(p)}  {p.relative_to(root).as_posix()}\n" for p in found))
    return f"{sums}: {len(found)} files"


def write_pins(profile: Profile) -> str:
    """Pin what is there of the roles that are not embedded, keeping what `download` noted of where it came from."""
    pinned = read_lock(profile.lock_file)
    names = [n for n in profile.roles if not profile.spec(n).embedded and profile.spec(n).remote is None]
    there = [name for name in names if (profile.root / profile.roles[name]).exists()]
    for name in there:
        old = pinned.get(name, Pinned("", "", {}))
        pinned[name] = pin(profile.root / profile.roles[name], old.hub, old.revision)
    write_lock(profile.lock_file, pinned)
    return f"{profile.lock_file}: {len(there)} roles"


def sum_differences(root: Path) -> list[str]:
    """One sentence per weight file that is missing, changed or not listed."""
    sums = root / SUMS
    if not sums.exists():
        return [f"{sums} is missing; `python -m pipeline check --write` makes it"]
    lines = (line.split("  ", 1) for line in sums.read_text().splitlines())
    listed = {root / name: sha256 for sha256, name in lines}
    problems = []
    for path, sha256 in sorted(listed.items()):
        if not path.exists():
            problems.append(f"{path} is missing")
        elif sha256_of(path) != sha256:
            problems.append(f"{path} is not the file that {SUMS} lists")
    return problems + [f"{path} is not listed in {SUMS}" for path in weight_files(root) if path not in listed]
