"""What fills one role of a profile: a folder or file, a hub's repository, or a server; as the profile's YAML says it.

The short form is a folder's name (`caption: captioner`): the embedded models. The long form is a mapping:

    diagnose:
      hub: owner/name            # where `download` fetches it; or `path`, or `remote`
      revision: main             # `download` pins the commit in <profile>.lock.json
      licence: Apache-2.0
      dtype: bfloat16
      parameters: 8.3e+9         # for the memory plan as long as the files are not there
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

DTYPES = ("auto", "float32", "float16", "bfloat16")
QUANTISATIONS = ("none", "8bit", "4bit")
FORMS = ("auto", "embedded", "skingpt4", "chat", "plain", "lang_sam")


class RoleError(ValueError):
    """A role's entry is not understood; the message names the role, the key, and what is allowed."""


@dataclass(frozen=True)
class Remote:
    """An OpenAI-compatible server (vLLM, Ollama, ...)."""

    url: str
    """Up to and including /v1"""
    model: str
    """The server's name for it"""
    key_variable: str = ""
    """Environment variable that holds the key; a key is never written in a profile."""
    connect_s: float = 10.0
    silence_s: float = 60.0
    """Longest wait for the next words; for the first ones, too."""
    retries: int = 2
    """Further attempts while no word has come."""


@dataclass(frozen=True)
class Role:
    """One role."""

    name: str
    path: str = ""
    """Folder or file below the profile's root"""
    hub: str = ""
    """Repository of a model hub (Hugging Face, or the one that HF_ENDPOINT names)"""
    revision: str = "main"
    files: tuple[str, ...] = ()
    """Patterns of the repository's files that are wanted; () = all"""
    sha256: str = ""
    """Of the file, or of the folder (weights.fingerprint). Without it, what `download` recorded is compared."""
    form: str = "auto"
    """diagnose and caption: embedded (the pack's), skingpt4 (converted), chat (has a chat template), plain (has none);
    segment: lang_sam (where it is installed). auto looks at the folder"""
    dtype: str = "auto"
    """auto: float32 on a CPU; otherwise half precision"""
    device: str = "auto"
    """cpu, cuda, cuda:1, ...; auto: cuda where there is one"""
    quantisation: str = "none"
    licence: str = ""
    source: str = ""
    """Where to get it, in words"""
    parameters: float = 0.0
    """Published number; what is there is counted instead"""
    working: float = 0.0
    """Bytes that the model needs at work beyond its weights; docs/models.md says how they were estimated"""
    optional: bool = False
    """The way of a photo goes without it, too."""
    embedded: bool = False
    """Short form: below the pack, trained by this repository"""
    remote: Remote | None = None
    options: dict[str, Any] = field(default_factory=dict)
    """Role by role: `system`, `tokens` (most of an answer), ..."""

    @property
    def place(self) -> str:
        """Below the root; of a remote role its address."""
        if self.remote is not None:
            return self.remote.url
        return self.path or self.hub.replace("/", "--")


def read_role(name: str, said: Any) -> Role:
    """From YAML. Raises RoleError."""
    if isinstance(said, str):
        return Role(name, path=said, embedded=True)
    if not isinstance(said, dict):
        raise RoleError(f"role {name!r}: write a folder, or keys such as `path:` or `hub:` below it")
    said = dict(said)
    _known(name, said, Role, ("name", "embedded"))
    if isinstance(said.get("remote"), dict):
        said["remote"] = _remote(name, said["remote"])
    if isinstance(said.get("files"), list):
        said["files"] = tuple(str(pattern) for pattern in said["files"])
    for key in ("parameters", "working"):
        said[key] = _number(name, key, said.get(key, 0))
    role = Role(name, **said)
    _choice(role, "dtype", DTYPES)
    _choice(role, "quantisation", QUANTISATIONS)
    _choice(role, "form", FORMS)
    if not (role.path or role.hub or isinstance(role.remote, Remote)):
        raise RoleError(f"role {name!r}: needs `path`, `hub` or `remote`")
    return role


def _remote(name: str, said: dict[str, Any]) -> Remote:
    _known(name, said, Remote, ())
    if missing := [key for key in ("url", "model") if not said.get(key)]:
        raise RoleError(f"role {name!r}: `remote` lacks {' and '.join(missing)}")
    if not str(said["url"]).startswith(("http://", "https://")):
        raise RoleError(f"role {name!r}: the remote url begins with http:// or https://, not {said['url']!r}")
    return Remote(**said)


def _known(name: str, said: dict[str, Any], of: type, hidden: tuple[str, ...]) -> None:
    allowed = [f.name for f in fields(of) if f.name not in hidden]
    if unknown := sorted(set(said) - set(allowed)):
        raise RoleError(f"role {name!r}: {', '.join(unknown)}: no such key; there are {', '.join(allowed)}")


def _number(name: str, key: str, said: Any) -> float:
    try:
        return float(said)  # YAML 1.1 reads 13e9 as text
    except (TypeError, ValueError):
        raise RoleError(f"role {name!r}: {key} is {said!r}, not a number") from None


def _choice(role: Role, key: str, allowed: tuple[str, ...]) -> None:
    if getattr(role, key) not in allowed:
        raise RoleError(f"role {role.name!r}: {key} is {getattr(role, key)!r}; it can be {', '.join(allowed)}")
