"""How well SkinGPT talks: conversations about unseen phantoms, in wordings that no training used (wordings.txt).

An answer is right when it is, from its first to its last letter, an answer of the asked kind about the diagnosed
condition: `pipeline.training.notes.answer` with any skin tone and any list of signs, each named once, of which the
picture must show at least half of its own. This one rule covers kind, name and grammar: every sentence was written
by a person, and only tone and signs are filled in. The diagnosis itself is judged elsewhere; here the condition is
the one that the first answer named, and a photo without a diagnosis gets no answer right.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from pipeline.blip2 import Seen
from pipeline.diagnose import SkinGPT, named
from pipeline.evaluation.figures import Figure, over, share
from pipeline.phantom import Phantom
from pipeline.phantom.words import TONES
from pipeline.profile import Knowledge
from pipeline.skingen import SkinGEN
from pipeline.training.notes import OFF_TOPIC, Facts, answer
from pipeline.training.questions import sections
from pipeline.types import DIAGNOSIS_PROMPT, Turn
from pipeline.wording import PHRASES

WORDINGS = sections(Path(__file__).with_name("wordings.txt"))
"""Kind -> questions with `{name}` and `{other}`."""

KINDS = ("describe", "features", "why", "why not", "lookalikes", "cause", "advice", "danger")
"""The eight kinds of follow-up."""

_SIGN = "|".join(re.escape(phrase) for phrase in sorted(PHRASES.values(), key=len, reverse=True))
_SIGNS = rf"(?P<signs>(?:{_SIGN})(?:, (?:{_SIGN}))*(?: and (?:{_SIGN}))?)"


def is_right(said: str, kind: str, about: Knowledge, concepts: Sequence[str], other: str | None = None) -> bool:
    """Whether ``said`` answers a question of ``kind`` about a picture of ``about`` that shows ``concepts``.

    other: the condition that a "why not" asks for.
    """
    form = re.escape(answer(kind, Facts(about.label, "TONE", ("SIGNS",)), about, other))
    form = form.replace("TONE", f"(?:{'|'.join(TONES)})").replace("SIGNS", _SIGNS, 1)
    found = re.fullmatch(form, said)
    if not found or "signs" not in found.groupdict():
        return found is not None
    signs = re.findall(_SIGN, found["signs"])
    shown = {PHRASES[concept] for concept in concepts}
    return len(signs) == len(set(signs)) and 2 * len(shown & set(signs)) >= len(shown)


@dataclass
class Chat:
    """A conversation as the product has it: the first answer holds both tasks' words."""

    skingpt: SkinGPT
    seen: Seen
    history: list[Turn] = field(default_factory=list)
    label: str | None = None

    def begin(self) -> None:
        """Both tasks; sets ``label``."""
        first = "".join(self.skingpt.first_task(self.seen)).strip()
        second = "".join(self.skingpt.second_task(self.seen, first)).strip()
        self.label = self.skingpt.reduce(self.seen, first, second).label
        self.history = [Turn("participant", DIAGNOSIS_PROMPT), Turn("assistant", f"{first} {second}")]

    def ask(self, question: str) -> str:
        said = "".join(self.skingpt.follow_up(self.seen, question, self.history)).strip()
        self.history += [Turn("participant", question), Turn("assistant", said)]
        return said


@dataclass(frozen=True)
class Answered:
    """One question of a conversation."""

    kind: str
    wording: str
    """As in wordings.txt, names left open"""
    right: bool
    """Off topic: declined"""


@dataclass(frozen=True)
class Outcome:
    """What became of the conversations about one picture."""

    label: str
    """The true condition."""
    follow_ups: tuple[Answered, ...]
    """One of each kind"""
    off_topic: tuple[Answered, ...]
    twelfth: Answered
    same: bool
    """The same question five times, the same diagnosis"""


def _other(about: Knowledge, labels: Sequence[str], rng: random.Random) -> str:
    """A look-alike as often as any other condition."""
    far = [label for label in labels if label != about.label and label not in about.look_alikes]
    return rng.choice(list(about.look_alikes) if rng.random() < 0.5 or not far else far)


def _ask(chat: Chat, kind: str, known: dict[str, Knowledge], concepts: Sequence[str], rng: random.Random) -> Answered:
    """Ask a question of ``kind``. Without a diagnosis nothing can be asked, and nothing is right."""
    if chat.label is None:
        return Answered(kind, rng.choice(WORDINGS[kind]), False)
    about = known[chat.label]
    other = _other(about, list(known), rng)
    wording = rng.choice(WORDINGS[kind])
    said = chat.ask(wording.format(name=about.label, other=other))
    right = said == OFF_TOPIC if kind == "off topic" else is_right(said, kind, about, concepts, other)
    return Answered(kind, wording, right)


def _asked_again(skingpt: SkinGPT, seen: Seen, begun: Chat, question: str, times: int = 4) -> bool:
    """Whether ``question``, asked again and again after the first answer, always gets the first diagnosis."""
    chat = Chat(skingpt, seen, list(begun.history), begun.label)
    return all(named(chat.ask(question), skingpt.labels)[:1] == (begun.label,) for _ in range(times))


def converse(skingen: SkinGEN, phantom: Phantom, seed: int) -> Outcome:
    """Twelve turns (the diagnosis, eight kinds in any order, two off topic, one more), and one question five times."""
    rng = random.Random(seed)
    known = {about.label: about for about in skingen.profile.knowledge}
    seen = skingen.look(Image.fromarray(phantom.image))
    chat = Chat(skingen.skingpt, seen)
    chat.begin()
    begun = Chat(skingen.skingpt, seen, list(chat.history), chat.label)
    order = rng.sample((*KINDS, "off topic", "off topic"), len(KINDS) + 2)
    answered = [_ask(chat, kind, known, phantom.concepts, rng) for kind in order]
    twelfth = _ask(chat, KINDS[seed % len(KINDS)], known, phantom.concepts, rng)
    again = rng.choice((DIAGNOSIS_PROMPT, *WORDINGS["diagnose"]))
    return Outcome(
        label=str(phantom.label),
        follow_ups=tuple(a for a in answered if a.kind != "off topic"),
        off_topic=tuple(a for a in answered if a.kind == "off topic"),
        twelfth=twelfth,
        same=chat.label is not None and _asked_again(skingen.skingpt, seen, begun, again),
    )


def talking(skingen: SkinGEN, test: Sequence[Phantom]) -> Iterator[Figure]:
    """The four figures of a conversation. About 17 answers a phantom; the same in every run."""
    outcomes = [converse(skingen, phantom, seed) for seed, phantom in enumerate(test)]
    labels = [outcome.label for outcome in outcomes]
    yield share("same question five times, same diagnosis", [outcome.same for outcome in outcomes], labels, at_least=99)
    follow_ups = [answered for outcome in outcomes for answered in outcome.follow_ups]
    yield _share("follow-up of eight kinds answered rightly, in unseen wordings", follow_ups, 95)
    yield _share("twelfth turn of a conversation right", [outcome.twelfth for outcome in outcomes], 90)
    yield _share("off-topic question declined", [answered for o in outcomes for answered in o.off_topic], 95)


def _share(what: str, answered: Sequence[Answered], at_least: float) -> Figure:
    """Of right answers, with the worst kind where there are several, and an interval for other wordings."""
    kinds = [a.kind for a in answered]
    figure = share(what, [a.right for a in answered], kinds if len(set(kinds)) > 1 else None, at_least=at_least)
    return over("wordings", figure, [100.0 * a.right for a in answered], [a.kind + a.wording for a in answered])
