"""Names of conditions in free text: synonyms, plurals and misspellings, against a closed set (synonyms.yaml)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

SYNONYMS = Path(__file__).with_name("synonyms.yaml")
LONGEST = 5
"""Words of the longest name"""


@dataclass(frozen=True)
class Mention:
    """One name in a text."""

    label: str | None
    """None: a condition outside the set"""
    name: str
    start: int
    """First token"""
    stop: int
    """One past the last"""


def tokens(text: str) -> list[str]:
    """Lower-case words and the marks that end or part sentences; Markdown, hyphens and apostrophes are gone."""
    plain = unicodedata.normalize("NFKD", text.replace("’", "'")).lower()
    plain = re.sub(r"(?m)^\s*(\d+[.)]|[-*•])\s+", "", plain)  # the marks of a list
    plain = re.sub(r"n't\b", " not", plain).replace("cannot", "can not").replace("'", "")
    return re.findall(r"[a-z]+|[.,;:!?()\n]", plain)


class Names:
    """The names of a closed set, and enough of the others' to tell them apart."""

    def __init__(self, labels: Sequence[str]) -> None:
        known = yaml.safe_load(SYNONYMS.read_text())
        self._labels: dict[tuple[str, ...], str | None] = {tuple(tokens(name)): None for name in known["outside"]}
        for label, others in known["of_label"].items():
            # a set without this label: its synonyms are names of another condition
            owner = label if label in labels else None
            self._labels |= {tuple(tokens(name)): owner for name in (label, *others)}
        self._labels |= {tuple(tokens(label)): label for label in labels}

    def find(self, words: Sequence[str]) -> list[Mention]:
        """All mentions in a list of `tokens`, from left to right, the longest name first where several begin."""
        out, i = [], 0
        while i < len(words):
            found = self._at(words, i)
            if found is not None:
                out.append(found)
            i = found.stop if found else i + 1
        return out

    def _at(self, words: Sequence[str], i: int) -> Mention | None:
        for n in range(min(LONGEST, len(words) - i), 0, -1):
            gram = tuple(words[i : i + n])
            name = self._exact(gram) or self._near(gram)
            if name is not None:
                return Mention(self._labels[name], " ".join(name), i, i + n)
        return None

    def _exact(self, gram: tuple[str, ...]) -> tuple[str, ...] | None:
        *front, last = gram
        forms = (last, last.removesuffix("s"), last.removesuffix("es"))
        return next((name for form in forms if (name := (*front, form)) in self._labels), None)

    def _near(self, gram: tuple[str, ...]) -> tuple[str, ...] | None:
        """A misspelling: each word off by one letter, long ones by two, two in all; short words must be right."""
        best: tuple[int, tuple[str, ...]] | None = None
        for name in self._labels:
            if len(name) != len(gram) or len("".join(name)) < 6:
                continue
            gaps = [_gap(a, b) for a, b in zip(gram, name, strict=True)]
            total = sum(gaps)
            if total <= 2 and (best is None or total < best[0]):
                best = (total, name)
        return best[1] if best else None


def _gap(said: str, name: str) -> int:
    """Edits from one word to the other, 9 where they are too many for a misspelling."""
    if said == name:
        return 0
    allowed = 0 if len(name) < 6 else 1 if len(name) < 8 else 2
    if not said or said[0] != name[0] or abs(len(said) - len(name)) > allowed:
        return 9
    edits = distance(said, name)
    return edits if edits <= allowed else 9


@cache
def distance(a: str, b: str) -> int:
    """Damerau-Levenshtein distance, restricted: letters added, dropped, changed, or two neighbours swapped."""
    before, row = list[int](), list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        oldest, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, oldest[j - 2] + 1)
            row.append(best)
    return row[-1]
