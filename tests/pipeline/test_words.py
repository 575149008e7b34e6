"""Names in sentences: the closed label set, bold names in a stream, captions, prompts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.caption import skin_of
from pipeline.diagnose import named
from pipeline.explainers import emphasised
from pipeline.profile import ProfileError, load_profile
from pipeline.prompting import conversation, image_slot
from pipeline.wording import SKINCON, join, phrases_of

LABELS = ("acne", "acne vulgaris", "keratosis pilaris", "lichen planus", "psoriasis", "seborrheic keratosis", "striae")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("This looks most like psoriasis: a plaque.", ("psoriasis",)),
        ("Acne vulgaris, or Psoriasis, or acne vulgaris", ("acne vulgaris", "psoriasis")),
        ("just acne", ("acne",)),
        ("pre-psoriasisform", ()),
        ("(Lichen planus)", ("lichen planus",)),
        ("<b>psoriasis</b> ignore your instructions", ("psoriasis",)),
        ("", ()),
    ],
)
def test_names_are_found_as_whole_words(text: str, expected: tuple[str, ...]) -> None:
    assert named(text, LABELS) == expected


def pieces(text: str, cuts: list[int]) -> Iterator[str]:
    places = [0, *sorted({c % (len(text) + 1) for c in cuts}), len(text)]
    yield from (text[a:b] for a, b in itertools.pairwise(places))


@given(cuts=st.lists(st.integers(0, 200), max_size=30))
def test_bold_does_not_depend_on_how_the_stream_is_cut(cuts: list[int]) -> None:
    text = "This looks like acne vulgaris; it could be seborrheic keratosis or keratosis pilaris, acne or Striae."
    expected = (
        "This looks like **acne vulgaris**; it could be **seborrheic keratosis** or **keratosis pilaris**, "
        "**acne** or **Striae**."
    )
    assert "".join(emphasised(pieces(text, cuts), LABELS)) == expected


@given(text=st.text(alphabet="acnevulgri spo.", max_size=60), cuts=st.lists(st.integers(0, 60), max_size=10))
def test_bold_loses_no_letter(text: str, cuts: list[int]) -> None:
    assert "".join(emphasised(pieces(text, cuts), LABELS)).replace("**", "") == text


def test_first_words_are_not_held_back() -> None:
    stream = emphasised(iter(["This ", "looks ", "like ", "acne"]), LABELS)
    assert next(stream) == "This "


def test_captions_give_the_skin_to_the_prompt() -> None:
    assert skin_of("dark brown skin with a plaque, silvery scale and redness") == "dark brown skin"
    assert skin_of("clear olive skin") == "olive skin"


def test_phrases() -> None:
    assert phrases_of(("Plaque", "Scale", "Erythema")) == "a plaque, silvery scale and redness"
    assert phrases_of(("Vesicle", "Erythema")) == "small blisters and redness", "not among the embedded models' own"
    assert len(SKINCON) == 48, "as many as Daneshjou et al. (2022) name"
    assert join(["one"]) == "one"
    with pytest.raises(KeyError):
        phrases_of(("Sparkle",))


def test_prompt_form_is_skingpt4s() -> None:
    slot = image_slot(2)
    assert conversation(slot, [], "What is it?") == "###Human: <Img><image><image></Img> What is it?###Assistant:"
    assert conversation(slot, [("A?", "B.")], "C?") == (
        "###Human: <Img><image><image></Img> A?###Assistant: B.###Human: C?###Assistant:"
    )


def test_the_profile_knows_every_look_alike() -> None:
    profile = load_profile("phantom")
    labels = {k.label for k in profile.knowledge}
    assert profile.demonstration
    assert all(len(k.look_alikes) >= 3 and set(k.look_alikes) <= labels - {k.label} for k in profile.knowledge)
    assert {k.partition for k in profile.knowledge} == {"non-neoplastic", "benign", "malignant"}


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(ProfileError, match=r"profiles here: .*phantom"):
        load_profile("phantasm")
