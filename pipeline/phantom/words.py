"""The words of a phantom: its skin tone and its caption."""

from __future__ import annotations

from pipeline.wording import phrases_of

TONES = ("very fair", "fair", "light beige", "olive", "brown", "dark brown")
"""Skin tone words for Fitzpatrick types I to VI."""


def caption_of(skin_type: int, concepts: tuple[str, ...]) -> str:
    """`brown skin with a plaque, silvery scale and redness`; clear skin has no concepts."""
    tone = TONES[skin_type - 1]
    return f"{tone} skin with {phrases_of(concepts)}" if concepts else f"clear {tone} skin"
