"""Names of sequences that fit a table and an axis on a phone."""

from __future__ import annotations

from collections.abc import Iterable


def short_sequences(sequences: Iterable[str]) -> dict[str, str]:
    """ "text>cases>generated" -> "T·C·G": of each condition as many letters as tell it from the others, so that no two
    sequences have one name: "words>pictures" -> "W·Pi" beside "words>photos" -> "W·Ph"."""
    listed = tuple(sequences)
    keys = {key for sequence in listed for key in sequence.split(">")}
    short = {key: _beginning(key, keys - {key}) for key in keys}
    return {sequence: "·".join(short[key] for key in sequence.split(">")) for sequence in listed}


def _beginning(key: str, others: set[str]) -> str:
    """The whole key where another one goes on from it."""
    enough = (n for n in range(1, len(key)) if not any(other.startswith(key[:n]) for other in others))
    return key[: next(enough, len(key))].capitalize()
