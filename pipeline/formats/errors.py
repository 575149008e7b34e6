"""What is wrong with a file of weights, said before anything of it is loaded."""

from __future__ import annotations

from pathlib import Path

from pipeline.profile import ProfileError
from pipeline.weights import sha256_of


class WeightsError(ProfileError):
    """A file of weights cannot be used; the message names the file, the reason and what to do."""


def checked_file(path: Path, sha256: str | None, pickle_too: bool = False) -> Path:
    """The file, if it is there, has the hash that is expected of it, and is no pickle where none is read.

    ``pickle_too``: a .bin is allowed (and then read with weights_only). Raises WeightsError.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such file; correct the name in the profile or put the file there")
    if sha256 is not None and (found := sha256_of(path)) != sha256.lower():
        raise WeightsError(
            f"{path}: is not the file that the profile names. Its SHA-256 is {found}, {sha256.lower()} is expected; "
            "fetch it again, or write the new hash down if you trust the new file"
        )
    if not pickle_too and _is_pickle(path):
        raise WeightsError(
            f"{path}: is a pickle, which can run a stranger's code when it is opened, so it is not opened. Get the "
            ".safetensors version of it"
        )
    return path


def _is_pickle(path: Path) -> bool:
    """By content, whatever the name says: torch's zip archive, or a bare pickle of protocol 2 and up."""
    with path.open("rb") as file:
        start = file.read(2)
    return start == b"PK" or (start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05")


def listed(names: list[str], most: int = 5) -> str:
    """The first of many names, and how many there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
