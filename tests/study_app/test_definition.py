"""The study file: read as it is meant, and every mistake told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from study_app.study.definition import DefinitionError, Study, load_study
from tests.study_app.conftest import ENGLISH, SKINGEN

TABLE_4 = [
    ("trust", "I can trust the system.", "Perceived Trust", True),
    ("ease", "The conversation with the system is easy to understand.", "Ease of Understanding", True),
    ("effort", "I easily found the information I was asking for.", "Cognitive Effort", True),
    ("correct", "SkinGEN's diagnosis is correct or relevant.", "System Performance", False),
    ("informative", "The description provided by SkinGEN is informative.", "System Performance", False),
    ("useful_suggestions", "The suggestions offered by SkinGEN are useful.", "System Performance", False),
    ("future_use", "I would be willing to use SkinGEN in the future.", "System Performance", False),
    ("realistic", "The generated skin disease image looks realistic.", "System Performance", False),
    ("useful", "I find SkinGEN to be a useful system.", "System Performance", False),
]


def problems(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """What is said of the study file after ``changes`` (old, new); each old text must be there."""
    text = ENGLISH.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file = folder / "broken.yaml"
    file.write_text(text)
    with pytest.raises(DefinitionError) as caught:
        load_study(file)
    return [problem.removeprefix(f"{folder}/").rpartition(" [")[0] for problem in caught.value.problems]


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(ENGLISH.read_text().splitlines(), 1) if text in line)


def test_the_skingen_study_asks_table_4_word_for_word(study: Study) -> None:
    assert [(i.id, i.wording, i.construct, i.repeated) for i in study.items] == TABLE_4
    labels = ("Strongly Disagree", "Disagree", "Neutral", "Agree", "Strongly Agree")
    assert {study.scale_of(item).labels for item in study.items} == {labels}
    assert {study.scale_of(item).points for item in study.items} == {(1, 2, 3, 4, 5)}
    assert [c.key for c in study.conditions] == ["text", "cases", "generated"]
    assert study.name_in_period(2) == "Assistant 2"


def test_consent_is_one_sentence_and_five_bullets_with_the_medical_warning(study: Study) -> None:
    assert study.consent.summary.count(".") == 1
    assert len(study.consent.bullets) == 5
    warning = "Nothing here is medical advice. If a mark on your skin worries you, see a doctor."
    assert warning in [bullet.text for bullet in study.consent.bullets]


def test_canonical_form_is_read_back_and_ignores_layout(study: Study, tmp_path: Path) -> None:
    assert Study.from_canonical(study.canonical()) == study
    data = yaml.safe_load(SKINGEN.read_text())
    reordered = tmp_path / "reordered.yaml"
    reordered.write_text("# another comment\n" + yaml.safe_dump(dict(reversed(data.items())), sort_keys=False))
    assert load_study(reordered).hash == study.hash


def test_a_changed_wording_is_another_definition(study: Study, tmp_path: Path) -> None:
    changed = tmp_path / "changed.yaml"
    changed.write_text(ENGLISH.read_text().replace("I can trust the system.", "I trust the system."))
    assert load_study(changed).hash != study.hash


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        (
            "scale: likert5",
            "scale: likert6",
            line_of("scale: likert5"),
            "item 'trust' has scale 'likert6'; scales are likert5",
        ),
        (
            "explainer: cases",
            "explainer: case",
            line_of("explainer: cases"),
            "condition 'cases' has explainer 'case'; allowed: 'text', 'cases', 'generated' or 'none'",
        ),
        (
            '{value: "no", label: "No"}',
            '{value: no, label: "No"}',
            line_of('{value: "no"'),
            "option 2 has value false, which is not text: put it in quotes",
        ),
        (
            "{generated}.",
            "{drawn}.",
            line_of("final_items_intro"),
            "final_items_intro has {drawn}; allowed: {text}, {cases}, {generated}",
        ),
        (
            "assistant_name: Assistant {n}",
            "assistant_name: Assistant",
            line_of("assistant_name"),
            "assistant_name lacks {n}, the number of the period",
        ),
        ("[consent, ", "[", line_of("steps:"), "the first step must be consent"),
        (
            "demographics, periods",
            "periods",
            line_of("steps:"),
            "there is the field 'demographics', but no step 'demographics'",
        ),
        ("id: ease", "id: trust", line_of("id: ease"), "id 'trust' is used twice; it must be unique"),
        ("key: cases", "key: text", line_of("key: cases"), "key 'text' is used twice; it must be unique"),
        (
            "planned_n: 32",
            "planned_n: -1",
            line_of("planned_n"),
            "the study has planned_n -1; it must be greater than 0",
        ),
        (
            "id: trust",
            "id: I trust",
            line_of("id: trust"),
            "item 'I trust' has id 'I trust': use lower-case letters, digits and _, a letter first",
        ),
        (
            "construct: Cognitive Effort",
            "konstruct: Cognitive Effort",
            line_of("id: effort"),
            "item 'effort' has no field 'construct'",
        ),
        (
            "seed: 20240",
            "title: B",
            line_of("seed:"),
            f"field 'title' stands here a second time (first: line {line_of('title:')})",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    assert f"broken.yaml:{line}: {message}" in problems(tmp_path, (old, new))


def test_all_mistakes_are_told_at_once_in_order(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        ("planned_n: 32", "planned_n: many"),
        ("explainer: text", "explainer: words"),
        ("scale: likert5", "scale: likert6"),
        ("wording: I find", "words: I find"),
    )
    lines = [int(problem.split(":")[1]) for problem in found]
    assert len(found) == 5  # the misspelt field is both unknown and missing
    assert lines == sorted(lines)


@pytest.mark.parametrize("text", ["", "- a list", "a: [", "a: &x [*x]", "a: \x00", "a: \xff"])
def test_what_is_no_study_at_all_is_told_so(tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(DefinitionError, match=r"odd\.yaml:1: "):
        load_study(file)
