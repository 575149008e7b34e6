"""Fetch a role's files from its hub, only when asked: progress, resume within a file, every byte checked, then pinned.

A file grows as `<name>.part` and takes its name when its hash is the one that the hub states; a download that was cut
off goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from pipeline.lock import Pinned, PinnedFile
from pipeline.memory import GB
from pipeline.roles import Role
from pipeline.weights import sha256_of

OTHER_FRAMEWORKS = ("*.msgpack", "*.h5", "*.ot", "*.onnx", "*.onnx_data", "*.tflite", "*.mlmodel", "*.gguf")
ENDPOINT: str | None = None
"""The hub; None: the one that HF_ENDPOINT names, else Hugging Face."""
SPARE = 1e9
"""Bytes of disk that a download leaves free."""


class DownloadError(RuntimeError):
    """The files could not be fetched; the message says which, why, and what to do."""


@dataclass(frozen=True)
class Wanted:
    """One file of the repository."""

    name: str
    size: int
    sha256: str
    """"" for small files, which the hub knows by ``blob`` alone"""
    blob: str
    """git's SHA-1 of the file"""

    def is_right(self, path: Path) -> bool:
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        if self.sha256:
            return sha256_of(path) == self.sha256
        data = path.read_bytes()
        return not self.blob or hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == self.blob


def listing(role: Role, revision: str) -> tuple[str, tuple[Wanted, ...]]:
    """(commit, the files that the role wants). Raises DownloadError."""
    try:
        info = HfApi(endpoint=ENDPOINT).model_info(role.hub, revision=revision, files_metadata=True)
    except GatedRepoError as error:
        raise DownloadError(
            f"{role.hub}: access is given on request. Accept its terms on its page, then `hf auth login`"
        ) from error
    except RevisionNotFoundError as error:
        raise DownloadError(f"{role.hub}: the hub has no revision {revision!r}; correct `revision`") from error
    except RepositoryNotFoundError as error:
        raise DownloadError(
            f"{role.hub}: the hub has no such model, or you may not see it (`hf auth login`)"
        ) from error
    except Exception as error:  # the hub's library raises its HTTP library's own errors
        raise DownloadError(f"{role.hub}: the hub does not answer ({_short(error)})") from error
    found = tuple(
        Wanted(s.rfilename, int(s.size or 0), s.lfs.sha256 if s.lfs else "", s.blob_id or "")
        for s in info.siblings or ()
        if _is_wanted(s.rfilename, role.files)
    )
    if not found:
        raise DownloadError(f"{role.hub}: no file matches {', '.join(role.files)}; correct `files`")
    return info.sha or revision, found


def _is_wanted(name: str, patterns: tuple[str, ...]) -> bool:
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts:
        raise DownloadError(f"the hub names a file {name!r}, which would lie outside the folder; nothing is fetched")
    if patterns:
        return any(fnmatch(name, pattern) for pattern in patterns)
    return not any(fnmatch(name, pattern) for pattern in OTHER_FRAMEWORKS)


def fetch(role: Role, folder: Path, revision: str, say: Callable[[str], None]) -> Pinned:
    """Bring ``folder`` to ``revision``, a commit or a branch. Raises DownloadError; what was fetched stays."""
    commit, files = listing(role, revision)
    missing = [file for file in files if not file.is_right(folder / file.name)]
    size = sum(file.size for file in missing)
    say(f"{role.hub} at {commit[:12]}: {len(missing)} of {len(files)} files to fetch, {size / GB:.2f} GB")
    folder.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(folder).free) < size + SPARE:
        raise DownloadError(f"{folder}: {size / GB:.1f} GB are to be fetched and {free / GB:.1f} GB of disk are free")
    for file in missing:
        say(f"  {file.name}, {file.size / GB:.2f} GB")
        _fetch_file(role.hub, commit, file, folder)
    return Pinned(role.hub, commit, {f.name: _pinned(f, folder / f.name) for f in files})


def _fetch_file(hub: str, commit: str, file: Wanted, folder: Path) -> None:
    path = folder / file.name
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.exists() else 0
    if have > file.size:
        part.unlink()
        have = 0
    try:
        with part.open("ab") as data:
            http_get(
                hf_hub_url(hub, file.name, revision=commit, endpoint=ENDPOINT),
                data,
                resume_size=have,
                headers=build_hf_headers(),
                expected_size=file.size,
                displayed_filename=file.name,
            )
    except Exception as error:  # as above
        raise DownloadError(
            f"{hub}: {file.name} was cut off ({_short(error)}); the same command goes on where it stopped"
        ) from error
    if not file.is_right(part):
        part.unlink()
        raise DownloadError(f"{hub}: {file.name} arrived damaged and was thrown away; try again")
    os.replace(part, path)


def _pinned(file: Wanted, path: Path) -> PinnedFile:
    return PinnedFile(file.size, file.sha256 or sha256_of(path))


def _short(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200] or type(error).__name__
