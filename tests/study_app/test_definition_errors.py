"""Broken study files: each a small change of a good one, and the message its author gets."""

# ruff: noqa: E501  one mistake a line is a table to read

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from study_app.study.definition import DefinitionError, load_study
from tests.study_app.conftest import ENGLISH, MOLES


def mistakes(folder: Path, good: Path, old: str, new: str) -> list[str]:
    """What is told about ``good`` after the first ``old`` became ``new``; the line counted from ``good``."""
    text = good.read_text()
    assert old in text
    file = folder / "broken.yaml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(DefinitionError) as caught:
        load_study(file)
    assert all(problem.startswith(f"{file}:") for problem in caught.value.problems)
    return [problem.removeprefix(f"{file}:") for problem in caught.value.problems]


def line(good: Path, old: str) -> int:
    """The line that ``old`` begins in."""
    return good.read_text().partition(old)[0].count("\n") + 1


# fmt: off
SKINGEN_MISTAKES = [
    # (what stands there, what somebody wrote, what they are told)
    ("id: skingen", "id: SkinGEN", "the study has id 'SkinGEN': use lower-case letters, digits and _, a letter first [id]"),
    ("planned_n: 32", "planned_n: 32.5", "the study has planned_n 32.5, which is not a whole number [planned_n]"),
    ("planned_n: 32", "planned_n: many", "the study has planned_n 'many', which is not a whole number [planned_n]"),
    ("planned_n: 32", "planned_n: 0", "the study has planned_n 0; it must be greater than 0 [planned_n]"),
    ("planned_n: 32", "planed_n: 32", "the study has an unknown field 'planed_n': did you mean 'planned_n'? [planed_n]"),
    ("planned_n: 32\n", "planned_n:\n", "the study has planned_n nothing, which is not a whole number [planned_n]"),
    ("title: How", "title: 7 #", "the study has title 7, which is not text: put it in quotes [title]"),
    ("title: How do assistants explain skin conditions?", 'title: ""', "the study has an empty title [title]"),
    ("seed: 20240", "version: 1.0", "the study has version 1.0, which is not text: put it in quotes [version]"),
    ("seed: 20240", "languages: en", "the study has languages 'en', expected a list: [...] or lines that begin with '- ' [languages]"),
    ("seed: 20240", "languages: [English]", "the study has languages entry 1 'English': write languages as en, de, zh [languages[0]]"),
    ("seed: 20240", "languages: [en, en]", "a language stands there twice [languages]"),
    ("[consent, demo", "[welcome, demo", "the study has steps entry 1 'welcome'; allowed: 'consent', 'demographics', 'periods', 'final_items' or 'comments' [steps[0]]"),
    ("[consent, ", "[", "the first step must be consent [steps]"),
    (", periods,", ",", "step 'periods' is missing: it holds photo, conversation and rating [steps]"),
    ("periods, final_items,", "final_items, periods,", "step 'final_items' must come after periods [steps]"),
    ("demographics, periods", "demographics, demographics, periods", "step 'demographics' stands 2 times; every step comes once [steps]"),
    (", comments]", "]", "there is the field 'comments', but no step 'comments' [steps]"),
    ("kind: within", "kind: crossed", "design has kind 'crossed'; allowed: 'within', 'between' or 'mixed' [design.kind]"),
    ("kind: within", "kind: mixed", "kind: mixed needs 'groups': a name for each group, with the conditions that its participants meet [design.groups]"),
    ("sequences: all_orders", "sequences: random", "design has sequences 'random'; allowed: 'all_orders', 'latin_square', 'williams' or 'fixed' [design.sequences]"),
    ("sequences: all_orders", "sequences: fixed", "sequences: fixed needs the field 'orders' [design.orders]"),
    ("sequences: all_orders", "orders: [[text, cases, generated]]", "orders need sequences: fixed [design.orders]"),
    ("sequences: all_orders", "sequences: fixed\n  orders: [[text, cases, drawn]]", "order 1 must name each condition once: cases, generated, text [design.orders[0]]"),
    ("kind: within", "kind: between", "a between-subjects design has no sequences: each participant meets one condition [design.sequences]"),
    ("minutes: 120", "minutes: 2 hours", "design has inactive_after_minutes '2 hours', which is not a whole number [design.inactive_after_minutes]"),
    ("explainer: cases", "explainer: case", "condition 'cases' has explainer 'case'; allowed: 'text', 'cases', 'generated' or 'none' [conditions[1].explainer]"),
    ("    label: SkinGPT + cases\n", "", "condition 'cases' has no field 'label' [conditions[1].label]"),
    ("key: cases", "key: text", "key 'text' is used twice; it must be unique [conditions[1].key]"),
    ("explainer: cases", "explainer: cases\n    settings: {steps: 20}", "condition 'cases' has an unknown field 'settings'; allowed: key, label, explainer [conditions[1].settings]"),
    ("sources: [gallery, upload]", "sources: [camera]", "photo has sources entry 1 'camera'; allowed: 'gallery', 'upload' or 'assigned' [photo.sources[0]]"),
    ("sources: [gallery, upload]", "sources: []", "photo has 0 sources; at least 1 are needed [photo.sources]"),
    ("ask_label: true", "ask_label: maybe", "photo has ask_label 'maybe'; allowed: true, false [photo.ask_label]"),
    ("scale: likert5", "scale: likert6", "item 'trust' has scale 'likert6'; scales are likert5 [items[0].scale]"),
    ("scale: likert5", "kind: likert", "item 'trust' has no field 'scale' [items[0].scale]"),
    ("    scale: likert5\n", "", "item 'trust' has no kind; give it 'scale', 'options' or 'kind' [items[0]]"),
    ("construct: Perceived", "constructs: Perceived", "item 'trust' has an unknown field 'constructs': did you mean 'construct'? [items[0].constructs]"),
    ("repeated: true", "repeated: often", "item 'trust' has repeated 'often'; allowed: true, false [items[0].repeated]"),
    ("id: ease", "id: trust", "id 'trust' is used twice; it must be unique [items[1].id]"),
    ("id: gender", "id: trust", "id 'trust' is used twice; it must be unique [items[0].id]"),
    ("labels: [Strongly Disagree, Disagree, Neutral, Agree, Strongly Agree]", "labels: [Yes]", "scales 'likert5' has labels entry 1 true, which is not text: put it in quotes [scales.likert5.labels[0]]"),
    ('{value: "no", label: "No"}', '{value: no, label: "No"}', "option 2 has value false, which is not text: put it in quotes [demographics[1].options[1].value]"),
    ("{value: another, label: Another}", "{value: male, label: Another}", "value 'male' is used twice; it must be unique [demographics[0].options[2].value]"),
    ("{generated}.", "{drawn}.", "final_items_intro has {drawn}; allowed: {text}, {cases}, {generated} [final_items_intro]"),
    ("{generated}.", "{generated.", "final_items_intro has a brace without a partner [final_items_intro]"),
    ("Assistant {n}", "Assistant", "assistant_name lacks {n}, the number of the period [assistant_name]"),
    ("  declined: SKINGEN-DECLINED", "  refused: SKINGEN-DECLINED", "completion_codes has no field 'declined' [completion_codes.declined]"),
    ("consent:\n", "consent: yes please\nconsents:\n", "consent is 'yes please', expected fields with values [consent]"),
    ("seed: 20240", "title: B", "field 'title' stands here a second time (first: line 7) [title]"),
    ("seed: 20240", "seed: [1", "not YAML: a bracket that is opened in or before this line is not closed (expected ',' or ']', but got '<scalar>')"),
    ("{value: female, label: Female}", "{value: female, label: Female?}", "not YAML: a text with a question mark inside brackets: put it in quotes (expected ',' or '}', but got '?')"),
    ("seed: 20240", "seed:\t1", "not YAML: a tab stands where only spaces may: indent with spaces (found character '\\t' that cannot start any token)"),
    ("seed: 20240", "seed: a: b", "not YAML: a second colon, or a line indented too far: put a text with a colon in quotes (mapping values are not allowed here)"),
    ("seed: 20240", "2024: x", "field 2024 is not text: put it in quotes [2024]"),
    ("items:  ", "items:\n  - {instrument: tlx, repeated: true}\n#", "there is no instrument 'tlx'; allowed: jian_trust, nasa_tlx_raw, sus [items[0].instrument]"),
    ("items:  ", "items:\n  - {instrument: sus}\n#", "instrument 'sus' needs 'repeated': true or false [items[0]]"),
    ("items:  ", "instruments: [sus]\nitems:  ", "field 'instruments' is written by the app: name an instrument among the items, - {instrument: sus} [instruments]"),
]
# fmt: on


@pytest.mark.parametrize(("old", "new", "message"), SKINGEN_MISTAKES)
def test_a_mistake_in_the_skingen_study_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    told = mistakes(tmp_path, ENGLISH, old, new)
    assert message in [problem.partition(": ")[2] for problem in told]
    numbers = [int(problem.partition(":")[0]) for problem in told]
    assert numbers == sorted(numbers)


# fmt: off
MOLES_MISTAKES = [
    ("kind: slider", "kind: likert9", "item 'sure' has kind 'likert9'; allowed: likert, single, multiple, yes_no, number, short_text, long_text, slider, ranking, pairwise [items[2].kind]"),
    ("minimum: 10", "minimum: 180", "question 'age' has maximum 99; it must be greater than its minimum, 180 [demographics[0].maximum]"),
    ("minimum: 10", "minimum: adult", "question 'age' has minimum 'adult', which is not a number [demographics[0].minimum]"),
    ("step: 10", "step: 30", "item 'sure' has step 30, which does not lead from 0 to 100 [items[2].step]"),
    ("step: 10", "steps: 10", "item 'sure' has an unknown field 'steps': did you mean 'step'? [items[2].steps]"),
    ("at_most: 2", "at_most: 4", "item 'heard' asks for 1 to 4 of 3 options; at_least <= at_most <= 3 is possible [items[5].at_most]"),
    ("at_most: 2", "at_least: 0", "item 'heard' has at_least 0; it must be 1 or more [items[5].at_least]"),
    ("max_length: 20", "max_length: 0", "item 'word' has max_length 0; it must be greater than 0 [items[6].max_length]"),
    ("decimals: 2", "decimals: 9", "item 'weight' has decimals 9; it must be 6 or less [items[8].decimals]"),
    ("missing: may_skip", "missing: optional", "item 'muddled' has missing 'optional'; allowed: 'required', 'may_skip' or 'prefer_not_to_say' [items[1].missing]"),
    ("{value: dark, label: {de: dunkel, zh: 深色}}", "{value: prefer_not_to_say, label: nein}\n    missing: prefer_not_to_say", "question 'skin' offers 'prefer_not_to_say' twice: as an option and by missing; leave one of the two [demographics[1].missing]"),
    ("    label_no: ", "    # ", "item 'doctor' needs the fields 'label_yes' and 'label_no', the words in the study's languages [items[3]]"),
    ("unit: {de: Jahre, zh: 岁}", "unit: {de: Jahre}", "question 'age' has no unit in language 'zh' [demographics[0].unit]"),
    ("unit: {de: Jahre, zh: 岁}", "unit: {de: Jahre, zh: 岁, en: years}", "question 'age' has unit in language 'en'; the study's languages are de, zh [demographics[0].unit]"),
    ("{de: Danke, zh: 谢谢}", '{de: "", zh: 谢谢}', "debrief has an empty title in 'de' [debrief.title]"),
    ("ends: [{de: unsicher, zh: 没有把握}, ", "ends: [", "item 'sure' has no ends entry 2 [items[2].ends]"),
    ("zh: \"助手 {n}\"", "zh: 助手", "assistant_name lacks {n}, the number of the period [assistant_name]"),
    ("items: [clear, muddled]", "items: [clear, heard]", "score 'clarity' has item 'heard'; items on a scale are clear, muddled, sure, read [scores[0].items]"),
    ("reverse: [muddled]", "reverse: [sure]", "score 'clarity' reverses 'sure', which is none of its items [scores[0].reverse]"),
    ("method: mean", "method: median", "score 'clarity' has method 'median'; allowed: 'mean' or 'sum' [scores[0].method]"),
    ("at_least: 18", "at_least: young", "eligibility 1 has at_least 'young', which is not a number [eligibility[0].at_least]"),
    ("{item: age, at_least: 18}", "{item: years, at_least: 18}", "eligibility asks for 'years'; questions of demographics are age, skin [eligibility[0].item]"),
    ("{item: age, at_least: 18}", "{item: age}", "eligibility by 'age', a number, needs at_least or at_most, and no one_of [eligibility[0]]"),
    ("one_of: [light, dark]", "one_of: [light, brown]", "eligibility by 'skin' has 'brown'; allowed: light, dark [eligibility[1].one_of]"),
    ("one_of: [light, dark]", "at_least: 1", "eligibility by 'skin' needs one_of: some of light, dark [eligibility[1]]"),
    ("{item: age, at_least: 18}", "{item: age, at_least: 65, at_most: 18}", "eligibility by 'age' lets nobody take part: no answer from 10 to 99 is at least 65 and at most 18 [eligibility[0]]"),
    ("{item: age, at_least: 18}", "{item: age, at_least: 200}", "eligibility by 'age' lets nobody take part: no answer from 10 to 99 is at least 200 [eligibility[0]]"),
    ("{item: age, at_least: 18}", "{item: age, at_most: 9.5}", "eligibility by 'age' lets nobody take part: no answer from 10 to 99 is at most 9.5 [eligibility[0]]"),
    ("{item: age, at_least: 18}", "{item: age, at_least: 18.2, at_most: 18.8}", "eligibility by 'age' lets nobody take part: no answer from 10 to 99 fits decimals: 0 and is at least 18.2 and at most 18.8 [eligibility[0]]"),
    ("{item: age, at_least: 18}", "{item: age, at_least: 65}\n  - {item: age, at_most: 64}", "eligibility by 'age' lets nobody take part: no answer from 10 to 99 is at least 65 and at most 64 [eligibility[1]]"),
    ("[light, dark]}", "[light]}\n  - {item: skin, one_of: [dark]}", "eligibility by 'skin' lets nobody take part: no option is in every one_of [eligibility[2]]"),
    ("    minimum: 0.05\n    maximum: 1\n    decimals: 2\n", "    minimum: 0.2\n    maximum: 0.8\n", "item 'weight' has no answer: no number from 0.2 to 0.8 fits decimals: 0 [items[8].minimum]"),
    ("    minimum: 0.05\n    maximum: 1\n    decimals: 2\n", "    minimum: 0.11\n    maximum: 0.19\n    decimals: 1\n", "item 'weight' has no answer: no number from 0.11 to 0.19 fits decimals: 1 [items[8].decimals]"),
    ("options:\n      - {value: light", "missing: may_skip\n    options:\n      - {value: light", "eligibility needs an answer to 'skin', which has missing: may_skip; make it required [eligibility[1].item]"),
    ("attention_check: 2", "attention_check: 8", "item 'read' has attention_check 8; allowed: 1, 2, 3, 4, 5, 6, 7 [items[4].attention_check]"),
    ("items: [clear, muddled]", "items: [clear, read]", "score 'clarity' counts 'read', which is an attention check [scores[0].items]"),
    ("checks: 2}", "checks: 3}", "exclusion after 3 failed attention checks, but a participant meets only 2 [exclusion.failed_attention_checks]"),
    ("failed_attention_checks: 2", "failed_attention_checks: 0", "exclusion has failed_attention_checks 0; it must be 1 or more [exclusion.failed_attention_checks]"),
    ("  screened_out: PASST-NICHT\n", "", "there is the field 'eligibility', but completion_codes has no 'screened_out' [completion_codes.screened_out]"),
    ("exclusion: {failed_attention_checks: 2}\n", "", "completion_codes has 'failed_checks', which needs the field 'exclusion' [completion_codes.failed_checks]"),
    ("declined: NEIN", "declined: FERTIG", "two outcomes have the same completion code: the recruiter cannot tell them [completion_codes]"),
    ("consent, demographics, periods", "consent, periods, demographics", "eligibility is decided after demographics: that step must come before periods [eligibility]"),
    ("id: skin", "id: skin\n    repeated: true", "question 'skin' is asked once, before the conditions: repeated must be false [demographics[1].repeated]"),
    ("items:\n  - id: clear", "items:\n  - {instrument: sus, repeated: true}\n  - id: clear", "instrument 'sus' is worded in 'en' only, the study is in ['de', 'zh']: write its items out in every language [items[0].instrument]"),
]
# fmt: on


@pytest.mark.parametrize(("old", "new", "message"), MOLES_MISTAKES)
def test_a_mistake_in_items_and_languages_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in [problem.partition(": ")[2] for problem in mistakes(tmp_path, MOLES, old, new)]


@pytest.mark.parametrize(
    ("good", "old", "new"),
    [
        (ENGLISH, "planned_n: 32", "planned_n: 0"),
        (ENGLISH, "explainer: cases", "explainer: case"),
        (MOLES, "step: 10", "steps: 10"),
        (MOLES, "method: mean", "method: median"),
        (MOLES, "{item: age, at_least: 18}", "{item: age, at_least: 65, at_most: 18}"),
        (MOLES, "{item: age, at_least: 18}", "{item: age, at_least: 200}"),
        (MOLES, "{item: skin, one_of: [light, dark]}", "{item: age, at_most: 17}"),
        (MOLES, "minimum: 0.05\n    maximum: 1\n    decimals: 2", "minimum: 0.2\n    maximum: 0.8"),
        (MOLES, "{failed_attention_checks: 2}", "{failed_attention_checks: 3}"),
    ],
)
def test_the_line_is_the_one_of_the_mistake(tmp_path: Path, good: Path, old: str, new: str) -> None:
    assert {problem.partition(":")[0] for problem in mistakes(tmp_path, good, old, new)} == {str(line(good, old))}


ODD = (None, 1, -1.5, "x", "{", [], {}, [1], ["x", "x"], {"a": 1}, True, [[]], [{}], {"x": {}})


def places(value: Any, loc: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside ``value``."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*loc, key)
        yield from places(value[key], (*loc, key))


@pytest.mark.parametrize("good", [ENGLISH, MOLES], ids=lambda path: path.stem)
def test_whatever_stands_anywhere_is_a_mistake_that_is_told_or_no_mistake(tmp_path: Path, good: Path) -> None:
    """The rules between fields meet values of any shape: none of them may break the checker."""
    data = yaml.safe_load(good.read_text())
    data["items"].insert(0, {"instrument": "sus", "repeated": False})
    chance = random.Random(20)
    file = tmp_path / "odd.yaml"
    told = 0
    for place in chance.sample(list(places(data)), 60):
        changed = copy.deepcopy(data)
        inside = changed
        for key in place[:-1]:
            inside = inside[key]
        inside[place[-1]] = chance.choice(ODD)
        file.write_text(json.dumps(changed))  # JSON is YAML, too
        try:
            load_study(file)
        except DefinitionError as error:
            told += len(error.problems)
    assert told > 60


def test_behind_an_instrument_lines_and_paths_are_those_of_the_file(tmp_path: Path) -> None:
    text = ENGLISH.read_text().replace("items:  ", "items:\n  - {instrument: sus, repeated: false}\n#", 1)
    file = tmp_path / "broken.yaml"
    file.write_text(text.replace("id: ease", "id: Ease"))
    with pytest.raises(DefinitionError) as caught:
        load_study(file)
    (told,) = caught.value.problems
    assert told.startswith(f"{file}:{line(file, 'id: Ease')}: item 'Ease' has id 'Ease'")
    assert told.endswith("[items[2].id]")
