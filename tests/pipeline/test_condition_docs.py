"""docs/add-a-condition.md: the explainer printed there explains, and its study file and commands are right."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from pipeline import explainers
from pipeline.phantom import Phantom
from pipeline.skingen import SkinGEN, png
from pipeline.types import CasesFound, ExplainRequest, ImagesReady, MaskFound, TextDelta
from study_app.__main__ import DEFAULT_STUDY, ROOT, cli

TEXT = (ROOT / "docs" / "add-a-condition.md").read_text()


def block(language: str) -> str:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)[0]


def test_the_printed_explainer_outlines_the_area_and_says_the_same_words(skingen: SkinGEN, psoriasis: Phantom) -> None:
    names = dict(vars(explainers))
    exec(block("python"), names)
    photo = skingen.images.put(png(Image.fromarray(psoriasis.image)))
    request = ExplainRequest(key="k", condition="text", photo=photo, seed=7)
    events = list(names["Outlined"](skingen, "text").explain(request))
    plain = list(explainers.make_explainers(skingen)["text"].explain(request))
    said, expected = ([e.text for e in each if isinstance(e, TextDelta)] for each in (events, plain))
    assert "".join(said) == "".join(expected)
    (area,) = [e for e in events if isinstance(e, MaskFound)]
    assert area.mask is not None
    assert not any(isinstance(e, CasesFound | ImagesReady) for e in events)


def test_its_conditions_and_commands_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = yaml.safe_load(DEFAULT_STUDY.read_text()) | yaml.safe_load(block("yaml")) | {"final_items_intro": ""}
    Path("study.yaml").write_text(yaml.safe_dump(data, allow_unicode=True))
    commands = re.findall(r"^python -m study_app (.*)$", TEXT, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        result = CliRunner().invoke(cli, shlex.split(command.replace("questionnaires/skingen.yaml", "study.yaml")))
        assert result.exit_code == 0, result.output


def test_the_places_it_names_are_there() -> None:
    for path, name in re.findall(r"`(\w+)`(?: and `\w+`)? in `([\w/]+\.py)`", TEXT):
        assert path in (ROOT / name).read_text(), f"{name} has no {path}"
