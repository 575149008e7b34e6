"""Mistakes in assigned cases, decisions, pictures and mixed designs, and the message their author gets."""

# ruff: noqa: E501  one mistake a line is a table to read

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from study_app.study.allocation import sequences
from study_app.study.definition import DefinitionError, load_study
from study_app.study.outcomes import number_of_checks
from tests.study_app.conftest import ADVICE, SKINGEN

RELEVANCE = SKINGEN.with_name("image_relevance.yaml")


def mistakes(folder: Path, good: Path, old: str, new: str) -> list[str]:
    """What is told about ``good``, whose files stay where they are, after the first ``old`` became ``new``."""
    text = good.read_text()
    assert old in text
    text = text.replace(old, new, 1)
    text = text.replace("../../../pipeline", str(SKINGEN.parents[1] / "pipeline"))
    file = folder / "broken.yaml"
    file.write_text(text.replace(" image_relevance/", f" {SKINGEN.parent}/image_relevance/"))
    with pytest.raises(DefinitionError) as caught:
        load_study(file)
    return [problem.removeprefix(f"{file}:").partition(": ")[2] for problem in caught.value.problems]


# fmt: off
ADVICE_MISTAKES = [
    ("sources: [assigned]", "sources: [assigned, upload]", "assigned cases are the only source: write sources: [assigned] [photo.sources]"),
    ("sources: [assigned]", "sources: [upload]", "'cases' needs sources: [assigned] [photo.cases]"),
    ("sources: [assigned]", "sources: [upload]", "reliance needs cases with a known truth: photo with sources: [assigned] [reliance]"),
    ("id: two", "id: one", "id 'one' is used twice; it must be unique [photo.cases[1].id]"),
    ("cases_per_condition: 2", "cases_per_condition: 3", "5 cases; every participant meets 6 different ones (2 conditions with 3 each): add cases or lower cases_per_condition [photo.cases]"),
    ("cases_per_condition: 2", "cases_per_condition: 101", "2 conditions with 101 cases each are 202 photos for every participant; at most 200 are possible [photo.cases_per_condition]"),
    ("cases_per_condition: 2", "cases_per_condition: 0", "photo has cases_per_condition 0; it must be 1 or more [photo.cases_per_condition]"),
    ("gallery/09.jpg", "gallery/99.jpg", "case 'one': there is no file"),
    ("truth: psoriasis", "truth: acne vulgaris", "case 'five' has truth 'acne vulgaris', which is no decision; decisions are harmless, cancer [photo.cases[4].truth]"),
    (", truth: psoriasis", "", "case 'five' has no truth; the reliance step needs it [photo.cases[4]]"),
    ("scale: sure4}", "scale: sure5}", "confidence has scale 'sure5'; scales are sure4 [reliance.confidence.scale]"),
    ("diagnoses: [malignant melanoma, ", "diagnoses: [psoriasis, malignant melanoma, ", "option 'cancer' means 'psoriasis', and so does option 'harmless' [reliance.options[1]]"),
    ("id: helped", "id: judgement_first", "id 'judgement_first' is that of a question of the reliance step; choose another one [items[0].id]"),
    ("  final_wording", "  last_wording", "reliance has an unknown field 'last_wording'"),
    ("rich: [words, found]", "rich: [words, find]", "group 'rich' has 'find'; conditions are words, shown, found [design.groups.rich]"),
    ("rich: [words, found]", "rich: [words]", "the groups differ in size; every participant must meet the same number of conditions [design.groups]"),
    ("rich: [words, found]", "rich: [shown, words]", "group 'rich' has the conditions of another group, so nothing tells them apart [design.groups.rich]"),
    ("rich: [words, found]", "rich: [shown, words]", "no group has condition found [design.groups]"),
    ("rich: [words, found]", "rich: [words, words]", "group 'rich' names a condition twice [design.groups.rich]"),
    ("    rich: [words, found]\n", "", "a mixed design has two groups at least [design.groups]"),
    ("kind: mixed", "kind: within", "groups need kind: mixed [design.groups]"),
    ("sequences: latin_square", "sequences: fixed", "a mixed design takes its sequences from the groups: all_orders, latin_square or williams [design.sequences]"),
    ("  sequences: latin_square\n  groups:\n    plain: [words, ", "  groups:\n    plain: [a, b, c, d, words, ", "group 'plain' has 6 conditions; all orders are balanced for up to 5: use latin_square or williams [design.groups.plain]"),
    ("items:\n", "exclusion: {failed_attention_checks: 5}\nitems:\n  - {id: look, wording: Press 2., construct: Care, scale: sure4, repeated: true, attention_check: 2}\n", "exclusion after 5 failed attention checks, but a participant meets only 4 [exclusion.failed_attention_checks]"),
]
RELEVANCE_MISTAKES = [
    ("        drawn: image_relevance", "        painted: image_relevance", "case 'psoriasis' has a picture for 'painted'; conditions with explainer: none are drawn, photograph [photo.cases[0].pictures.painted]"),
    ("psoriasis_drawn.jpg", "psoriasis_painted.jpg", "case 'psoriasis': there is no file"),
    ("sources: [assigned]", "sources: [gallery]", "condition 'drawn' has no explainer, so its pictures must be assigned cases [conditions[0].explainer]"),
]
# fmt: on


@pytest.mark.parametrize(
    ("good", "old", "new", "told"),
    [(ADVICE, *each) for each in ADVICE_MISTAKES] + [(RELEVANCE, *each) for each in RELEVANCE_MISTAKES],
)
def test_a_mistake_is_told_in_words(tmp_path: Path, good: Path, old: str, new: str, told: str) -> None:
    found = mistakes(tmp_path, good, old, new)
    assert any(problem.startswith(told) for problem in found), found


@pytest.mark.parametrize(
    ("design", "each", "met"),
    [
        ({"kind": "within", "sequences": "latin_square"}, 1, 3),
        ({"kind": "between"}, 3, 3),
        ({"kind": "mixed", "groups": {"plain": ["words", "shown"], "rich": ["words", "found"]}}, 1, 2),
        ({"kind": "mixed", "groups": {"plain": ["words", "shown"], "rich": ["words", "found"]}}, 2, 4),
    ],
)
def test_a_rule_may_ask_for_as_many_failed_checks_as_a_participant_meets(
    tmp_path: Path, design: dict[str, object], each: int, met: int
) -> None:
    data = advice()
    check = {"id": "look", "wording": "Press 2.", "construct": "Care", "scale": "sure4"}
    data["items"].append({**check, "repeated": True, "attention_check": 2})
    data["design"], data["photo"]["cases_per_condition"] = design, each
    data["completion_codes"]["failed_checks"] = "FAILED"
    data["exclusion"] = {"failed_attention_checks": met}
    study = load_study(written(tmp_path, data))
    assert number_of_checks(study) == met
    data["exclusion"] = {"failed_attention_checks": met + 1}
    (told,) = told_about(written(tmp_path, data))
    assert f"after {met + 1} failed attention checks, but a participant meets only {met}" in told


def test_all_orders_of_a_large_group_are_refused_with_its_line(tmp_path: Path) -> None:
    data = advice()
    keys = [f"c{n}" for n in range(7)]
    data["conditions"] = [{"key": key, "label": key, "explainer": "text"} for key in keys]
    data["photo"]["cases_per_condition"] = 1
    data["photo"]["cases"] += [{**data["photo"]["cases"][0], "id": "six"}]
    data["design"] = {"kind": "mixed", "groups": {"early": keys[:6], "late": keys[1:]}}
    file = written(tmp_path, data)
    told = told_about(file)
    lines = file.read_text().splitlines()
    assert [problem.split(":")[1] for problem in told] == [
        str(number) for number, line in enumerate(lines, 1) if line.strip() in ("early:", "late:")
    ]
    assert all("has 6 conditions; all orders are balanced for up to 5" in problem for problem in told)
    data["design"]["sequences"] = "latin_square"
    assert len(sequences(load_study(written(tmp_path, data)))) == 12


def advice() -> dict[str, Any]:
    """The study as its file says it, with its files where they are."""
    data: dict[str, Any] = yaml.safe_load(ADVICE.read_text())
    for case in data["photo"]["cases"]:
        case["file"] = str(SKINGEN.parents[1] / case["file"].removeprefix("../../../"))
    return data


def written(folder: Path, data: dict[str, Any]) -> Path:
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    return file


@pytest.mark.parametrize("value", ["7", "[]", "{}", "nothing", "[[]]", "{a: 1}", "[7]", "true"])
@pytest.mark.parametrize(
    "field", ["reliance:", "conversation:", "  groups:", "  cases:", "  sources:", "  options:", "  confidence:"]
)
def test_whatever_stands_there_is_told_and_breaks_nothing(tmp_path: Path, field: str, value: str) -> None:
    lines = ADVICE.read_text().splitlines()
    place = next(n for n, line in enumerate(lines) if line.startswith(field))
    depth = len(field) - len(field.lstrip())
    end = next(n for n in range(place + 1, len(lines)) if len(lines[n]) - len(lines[n].lstrip()) <= depth)
    text = "\n".join([*lines[:place], f"{field} {value}", *lines[end:]])
    file = tmp_path / "broken.yaml"
    file.write_text(text.replace("../../../pipeline", str(SKINGEN.parents[1] / "pipeline")))
    problems = told_about(file)
    assert problems or (field, value) == ("conversation:", "{}")  # which says nothing, and nothing is fine
    assert all(problem.startswith(f"{file}:") for problem in problems)


def told_about(file: Path) -> tuple[str, ...]:
    try:
        load_study(file)
    except DefinitionError as error:
        return error.problems
    return ()
