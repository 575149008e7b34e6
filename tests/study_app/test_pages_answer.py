"""What a page makes of an answer: foreign text stays text, events fold into what is drawn."""

from __future__ import annotations

import pytest

from pipeline.types import (
    AdapterPlan,
    Case,
    CasesFound,
    Diagnosis,
    DiagnosisMade,
    Failed,
    GeneratedImage,
    ImageProgress,
    ImagesReady,
    Mask,
    MaskFound,
    Queued,
    TextDelta,
)
from study_app.participant.answer import fold
from study_app.participant.pictures import drawn, similar
from study_app.participant.safe_text import as_html

DIAGNOSIS = Diagnosis("psoriasis", ("lichen planus",), 1.0, 3.0)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("![x](http://e.example/x.png)", "![x](http://e.example/x.png)"),
        ('<img src=x onerror="a()">', "&lt;img src=x onerror=&quot;a()&quot;&gt;"),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("a\x00b\x1bc", "abc"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
    ],
)
def test_foreign_text_is_shown_letter_by_letter(text: str, shown: str) -> None:
    assert as_html(text, bold=True) == f'<p dir="auto" style="margin-bottom:0">{shown}</p>'


def test_only_bold_is_taken_from_a_model_and_nothing_from_a_participant() -> None:
    assert "<strong>psoriasis</strong>" in as_html("It is **psoriasis**.", bold=True)
    assert "**psoriasis**" in as_html("It is **psoriasis**.", bold=False)
    assert "<strong>&lt;b&gt;</strong>" in as_html("**<b>**", bold=True)


def test_paragraphs_and_line_breaks_stay() -> None:
    html = as_html("one\n\ntwo\nthree\n\n\n", bold=False)
    assert html == '<p dir="auto">one</p><p dir="auto" style="margin-bottom:0">two<br>three</p>'
    assert as_html(" \n ", bold=True) == ""


def test_a_queue_is_over_with_the_first_word() -> None:
    waiting = fold([Queued(2)])
    assert waiting.ahead == 2
    assert not waiting.begun
    begun = fold([Queued(2), TextDelta("This "), TextDelta("is")])
    assert begun.ahead is None
    assert begun.begun
    assert begun.text == "This is"


def test_every_event_leaves_its_mark() -> None:
    mask = Mask("m", "o", (0, 0, 1, 1), 0.9, 0.1)
    image = GeneratedImage("psoriasis", "i", "p", 7, AdapterPlan("psoriasis", None, 0.0, 0.0, ()))
    answer = fold(
        [
            DiagnosisMade(DIAGNOSIS),
            MaskFound(mask),
            ImageProgress(3, 20),
            ImagesReady((image,)),
            Failed("Stopped.", "E-1"),
        ]
    )
    assert answer.diagnosis == DIAGNOSIS
    assert (answer.mask, answer.mask_sought) == (mask, True)
    assert answer.progress == ImageProgress(3, 20)
    assert answer.images == (image,)
    assert answer.failed is not None
    assert not answer.complete


def test_previews_stay_until_there_are_newer_ones() -> None:
    seen = fold([ImageProgress(3, 20, ("acne",), ("early",)), ImageProgress(4, 20, ("acne",))]).progress
    assert seen == ImageProgress(4, 20, ("acne",), ("early",))
    assert fold([ImageProgress(3, 20, (), ("a",)), ImageProgress(4, 20, (), ("b",))]).progress == ImageProgress(
        4, 20, (), ("b",)
    )


def test_no_area_found_is_not_the_same_as_not_looked_for() -> None:
    assert fold([MaskFound(None)]).mask_sought
    assert not fold([]).mask_sought


def test_cases_with_one_diagnosis_get_names_of_their_own() -> None:
    cases = tuple(Case(f"c{n}", "psoriasis", "red plaque", f"p{n}", 0.9) for n in range(3))
    comparison = similar(fold([CasesFound(cases)]), "1_1")
    assert comparison is not None
    assert [entry.name for entry in comparison.shown] == ["Psoriasis", "Psoriasis 2", "Psoriasis 3"]
    captions = [entry.caption for entry in comparison.shown]
    assert captions == ["Case: psoriasis", "Case: psoriasis 2", "Case: psoriasis 3"]
    assert comparison.shown[0].text == "**Psoriasis.** Red plaque."


@pytest.mark.parametrize(
    ("caption", "shown"), [("red plaque.", "Red plaque."), ("红斑。", "红斑。"), (" plaques? ", "Plaques?"), ("", "")]
)
def test_a_caption_that_ends_as_a_sentence_stays_as_it_is(caption: str, shown: str) -> None:
    comparison = similar(fold([CasesFound((Case("c1", "acne", caption, "p1", 0.9),))]), "1_1")
    assert comparison is not None
    assert comparison.shown[0].text.removeprefix("**Acne.** ") == shown


def test_nothing_to_compare_without_pictures() -> None:
    assert similar(fold([CasesFound(())]), "1_1") is None
    assert drawn(fold([]), None, "1_1") is None
