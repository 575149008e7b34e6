"""docs/write-your-own-study.md: its commands run, and its pieces fit together to a study."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from study_app.__main__ import DEFAULT_STUDY, ROOT
from study_app.study.definition import Study, load_study
from tests.study_app.conftest import ENGLISH
from tests.study_app.docs_commands import commands, ran

TEXT = (ROOT / "docs" / "write-your-own-study.md").read_text()
COMMANDS = commands("write-your-own-study.md", printed=["my-study.yaml:103: "])
PIECES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The SkinGEN study with every piece of the page in it, and what the pieces speak of."""
    data = yaml.safe_load(ENGLISH.read_text())
    items = [item for piece in PIECES for item in piece.get("items", [])]
    for piece in PIECES:
        data.update(piece)
    agree = {"construct": "Clarity", "scale": "agree7", "repeated": True}
    data["items"] = [
        *(item for item in items if "instrument" not in item),
        {"id": "clear", "wording": "It was clear.", **agree},
        {"id": "muddled", "wording": "It was muddled.", **agree},
        {"id": "check", "wording": "Please choose 2.", **agree, "attention_check": 2},
    ]
    data["demographics"].append({"id": "age", "kind": "number", "wording": "Age?", "minimum": 1, "maximum": 99})
    data["final_items_intro"] = ""
    for item in data["items"]:
        if item.get("kind") == "yes_no":
            item.update(label_yes={"en": "Yes", "de": "Ja"}, label_no={"en": "No", "de": "Nein"})
    file = tmp_path_factory.mktemp("docs") / "study.yaml"
    file.write_text(yaml.safe_dump(data, allow_unicode=True))
    return load_study(file)


def test_the_pieces_make_a_study(composed: Study) -> None:
    assert len(PIECES) == 8
    assert [condition.key for condition in composed.conditions] == ["words", "pictures"]
    assert composed.design.sequences == "williams"
    assert {item.kind for item in composed.items} == {
        "likert",
        "slider",
        "yes_no",
        "multiple",
        "ranking",
        "pairwise",
        "number",
        "short_text",
        "long_text",
    }
    assert composed.in_language("de").title == "Wie erklären Assistenten?"
    assert [score.id for score in composed.scores] == ["clarity"]
    assert [rule.item for rule in composed.eligibility] == ["age", "medical_background"]
    assert (composed.entry.person, composed.entry.kept, composed.resume_within_hours) == ("PID", ("PID",), 48)


def test_the_instruments_named_on_the_page_are_there() -> None:
    named = set(re.findall(r"`(sus|nasa_tlx_raw|jian_trust)`", TEXT))
    assert named == {file.stem for file in (ROOT / "questionnaires" / "instruments").glob("*.yaml")}


def test_its_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for program, *words in COMMANDS:
        ran(program, *words)
    assert [words[1] for words in COMMANDS] == ["check", "simulate", "serve"]
    assert Path("pilot.db").is_file()


def test_the_pieces_on_cases_decisions_and_groups_make_a_study(tmp_path: Path) -> None:
    data = yaml.safe_load(DEFAULT_STUDY.read_text())
    data["conditions"] = [{"key": key, "label": key, "explainer": "text"} for key in ("words", "pictures", "photos")]
    data["scales"]["agree7"] = {"labels": ["No", "", "", "", "", "", "Yes"]}
    data["final_items_intro"] = ""
    pieces = [yaml.safe_load(block) for block in re.findall(r"```yml\n(.*?)```", TEXT, re.DOTALL)]
    for piece in pieces:
        data.update(piece)
    for case in data["photo"]["cases"]:
        (tmp_path / case["file"]).parent.mkdir(exist_ok=True)
        (tmp_path / case["file"]).write_bytes(b"")
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(data, allow_unicode=True))
    study = load_study(file)
    assert (len(pieces), study.periods, study.design.kind) == (5, 4, "mixed")
    assert study.sensitive_images == "shield"
    assert study.reliance is not None
    assert [study.reliance.option_of(case.truth) for case in study.photo.cases] == [
        "harmless",
        "cancer",
        "cancer",
        "harmless",
    ]
