"""Hashes of weights, for the manifest and for `python -m pipeline check`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

OLDER = (".bin", ".pt", ".pth", ".ckpt")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """All safetensors below ``folder``, sorted by path; where there are none, the files of older kinds."""
    return sorted(folder.rglob("*.safetensors")) or sorted(p for p in folder.rglob("*") if p.suffix in OLDER)


def fingerprint(folder: Path) -> str:
    """One SHA-256 for all weights of a folder: over `<sha256>  <relative path>` lines, as sha256sum prints them."""
    return fingerprint_of((sha256_of(p), p.relative_to(folder).as_posix()) for p in weight_files(folder))


def fingerprint_of(files: Iterable[tuple[str, str]]) -> str:
    """The same from (SHA-256, relative path), in the order of `weight_files`."""
    return hashlib.sha256("".join(f"{sha256}  {name}\n" for sha256, name in files).encode()).hexdigest()
