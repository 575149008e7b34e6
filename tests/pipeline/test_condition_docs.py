"""docs/add-a-condition.md: the explainer printed there explains, and its study file and commands are right."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from pipeline import explainers
from pipeline.phantom import Phantom
from pipeline.skingen import SkinGEN, png
from pipeline.types import CasesFound, ExplainRequest, ImagesReady, MaskFound, TextDelta
from study_app.__main__ import DEFAULT_STUDY, ROOT
from tests.study_app.docs_commands import commands, ran

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
    found = commands("add-a-condition.md")
    assert [(program, words[0]) for program, *words in found] == [
        ("study_app", "check"), ("study_app", "simulate"), ("pipeline", "explain"),
    ]  # fmt: skip
    for program, *words in found[:2]:
        ran(program, *(word.replace(str(DEFAULT_STUDY), "study.yaml") for word in words))


def put_in(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, f"{old!r} in {file.name}"
    file.write_text(text.replace(old, new))


def test_with_the_class_and_its_name_in_three_places_the_last_command_explains(
    tmp_path: Path, psoriasis: Phantom
) -> None:
    """In a copy of the pipeline that is changed as the page says, by the page's command."""
    copy = tmp_path / "pipeline"
    shutil.copytree(ROOT / "pipeline", copy, ignore=shutil.ignore_patterns("packs", "training", "__pycache__"))
    (copy / "packs").symlink_to(ROOT / "pipeline" / "packs")
    (copy / "training").symlink_to(ROOT / "pipeline" / "training")
    put_in(
        copy / "types.py", 'Literal["text", "cases", "generated"]', 'Literal["text", "cases", "generated", "outlined"]'
    )
    put_in(copy / "types.py", '= ("text", "cases", "generated")', '= ("text", "cases", "generated", "outlined")')
    put_in(copy / "explainers.py", "def make_explainers(", f"{block('python')}\n\ndef make_explainers(")
    put_in(
        copy / "explainers.py",
        "{condition: SkinGENExplainer(skingen, condition) for condition in CONDITIONS}",
        '{c: (Outlined if c == "outlined" else SkinGENExplainer)(skingen, c) for c in CONDITIONS}',
    )
    put_in(
        copy / "__main__.py",
        '    generated = "generated"\n',
        '    generated = "generated"\n    outlined = "outlined"\n',
    )
    photo, out = tmp_path / "photo.png", tmp_path / "out"
    Image.fromarray(psoriasis.image).save(photo)
    (_, *words) = commands("add-a-condition.md")[-1]
    words = [{"PHOTO": str(photo), "DIR": str(out)}.get(word, word) for word in words]
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    written = {file.name for file in out.iterdir()}
    assert {"photo.png", "text.md", "manifest.json", "mask_overlay.png"} <= written
    assert not [name for name in written if name.startswith(("image_", "case_"))]


def test_the_places_it_names_are_there() -> None:
    for path, name in re.findall(r"`(\w+)`(?: and `\w+`)? in `([\w/]+\.py)`", TEXT):
        assert path in (ROOT / name).read_text(), f"{name} has no {path}"
