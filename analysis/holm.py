"""Holm's step-down correction for a family of tests."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Corrected p-values in the order given (Holm 1979; R: p.adjust(method = "holm")).

    A None (no difference to test) stays None but counts in the family as p = 1: the family was
    fixed before the answers were seen.
    """
    filled = [1.0 if p is None else p for p in p_values]
    corrected = [0.0] * len(filled)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(filled)), key=filled.__getitem__)):
        highest = max(highest, min(1.0, (len(filled) - rank) * filled[index]))
        corrected[index] = highest
    return [None if p is None else q for p, q in zip(p_values, corrected, strict=True)]
