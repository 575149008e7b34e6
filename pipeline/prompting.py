"""SkinGPT-4's prompt form, shared by training and inference (paper, section 4.2; MiniGPT-4's format)."""

from __future__ import annotations

from collections.abc import Iterable

SEPARATOR = "###"
IMAGE = "<image>"


def image_slot(queries: int) -> str:
    """Where the Q-Former's vectors go."""
    return f"<Img>{IMAGE * queries}</Img>"


def conversation(slot: str, exchanges: Iterable[tuple[str, str]], question: str) -> str:
    """`###Human: <Img>…</Img> first question ###Assistant: first answer ###Human: … ###Assistant:`"""
    text, image = "", slot + " "
    for asked, answered in exchanges:
        text += f"{SEPARATOR}Human: {image}{asked}{SEPARATOR}Assistant: {answered}"
        image = ""
    return f"{text}{SEPARATOR}Human: {image}{question}{SEPARATOR}Assistant:"
