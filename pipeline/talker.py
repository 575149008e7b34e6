"""What fills the diagnose and caption roles: the embedded model, a converted SkinGPT-4, any chat model, or a server.

All four see a picture once and answer questions about it in words, piece by piece.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from PIL import Image

from pipeline.profile import Profile, ProfileError
from pipeline.roles import Role

S = TypeVar("S")


class Talker(Protocol[S]):
    """``S``: a picture as this model sees it."""

    def see(self, image: Image.Image) -> S: ...

    def stream(self, seen: S, question: str, exchanges: Iterable[tuple[str, str]] = ()) -> Iterator[str]:
        """The answer, piece by piece. Closing the iterator stops the model."""
        ...


def form_of(role: Role, folder: Path) -> str:
    """embedded, skingpt4, chat or plain: as the profile says, else as the folder looks. Raises ProfileError."""
    if role.embedded:
        return "embedded"
    if role.form != "auto":
        return role.form
    if (folder / "skingpt4.json").exists():
        return "skingpt4"
    config = folder / "config.json"
    if not config.exists():
        raise ProfileError(f"role {role.name!r}: {folder} has no config.json; a transformers folder is wanted")
    said = json.loads(config.read_text())
    if said.get("model_type") == "blip-2" and said.get("text_config", {}).get("model_type") == "llama":
        return "embedded"
    return "chat" if _has_chat_template(folder) else "plain"


def _has_chat_template(folder: Path) -> bool:
    if any((folder / name).exists() for name in ("chat_template.jinja", "chat_template.json")):
        return True
    files = (folder / "tokenizer_config.json", folder / "processor_config.json")
    return any(json.loads(file.read_text()).get("chat_template") for file in files if file.exists())


def load_talker(profile: Profile, name: str) -> Talker[Any]:
    """The model of a role that is not in the short form. Raises ProfileError: what is missing, and what to do."""
    role = profile.spec(name)
    if role.remote is not None:
        from pipeline.remote import RemoteModel

        return RemoteModel(role.remote, role.options)
    folder = profile.folder(name)
    form = form_of(role, folder)
    try:
        return _load(form, role, folder)
    except (OSError, ValueError, ImportError, AttributeError, RuntimeError, KeyError) as error:
        hint = "; `pip install torchvision` in the version of your torch" if "torchvision" in str(error).lower() else ""
        where = f"profile {profile.name}: role {name!r}: {folder}"
        raise ProfileError(f"{where} cannot be loaded as {form}: {error}{hint}") from error


def _load(form: str, role: Role, folder: Path) -> Talker[Any]:
    if form == "embedded":
        from pipeline.blip2 import VisionLanguageModel

        return VisionLanguageModel.load(folder)
    if form == "skingpt4":
        from pipeline.converted import ConvertedSkinGPT

        return ConvertedSkinGPT.load(folder, role)
    from pipeline.chat_model import ChatModel

    return ChatModel.load(folder, role, chats=form == "chat")
