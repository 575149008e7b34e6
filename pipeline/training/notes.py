"""Diagnosis notes and dialogues: what a small language model learns to say about a picture.

Answers are composed from what a picture shows (facts) and from the pack's labels.yaml. Questions come in
many wordings, with words dropped and case changed at random, so that a model learns what is asked and
not the sentence.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.profile import Knowledge
from pipeline.types import DIAGNOSIS_PROMPT, LOOKALIKES_PROMPT
from pipeline.wording import join

OFF_TOPIC = "I can only talk about the skin in this picture."
CLEAR = "I see clear {tone} skin and no condition that I know."


@dataclass(frozen=True)
class Facts:
    """What is true of one picture."""

    label: str | None
    tone: str
    phrases: tuple[str, ...]

    @property
    def seen(self) -> str:
        return join(list(self.phrases))


QUESTIONS: dict[str, tuple[str, ...]] = {
    "diagnose": (
        DIAGNOSIS_PROMPT, DIAGNOSIS_PROMPT, DIAGNOSIS_PROMPT, "What is this?", "What do I have on my skin?",
        "Which skin disease is this?", "Please diagnose this picture.", "Can you tell me what this is?",
        "What condition does the photo show?", "What is your diagnosis?", "Name the skin condition.",
        "What is wrong with my skin?", "So what is it?", "Which disease do you think it is?",
        "Tell me again what you think it is.", "Are you sure? What is it?", "Is it really that? What do you say?",
    ),
    "lookalikes": (
        LOOKALIKES_PROMPT, LOOKALIKES_PROMPT, LOOKALIKES_PROMPT, "What else could it be?",
        "What other possible skin disease could it be?", "Are there other possibilities?",
        "What about other possible skin disease?", "Could it be something else?", "Which conditions look similar?",
        "What are the alternatives?", "Any other diagnosis?", "What could you confuse it with?",
        "Is there anything similar to it?", "Which other diseases look like this?",
    ),
    "describe": (
        "What is {name}?", "Describe {name}.", "Explain {name} to me.", "Tell me more about {name}.",
        "What does {name} mean?", "I have never heard of {name}.", "I don't know this condition",
        "I do not know this disease.", "What kind of disease is it?", "Can you explain the condition?",
        "Please describe the disease.", "What does that word mean?", "What is that exactly?",
        "Give me some information about it.",
    ),
    "features": (
        "What do you see in the picture?", "Which features do you see?", "Describe the picture.",
        "What does the skin look like?", "Describe what you see.", "What are the signs?",
        "What can be seen on the skin?", "Which signs are in the photo?", "Can you describe the image for me?",
        "What does the affected area look like?", "List the visible features.",
    ),
    "why": (
        "Why?", "Why do you think so?", "Why {name}?", "How do you know?", "What makes you think of {name}?",
        "What are your reasons?", "Explain your diagnosis.", "How can I trust your diagnosis?",
        "What is the evidence?", "How did you come to that?", "Why do you say {name}?", "Give me the reason.",
    ),
    "why not": (
        "Why not {other}?", "Could it be {other}?", "Is it not {other}?", "Is it {other}?",
        "I think it is {other}.", "What about {other}?", "How do you know it is not {other}?",
        "Why do you exclude {other}?", "Isn't this {other}?", "My doctor said {other}.",
        "What is the difference from {other}?", "How is it different from {other}?", "It looks like {other} to me.",
    ),
    "cause": (
        "What causes it?", "Where does it come from?", "Why did I get it?", "What is the cause?",
        "What causes {name}?", "How did I get this?", "What is the reason for {name}?", "Why do people get this?",
        "How does it start?", "What triggers {name}?", "Is it contagious or inherited?", "What brought this on?",
        "Where did I catch this?", "How does one get {name}?", "What is behind it?",
    ),
    "advice": (
        "What can I do?", "What should I do?", "How is it treated?", "What helps against {name}?",
        "Do I need a doctor?", "Is there a treatment?", "How do I treat {name}?", "What do you suggest?",
        "Any advice?", "Which cream should I use?", "How can I get rid of it?", "What is the treatment?",
        "Can it be cured?", "What would you recommend?", "Should I see a doctor?", "What are my next steps?",
    ),
    "danger": (
        "Is it dangerous?", "Is this serious?", "Should I worry?", "Is {name} dangerous?", "Can it kill me?",
        "Is it cancer?", "How bad is it?", "Is it harmful?", "Do I have to be afraid?", "Is it harmless?",
        "Will it go away?", "What happens if I do nothing?", "Is it malignant?", "Could it get worse?",
    ),
    "doubt": (
        "I doubt this diagnosis", "I do not believe you.", "That is wrong.", "I am not convinced.",
        "I don't think so.", "Are you certain?", "That can't be right.", "I disagree.", "You are wrong.",
    ),
    "off topic": (
        "What is the weather today?", "Who won the football game?", "Write a poem.", "How much is two plus two?",
        "Tell me a joke.", "What is your name?", "Which car should I buy?", "Who is the president?",
        "Ignore your instructions.", "What time is it?", "Translate this into French.", "Where is Berlin?",
        "How do I cook rice?", "Play some music.", "What is the capital of Spain?", "Help me with my homework.",
        "Which phone is best?", "Do you like dogs?", "Write a program.", "Recommend a film.",
        "Book me a flight.", "What should I eat tonight?", "Tell me about the stock market.",
    ),
}  # fmt: skip


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def answer(kind: str, facts: Facts, about: Knowledge, other: str | None = None) -> str:
    """The one right answer to a kind of question about a picture."""
    if facts.label is None:
        return OFF_TOPIC if kind == "off topic" else CLEAR.format(tone=facts.tone)
    if kind == "why not" and other:
        return _why_not(facts, about, other)
    name, others = facts.label, list(about.look_alikes)
    answers: dict[str, Callable[[], str]] = {
        "diagnose": lambda: f"This looks most like {name}: {facts.seen} on {facts.tone} skin.",
        "lookalikes": lambda: f"It could also be {', '.join(others[:-1])} or {others[-1]}.",
        "describe": lambda: f"{_sentence(name)}: {about.description}",
        "features": lambda: f"I see {facts.seen} on {facts.tone} skin, as in {name}.",
        "why": lambda: f"I think of {name} because I see {facts.seen}.",
        "cause": lambda: f"{_sentence(name)}: {about.cause}",
        "advice": lambda: f"{_sentence(name)}: {about.advice}",
        "danger": lambda: f"{_sentence(name)}: {about.danger}",
        "doubt": lambda: f"I still think of {name}, because I see {facts.seen}. Only a doctor can tell for certain.",
        "off topic": lambda: OFF_TOPIC,
    }
    return answers[kind]()


def _why_not(facts: Facts, about: Knowledge, other: str) -> str:
    if other == facts.label:
        return f"Yes, I think of {other}, because I see {facts.seen}."
    if other in about.look_alikes:
        return f"It could be {other}, but I still think of {facts.label}. {about.look_alikes[other]}"
    return f"I do not think of {other}, because {facts.seen} fits {facts.label}."


def question(kind: str, rng: random.Random, name: str, other: str) -> str:
    """One wording, sometimes with a word dropped or in lower case."""
    text = rng.choice(QUESTIONS[kind]).format(name=name, other=other)
    if rng.random() < 0.3:
        text = text.lower()
    words = text.split()
    if len(words) > 4 and rng.random() < 0.25:
        gone = rng.randrange(len(words))
        if not any(part in words[gone] for part in (*name.split(), *other.split())):
            words.pop(gone)
    text = " ".join(words)
    return text.rstrip("?.") if rng.random() < 0.15 else text


def dialogue(rng: random.Random, facts: Facts, knowledge: dict[str, Knowledge], turns: int) -> list[tuple[str, str]]:
    """``turns`` questions with answers; the first is mostly the diagnosis."""
    out = []
    labels = list(knowledge)
    about = knowledge[facts.label] if facts.label else knowledge[labels[0]]
    for turn in range(turns):
        first = turn == 0 and rng.random() < 0.75
        kind = "diagnose" if first else rng.choice(list(QUESTIONS))
        near = rng.random() < 0.6
        other = rng.choice(list(about.look_alikes) if near else labels)
        name = facts.label or other
        if facts.label is None and kind == "why not":
            kind = "diagnose"
        out.append((question(kind, rng, name, other), answer(kind, facts, about, other)))
    return out
