"""What is measured is unseen and judged strictly; what is taught is varied, and answered for the right condition."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from pipeline.diagnose import REMEMBERED, SkinGPT, first_naming, named
from pipeline.evaluation import talking
from pipeline.evaluation.talking import KINDS, Outcome, is_right
from pipeline.phantom import Phantom
from pipeline.profile import load_knowledge
from pipeline.skingen import SkinGEN
from pipeline.training.notes import OFF_TOPIC, QUESTIONS, Asked, Facts, answer, dialogue, question
from pipeline.training.offtopic import off_topic
from pipeline.training.questions import ASK, GRAMMAR, IT
from pipeline.training.skingpt import IGNORED, Writer
from pipeline.types import DIAGNOSIS_PROMPT, LOOKALIKES_PROMPT, Turn
from pipeline.wording import PHRASES

KNOWN = {k.label: k for k in load_knowledge(Path("pipeline/packs/phantom/labels.yaml"))}
FACTS = Facts("psoriasis", "dark brown", ("a plaque", "silvery scale", "redness"))
CONCEPTS = ("Plaque", "Scale", "Erythema")


def squashed(text: str) -> str:
    """Letters and digits only, in lower case."""
    return re.sub(r"[\W_]", "", text.lower())


def everything(pattern: str) -> re.Pattern[str]:
    """Matches all that a pattern of the grammar can say, squashed."""
    pattern = pattern.replace("{it}", f"[{'|'.join(IT)}]").replace("{ask}", f"[{'|'.join(ASK)}]")
    open_close = str.maketrans({"[": "(?:", "]": ")"})
    return re.compile(re.sub(r"[^\w\[\]|]|_", "", pattern.lower()).translate(open_close))


def asked(kind: str) -> list[str]:
    return [squashed(wording) for wording in talking.WORDINGS[kind]]


def test_no_wording_that_measures_can_be_taught() -> None:
    patterns = [everything(pattern) for rows in GRAMMAR.values() for pattern in rows]
    assert everything("[What|Who] is [{it}|{name}]?").fullmatch(squashed("What is this rash?")), (
        "the check sees a match"
    )
    for kind in talking.WORDINGS:
        for wording in asked(kind):
            assert not [p.pattern for p in patterns if p.fullmatch(wording)], wording


def test_no_wording_that_measures_is_among_20_000_drawn() -> None:
    rng = random.Random(11)
    drawn = {squashed(question(rng.choice(list(QUESTIONS)), rng, "psoriasis", "vitiligo")) for _ in range(20_000)}
    drawn |= {squashed(wording) for wordings in QUESTIONS.values() for wording in wordings}
    drawn |= {squashed(off_topic(rng)) for _ in range(20_000)}
    assert len(drawn) > 10_000
    for kind, wordings in talking.WORDINGS.items():
        filled = {squashed(w.format(name="psoriasis", other="vitiligo")) for w in wordings} | set(asked(kind))
        assert not filled & drawn


def test_every_kind_is_measured_in_many_wordings() -> None:
    assert set(talking.WORDINGS) == {*KINDS, "diagnose", "off topic"}
    assert all(len(talking.WORDINGS[kind]) >= 10 for kind in KINDS)
    assert all("{other}" in w for w in talking.WORDINGS["why not"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_answer_is_right_and_others_are_not(kind: str) -> None:
    about, other = KNOWN["psoriasis"], "lichen planus"
    said = answer(kind, FACTS, about, other)
    assert is_right(said, kind, about, CONCEPTS, other)
    assert not is_right(said, kind, KNOWN["lichen planus"], CONCEPTS, "psoriasis"), "names are swapped"
    assert not is_right(said.rstrip("."), kind, about, CONCEPTS, other), "broken off"
    assert not is_right(said.replace("psoriasis", "vitiligo").replace("Psoriasis", "Vitiligo"), kind, about, CONCEPTS)
    assert not any(is_right(said, k, about, CONCEPTS, other) for k in KINDS if k != kind)


def test_signs_must_be_the_pictures_and_be_named_once() -> None:
    about = KNOWN["psoriasis"]
    say = "I see {} on brown skin, as in psoriasis."
    assert is_right(say.format("a plaque and redness"), "features", about, CONCEPTS)
    assert not is_right(say.format("a plaque, redness and a plaque"), "features", about, CONCEPTS)
    assert not is_right(say.format("wheals and redness"), "features", about, CONCEPTS)
    assert not is_right(say.format("a plaque redness"), "features", about, CONCEPTS)


def test_the_answer_to_what_else_names_the_diagnosis_and_is_reduced_without_it() -> None:
    for label, about in KNOWN.items():
        said = answer("lookalikes", Facts(label, "fair", ("redness",)), about)
        found = named(said, tuple(KNOWN))
        assert found[0] == label
        assert found[1:] == tuple(about.look_alikes)


def test_why_not_names_the_diagnosis_first_and_never_confuses_the_two() -> None:
    for label, about in KNOWN.items():
        for other in (*KNOWN, None):
            said = answer("why not", Facts(label, "fair", ("redness",)), about, other)
            assert named(said, tuple(KNOWN))[0] == label
            assert f"rather than {label}" not in said
            assert said.startswith("Yes") == (other == label)


def test_kinds_that_speak_of_a_condition_follow_the_name_in_the_question() -> None:
    others = 0
    for seed in range(1500):
        for asked_, said in dialogue(random.Random(seed), FACTS, KNOWN, 3):
            if said.startswith("By ") and not said.startswith("By psoriasis"):
                others += 1
                label = named(said, tuple(KNOWN))[0]
                assert label in asked_.lower()
                assert said == answer("describe", replace(FACTS, label=label), KNOWN[label])
    assert others > 10


def test_training_dialogues_have_the_products_form() -> None:
    firsts: Counter[str] = Counter()
    repeats = 0
    for seed in range(400):
        chat = dialogue(random.Random(seed), FACTS, KNOWN, 12)
        assert len(chat) == REMEMBERED + 1, "the first exchange, what is remembered, and the question"
        firsts[chat[0][0]] += 1
        repeats += len({q for q, _ in chat}) < len(chat)
        assert all("{" not in q + a and "[" not in q + a for q, a in chat)
    assert firsts.most_common(1)[0][0] == DIAGNOSIS_PROMPT
    assert firsts[DIAGNOSIS_PROMPT] > 300
    assert repeats > 20
    pairs = [dialogue(random.Random(seed), FACTS, KNOWN, 2) for seed in range(200)]
    assert sum(chat[1][0] == LOOKALIKES_PROMPT for chat in pairs) > 15


def test_clear_skin_has_no_condition_whatever_is_asked() -> None:
    clear = Facts(None, "olive", ())
    said = {a for seed in range(300) for _, a in dialogue(random.Random(seed), clear, KNOWN, 4)}
    assert said == {OFF_TOPIC, answer("diagnose", clear, KNOWN["psoriasis"])}


def test_single_questions_ask_for_the_diagnosis_as_often_as_wished() -> None:
    begins = answer("diagnose", FACTS, KNOWN["psoriasis"])
    for share, low, high in ((0.0, 0.0, 0.2), (1.0, 1.0, 1.0)):
        said = [dialogue(random.Random(seed), FACTS, KNOWN, 1, Asked(share))[0][1] for seed in range(200)]
        assert low <= said.count(begins) / len(said) <= high


def test_more_is_declined_where_more_is_asked_off_topic() -> None:
    def declined(weight: float) -> int:
        mix = Asked(diagnoses=0.1, off_topic=weight)
        return sum(dialogue(random.Random(seed), FACTS, KNOWN, 1, mix)[0][1] == OFF_TOPIC for seed in range(300))

    assert declined(0) == 0
    assert declined(6.4) > 1.3 * declined(3.2) > 0


def test_only_the_first_words_of_answers_are_learned_and_the_last_one_ends_there() -> None:
    writer = Writer(PreTrainedTokenizerFast.from_pretrained("pipeline/packs/phantom/skingpt"), queries=16, known=KNOWN)
    chat = [(DIAGNOSIS_PROMPT, answer("diagnose", FACTS, KNOWN["psoriasis"])), ("why?", "Because I see redness.")]
    whole, all_learned = writer.tokens(chat, None)
    ids, targets = writer.tokens(chat, None, most=3)
    learned = [token for token in targets if token != IGNORED]
    assert len(learned) == 6 < sum(target != IGNORED for target in all_learned)
    assert ids == whole[: len(ids)], "the first answer stays whole: the second question follows it"
    assert targets[-3:] == ids[-3:] == learned[3:]


def test_the_model_is_given_back_the_diagnosis_and_the_last_exchanges() -> None:
    heard: list[list[tuple[str, str]]] = []

    class Listener:
        def stream(self, seen: object, question: str, exchanges: list[tuple[str, str]]) -> list[str]:
            heard.append(exchanges)
            return []

    first = answer("diagnose", FACTS, KNOWN["psoriasis"])
    second = answer("lookalikes", FACTS, KNOWN["psoriasis"])
    history = [Turn("participant", DIAGNOSIS_PROMPT), Turn("assistant", f"{first} {second}".replace("ps", "**ps"))]
    for i in range(5):
        history += [Turn("participant", f"question {i}"), Turn("assistant", f"answer {i}")]
    SkinGPT(Listener(), None, tuple(KNOWN)).follow_up(None, "why", history)  # type: ignore[arg-type]
    assert heard == [[(DIAGNOSIS_PROMPT, first), ("question 3", "answer 3"), ("question 4", "answer 4")]]
    assert first_naming("Clear skin. Nothing known.", tuple(KNOWN)) == "Clear skin. Nothing known."


class Parrot:
    """Stands in for SkinGPT: always the same words."""

    labels = tuple(KNOWN)
    reader = None

    def __init__(self, first: str, later: str) -> None:
        self.first, self.later = first, later
        self.reduce = lambda seen, a, b: SkinGPT.reduce(self, seen, a, b)  # type: ignore[arg-type]

    def _measure(self, seen: object) -> tuple[float, float]:
        return 0.0, 1.0

    def first_task(self, seen: object) -> list[str]:
        return [self.first]

    def second_task(self, seen: object, first: str) -> list[str]:
        return [answer("lookalikes", FACTS, KNOWN["psoriasis"])]

    def follow_up(self, seen: object, asked: str, history: list[Turn]) -> list[str]:
        return [self.later]


def outcome_of(first: str, later: str, psoriasis: Phantom) -> Outcome:
    class Standing:
        skingpt = Parrot(first, later)
        profile = type("", (), {"knowledge": tuple(KNOWN.values())})

        def look(self, photo: object) -> None:
            return None

    return talking.converse(Standing(), replace(psoriasis, concepts=CONCEPTS), 3)  # type: ignore[arg-type]


def test_one_answer_to_everything_is_right_once(psoriasis: Phantom) -> None:
    first = answer("diagnose", FACTS, KNOWN["psoriasis"])
    cause = outcome_of(first, answer("cause", FACTS, KNOWN["psoriasis"]), psoriasis)
    assert [a.kind for a in cause.follow_ups if a.right] == ["cause"]
    assert cause.same
    assert [a.right for a in cause.off_topic] == [False, False]
    assert all(a.right for a in outcome_of(first, OFF_TOPIC, psoriasis).off_topic)
    assert not outcome_of(first, OFF_TOPIC, psoriasis).same
    nothing = outcome_of("I see clear skin.", OFF_TOPIC, psoriasis)
    assert not nothing.same
    assert not any(a.right for a in (*nothing.follow_ups, *nothing.off_topic, nothing.twelfth))
    assert len(nothing.follow_ups) == len(KINDS)


def test_the_packs_model_is_measured_alike_twice(skingen: SkinGEN, psoriasis: Phantom) -> None:
    first = list(talking.talking(skingen, [psoriasis]))
    assert first == list(talking.talking(skingen, [psoriasis]))
    assert [figure.at_least for figure in first] == [99, 95, 90, 95]
    assert [figure.n for figure in first] == [1, len(KINDS), 1, 2]
    assert [figure.different for figure in first] == ["", f"{len(KINDS)} wordings", "1 wordings", "2 wordings"]


def test_every_phrase_of_a_sign_is_read_back() -> None:
    about = KNOWN["psoriasis"]
    for concept, phrase in PHRASES.items():
        said = answer("why", Facts("psoriasis", "fair", (phrase,)), about)
        assert is_right(said, "why", about, (concept,)), phrase
