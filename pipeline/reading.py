"""What a free answer says, against the closed set: the diagnosis, what else it leaves possible, what it rules out.

Rules, not a model: names (names.py), then what stands around each of them in its sentence. Measured on 100 answers
written by hand (tests/pipeline/answers.yaml). What is not understood is said so, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.names import Mention, Names, tokens

State = Literal["named", "outside", "healthy", "declined", "unparsed"]

_ENDS = frozenset(".!?;\n")
_PARTS = frozenset(
    (",", ":", "(", ")", "but", "and", "however", "although", "though", "because", "since", "so", "which", "while")
)
_JOINS = frozenset(("or", "nor", "a", "an", "the", "of", "typical", "classic"))
_NOT_BEFORE = re.compile(
    r"\b(not|no|never|nor|neither|without|unlike|nothing|exclud\w+|rul\w+ out|rather than|instead of|lacks?|against|"
    r"mistaken for|confused with|treated for|history of|absence of|free of)\b"
)
_STILL_BEFORE = re.compile(
    r"\bnot only\b|\bnot (be )?(exclud\w+|rul\w+ out)\b|\b(anything|none|nothing) (other than|but)\b|\bno doubt\b"
)
_NOT_AFTER = re.compile(r"\bunlikely\b|\bexcluded\b|\bruled out\b|\bwould\b|\blacks?\b|\b(does|do|is|are|was) not\b")
_STILL_AFTER = re.compile(r"\bnot (\w+ )?be (excluded|ruled out)\b|\bnot (excluded|ruled out|unlikely|only)\b")
_STRONG = re.compile(
    r"\bmost (likely|probabl[ey]|consistent|typical|plausible)\b|\bmore (likely|plausible|consistent)\b|\bfavou?r\b|"
    r"\b(leading|my|final) diagnosis\b|\bdiagnosis is\b|^diagnosis\b|\bi (believe|think|would go with)\b|"
    r"\bindicates?\b|\bremains\b|\bconclu\w+"
)
_WEAK = re.compile(
    r"\bpossib\w+|\bcould\b|\bmay\b|\bmight\b|\bdifferential\b|\bother\b|\bothers\b|\balso\b|\bless likely\b|"
    r"\bdoubtful\b|\bresembl\w+|\bsimilar\b|\balternativ\w+|\bversus\b|\bvs\b|\bconsider\w*"
)
_HEALTHY = re.compile(
    r"\b(healthy|clear skin|normal skin|skin (is|looks|appears) (normal|clear)|no (visible )?abnormalit\w+|"
    r"no (visible )?(signs?|evidence) of (any )?(skin )?(disease|condition|lesion))"
)
_DECLINED = re.compile(
    r"\b(can not|not able|unable|not possible|not qualified|hard to (say|tell)|too blurry|difficult to (say|tell))\b"
)


@dataclass(frozen=True)
class Reading:
    """What an answer says."""

    label: str | None
    """The diagnosis"""
    others: tuple[str, ...]
    """Further conditions of the set that it leaves possible, in its order"""
    ruled_out: tuple[str, ...]
    state: State
    """outside: it names a condition that the set does not have; unparsed: none of the others"""
    outside: tuple[str, ...] = ()
    """Conditions outside the set that it leaves possible"""


@dataclass(frozen=True)
class _Judged:
    mention: Mention
    holds: bool
    strength: int
    """2: the answer prefers it; 1; 0: it is one of several"""


class Reader:
    """Reads answers against one closed set."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.names = Names(labels)

    def read(self, text: str) -> Reading:
        """An answer; what a model adds after the separator `###` is not part of it."""
        text = text.split("###")[0]
        judged = [j for sentence in _sentences(tokens(text)) for j in _judge(sentence, self.names.find(sentence))]
        holding = [j for j in judged if j.holds]
        inside = [j for j in holding if j.mention.label is not None]
        outside = tuple(dict.fromkeys(j.mention.name for j in holding if j.mention.label is None))
        ruled_out = _labels([j for j in judged if not j.holds])
        best = max(inside, key=lambda j: j.strength, default=None)  # the first of the strongest
        if best is None or best.mention.label is None or _prefers_outside(holding, best):
            return Reading(None, (), ruled_out, _state(text, outside), outside)
        label = best.mention.label
        others = tuple(name for name in _labels(inside) if name != label)
        return Reading(label, others, tuple(n for n in ruled_out if n != label and n not in others), "named", outside)

    def mentioned(self, text: str) -> tuple[str, ...]:
        """Labels that a text names in whatever way, in the order of their first mention: for questions."""
        return tuple(dict.fromkeys(m.label for m in self.names.find(tokens(text)) if m.label is not None))


def _labels(judged: Sequence[_Judged]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(j.mention.label for j in judged if j.mention.label is not None))


def _prefers_outside(holding: Sequence[_Judged], best: _Judged) -> bool:
    """The answer's own preference is a condition that the set does not have."""
    first = max(holding, key=lambda j: j.strength)
    return first.mention.label is None and first.strength > best.strength


def _state(text: str, outside: tuple[str, ...]) -> State:
    if outside:
        return "outside"
    plain = " ".join(tokens(text))
    return "healthy" if _HEALTHY.search(plain) else "declined" if _DECLINED.search(plain) else "unparsed"


def _sentences(words: Sequence[str]) -> Iterator[list[str]]:
    sentence: list[str] = []
    for word in words:
        if word in _ENDS:
            if sentence:
                yield sentence
            sentence = []
        else:
            sentence.append(word)
    if sentence:
        yield sentence


def _judge(sentence: Sequence[str], mentions: Sequence[Mention]) -> Iterator[_Judged]:
    """Whether each mention of a sentence holds, and how strongly."""
    denied_before, strength = False, 1
    for i, mention in enumerate(mentions):
        last = mentions[i - 1].stop if i else 0
        following = mentions[i + 1].start if i + 1 < len(mentions) else len(sentence)
        between, after = sentence[last : mention.start], sentence[mention.stop : following]
        own = _clause_before(sentence, mention.start)
        before = " ".join(sentence[own : mention.start])
        continues = i > 0 and _only_joins(between)
        denied = _denied_before(before) or _denied_after(after) or (continues and denied_before)
        strength = strength if continues and strength == 0 else _strength(" ".join(between), _said_of_it(after))
        yield _Judged(mention, not denied, strength)
        denied_before = denied


def _clause_before(sentence: Sequence[str], stop: int) -> int:
    """Where the clause begins that ends at ``stop``."""
    return next((i + 1 for i in range(stop - 1, -1, -1) if sentence[i] in _PARTS), 0)


def _only_joins(between: Sequence[str]) -> bool:
    """Two names of one list ("psoriasis, vitiligo or urticaria"), or "and so can"."""
    rest = [word for word in between if word not in _JOINS and word not in (",", "and")]
    return not rest or " ".join(between).endswith("and so can")


def _denied_before(before: str) -> bool:
    return bool(_NOT_BEFORE.search(before)) and not _STILL_BEFORE.search(before)


def _denied_after(after: Sequence[str]) -> bool:
    stop = next((i for i, word in enumerate(after) if word in _PARTS), len(after))
    clause = " ".join(after[:stop])
    return bool(_NOT_AFTER.search(clause)) and not _STILL_AFTER.search(clause)


def _said_of_it(after: Sequence[str]) -> str:
    """The rest of the clause, or what stands in brackets behind the name."""
    begin = 1 if after[:1] == ["("] else 0
    stop = next((i for i, word in enumerate(after) if i >= begin and word in _PARTS), len(after))
    return " ".join(after[begin:stop])


def _strength(between: str, after: str) -> int:
    around = f"{between} | {after}"
    return 2 if _STRONG.search(between) or _STRONG.search(after) else 0 if _WEAK.search(around) else 1
