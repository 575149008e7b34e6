"""Wordings of questions: a compact grammar per kind, and the noise of typing.

The patterns are in wordings/, one folder for each writer, who did not see each other's nor those that
measure; the first files say how they are written. A language model of this size knows no words but those it was
taught, so that breadth of words counts for more than length.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

from pipeline.types import DIAGNOSIS_PROMPT, LOOKALIKES_PROMPT

_INNERMOST = re.compile(r"\[([^\[\]]*)\]")

WORDINGS = Path(__file__).with_name("wordings")


def sections(path: Path) -> dict[str, tuple[str, ...]]:
    """``== heading`` -> its lines, without comments and empty lines."""
    out: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if line.startswith("== "):
            rows = out.setdefault(line.removeprefix("== "), [])
        elif line and not line.startswith("#"):
            rows.append(line)
    return {heading: tuple(rows) for heading, rows in out.items()}


def from_all_writers(name: str) -> dict[str, tuple[str, ...]]:
    """The sections of every writer's file ``name``, put together."""
    out: dict[str, tuple[str, ...]] = {}
    for path in sorted(WORDINGS.glob(f"*/{name}")):
        for heading, rows in sections(path).items():
            out[heading] = out.get(heading, ()) + rows
    return out


_SECTIONS = from_all_writers("skin.txt")
IT, ASK, OPENERS, ASIDES, TAILS = (_SECTIONS[part] for part in ("it", "ask", "openers", "asides", "tails"))
KINDS = (
    "diagnose", "lookalikes", "describe", "features", "why", "why not", "cause", "advice", "danger", "doubt",
)  # fmt: skip
GRAMMAR: dict[str, tuple[str, ...]] = {kind: _SECTIONS[kind] for kind in KINDS}
"""Kind -> patterns of its wordings; ``{name}`` is the diagnosis, ``{other}`` another condition."""
GRAMMAR["diagnose"] += (DIAGNOSIS_PROMPT,) * 4
GRAMMAR["lookalikes"] += (LOOKALIKES_PROMPT,) * 3


def expand(pattern: str, rng: random.Random) -> str:
    """One draw from ``pattern``: a bracket becomes one of its alternatives, `{it}` and `{ask}` one of theirs."""
    pattern = pattern.replace("{ask}", rng.choice(ASK))
    while "[" in pattern:
        pattern = _INNERMOST.sub(lambda found: rng.choice(found[1].split("|")), pattern)
    while "{it}" in pattern:
        pattern = pattern.replace("{it}", rng.choice(IT), 1)
    return " ".join(pattern.split())


_CONSONANTS, _VOWELS = "bcdfghjklmnprstvwz", "aeiou"


def invented(rng: random.Random) -> str:
    """A word that there is not, as any word is that was never taught."""
    syllables = "".join(rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(rng.randrange(2, 4)))
    return syllables + rng.choice(("n", "r", "s", "t", ""))


def _mistyped(word: str, rng: random.Random) -> str:
    """A letter dropped, doubled or changed places with the next."""
    at = rng.randrange(1, len(word) - 1)
    return rng.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        )
    )


def _around(text: str, rng: random.Random) -> str:
    """Sometimes an opener, an aside or a tail."""
    if rng.random() < 0.08:
        end = text[-1] if text[-1] in "?." else ""
        tail = rng.choice(TAILS)
        text = text.rstrip("?.") + (tail if tail[0] == "," else f" {tail}") + end
    if rng.random() < 0.14:
        opener = rng.choice(OPENERS)
        text = f"{opener} {text if opener[-1] in '.:' else text[0].lower() + text[1:]}"
    if rng.random() < 0.06:
        text = expand(rng.choice(ASIDES), rng) + " " + text
    return text


def _noise(text: str, rng: random.Random, names: frozenset[str]) -> str:
    """Case, dropped, unknown and mistyped words and missing marks, never inside a condition's name."""
    draw = rng.random()
    text = text.lower() if draw < 0.25 else text.upper() if draw < 0.26 else text
    words = text.split()
    plain = [i for i, word in enumerate(words) if word.strip("?.,:!").lower() not in names]
    if len(words) > 5 and plain and rng.random() < 0.05:
        words.pop(rng.choice(plain))
        plain = [i for i, word in enumerate(words) if word.strip("?.,:!").lower() not in names]
    if len(words) > 7 and plain and rng.random() < 0.05:
        words[rng.choice(plain)] = invented(rng)
    if rng.random() < 0.06:
        long = [i for i in plain if len(words[i]) > 4]
        for i in rng.sample(long, min(len(long), 1)):
            words[i] = _mistyped(words[i], rng)
    text = " ".join(words)
    draw = rng.random()
    if draw < 0.2:
        return text.rstrip("?.")
    return text.rstrip("?.") + rng.choice(("??", "!", " ?", "...", "?", ".")) if draw < 0.26 else text


def _cased(name: str, rng: random.Random) -> str:
    draw = rng.random()
    return name.upper() if draw < 0.08 else name.title() if draw < 0.16 else name.capitalize() if draw < 0.22 else name


def _article(name: str, rng: random.Random) -> str:
    """Now and then `a` or `the` before the name."""
    draw = rng.random()
    article = ("an " if name[0] in "aeiou" else "a ") if draw < 0.06 else "the " if draw < 0.08 else ""
    return article + name


def wording(patterns: tuple[str, ...], rng: random.Random, name: str, other: str) -> str:
    """One question drawn from ``patterns`` with the names filled in, as somebody may type it.

    The study's own prompts stay as they are most of the time: the product sends them word for word.
    """
    text = expand(rng.choice(patterns), rng)
    if text in (DIAGNOSIS_PROMPT, LOOKALIKES_PROMPT) and rng.random() < 0.8:
        return text
    text = _around(text, rng)
    text = text.replace("{name}", _article(_cased(name, rng), rng)).replace(
        "{other}", _article(_cased(other, rng), rng)
    )
    names = frozenset(word.lower() for word in (*name.split(), *other.split()))
    text = _noise(text, rng, names)
    return text[:1].upper() + text[1:] if rng.random() < 0.6 else text
