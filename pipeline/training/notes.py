"""Diagnosis notes and dialogues: what a small language model learns to say about a picture.

Answers are composed from what a picture shows (facts) and from the pack's labels.yaml. Questions are drawn from
a grammar of wordings (`questions`, `offtopic`), so that a model learns what is asked and not the sentence.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pipeline.diagnose import REMEMBERED
from pipeline.profile import Knowledge
from pipeline.training.offtopic import off_topic
from pipeline.training.questions import GRAMMAR, expand, wording
from pipeline.types import DIAGNOSIS_PROMPT, LOOKALIKES_PROMPT
from pipeline.wording import join

OFF_TOPIC = "I can only talk about the skin in this picture."
CLEAR = "I see clear {tone} skin and no condition that I know."

STRANGERS = (
    "eczema", "ringworm", "rosacea", "chickenpox", "measles", "shingles", "impetigo", "scabies", "a wart", "warts",
    "sunburn", "an insect bite", "a mosquito bite", "herpes", "dandruff", "a burn", "a bruise", "dermatitis", "lupus",
    "a fungus", "fungal infection", "athlete's foot", "monkeypox", "syphilis", "heat rash", "a tick bite", "leprosy",
    "contact dermatitis", "atopic dermatitis", "folliculitis", "a boil", "a cyst", "lyme disease", "scarlet fever",
)  # fmt: skip
"""Names that a closed label set may lack; whoever asks for one hears the diagnosis again."""

ABOUT_ANY = ("describe", "cause", "advice", "danger")
"""Kinds that speak of a condition as such: asked by name, they are answered for that name."""


@dataclass(frozen=True)
class Facts:
    """What is true of one picture."""

    label: str | None
    tone: str
    phrases: tuple[str, ...]

    @property
    def seen(self) -> str:
        return join(list(self.phrases))


def _corpus(kind: str, patterns: tuple[str, ...], draws: int = 2000) -> tuple[str, ...]:
    rng = random.Random(kind)
    return tuple(expand(rng.choice(patterns), rng) for _ in range(draws))


def _off_topic_corpus(draws: int = 3000) -> tuple[str, ...]:
    rng = random.Random("off topic")
    return tuple(off_topic(rng) for _ in range(draws))


QUESTIONS: dict[str, tuple[str, ...]] = {
    **{kind: _corpus(kind, patterns) for kind, patterns in GRAMMAR.items()},
    "off topic": _off_topic_corpus(),
}
"""Kind -> examples of its wordings, with `{name}` and `{other}` unfilled: what the tokenizer is made from."""

_KINDS = tuple(QUESTIONS)
_WEIGHTS = {
    "diagnose": 0.8, "why not": 1.8, "doubt": 1.0, "describe": 1.5, "cause": 1.4, "advice": 1.7,
    "danger": 1.7, "features": 1.2, "why": 1.4, "lookalikes": 1.2,
}  # fmt: skip
"""How often a kind is asked; `Asked` says how often something off topic."""


@dataclass(frozen=True)
class Asked:
    """What a training asks more or less of."""

    diagnoses: float = 0.6
    """Of single questions, the share that ask for the diagnosis"""
    off_topic: float = 3.2
    """Weight of questions off topic beside those of the other kinds"""

    def kind(self, rng: random.Random) -> str:
        weights = _WEIGHTS | {"off topic": self.off_topic}
        return rng.choices(_KINDS, [weights[kind] for kind in _KINDS])[0]


USUAL = Asked()


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def answer(kind: str, facts: Facts, about: Knowledge, other: str | None = None) -> str:
    """The one right answer to a kind of question about a picture; it names the condition unless it declines.

    The first words say what kind of answer it is and of which condition, so that a small model decides once and the
    rest follows.

    other: the condition that a "why not" asks for; None for a name outside the closed label set.
    """
    if facts.label is None:
        return OFF_TOPIC if kind == "off topic" else CLEAR.format(tone=facts.tone)
    name, seen, others = facts.label, facts.seen, list(about.look_alikes)
    answers: dict[str, Callable[[], str]] = {
        "diagnose": lambda: f"This looks most like {name}: {seen} on {facts.tone} skin.",
        "lookalikes": lambda: f"Besides {name}, it could also be {', '.join(others[:-1])} or {others[-1]}.",
        "describe": lambda: f"By {name} doctors mean {_lower(about.description)}",
        "features": lambda: f"I see {seen} on {facts.tone} skin, as in {name}.",
        "why": lambda: f"Because I see {seen}, I think of {name}.",
        "why not": lambda: _why_not(name, seen, about, other),
        "cause": lambda: f"The cause of {name}: {_lower(about.cause)}",
        "advice": lambda: f"My advice on {name}: {_lower(about.advice)}",
        "danger": lambda: f"About the danger of {name}: {_lower(about.danger)}",
        "doubt": lambda: f"I still think of {name}, because I see {seen}. Only a doctor can tell for certain.",
        "off topic": lambda: OFF_TOPIC,
    }
    return answers[kind]()


def _why_not(name: str, seen: str, about: Knowledge, other: str | None) -> str:
    """The diagnosis comes first in every case, so that the name from the question is only said second."""
    if other == name:
        return f"Yes, I think of {name}, because I see {seen}."
    if other in about.look_alikes:
        return f"I think of {name} rather than {other}. {about.look_alikes[other]}"
    return f"I think of {name} rather than {other or 'that'}, because I see {seen}."


def question(kind: str, rng: random.Random, name: str, other: str) -> str:
    """One wording, as somebody may type it. name: the diagnosis; other: the condition that is compared."""
    patterns = (off_topic(rng),) if kind == "off topic" else GRAMMAR[kind]
    return wording(patterns, rng, name, other)


def remembered(exchanges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What is left of a conversation when its last question is answered: see `SkinGPT.follow_up`."""
    return exchanges[:1] + exchanges[1:][-REMEMBERED:]


def _other(rng: random.Random, facts: Facts, about: Knowledge, labels: list[str]) -> str:
    """Whom to compare with: mostly a look-alike, sometimes any condition, sometimes the diagnosis itself."""
    draw = rng.random()
    if facts.label and draw < 0.15:
        return facts.label
    return rng.choice(list(about.look_alikes) if draw < 0.6 else labels)


def _exchange(rng: random.Random, kind: str, facts: Facts, knowledge: Mapping[str, Knowledge]) -> tuple[str, str]:
    labels = list(knowledge)
    about = knowledge[facts.label or labels[0]]
    other = _other(rng, facts, about, labels)
    name = facts.label or other
    if kind == "why not" and rng.random() < 0.12:
        strange = rng.choice([s for s in STRANGERS if s not in knowledge])
        return question(kind, rng, name, strange), answer(kind, facts, about)
    if facts.label and kind in ABOUT_ANY and other != name and rng.random() < 0.25:
        asked = question(kind, rng, other, other)
        if other in asked.lower():
            return asked, answer(kind, replace(facts, label=other), knowledge[other])
    return question(kind, rng, name, other), answer(kind, facts, about, other)


def _next(
    rng: random.Random,
    before: list[tuple[str, str]],
    alone: bool,
    facts: Facts,
    knowledge: dict[str, Knowledge],
    mix: Asked,
) -> tuple[str, str]:
    """One more exchange. As in the product, a conversation mostly begins with the study's own prompt.

    alone: whether no more will follow
    """
    draw = rng.random()
    about = knowledge[facts.label or next(iter(knowledge))]
    if not before and not alone and draw < 0.9:
        return DIAGNOSIS_PROMPT, answer("diagnose", facts, about)
    if not before and alone and draw < mix.diagnoses:
        return _exchange(rng, "diagnose", facts, knowledge)
    if before and draw < 0.12:
        return rng.choice(before)
    if len(before) == 1 and draw < 0.24:
        return LOOKALIKES_PROMPT, answer("lookalikes", facts, about)
    return _exchange(rng, mix.kind(rng), facts, knowledge)


def dialogue(
    rng: random.Random, facts: Facts, knowledge: dict[str, Knowledge], turns: int, mix: Asked = USUAL
) -> list[tuple[str, str]]:
    """``turns`` questions with answers, cut to what the product keeps of so many.

    The first is mostly the diagnosis; now and then a question is asked again word for word.
    """
    out: list[tuple[str, str]] = []
    for _ in range(turns):
        out.append(_next(rng, out, turns == 1, facts, knowledge, mix))
    return remembered(out)
