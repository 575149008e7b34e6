"""An evaluation that was broken off goes on, and never with figures of other models."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from pipeline.evaluation import kept, running
from pipeline.evaluation.figures import Figure, share
from pipeline.evaluation.pack import MEASURES, Evaluation
from pipeline.evaluation.running import Measured, Plan
from pipeline.profile import Profile, load_profile
from pipeline.skingen import SkinGEN

ROLES = sorted({role for roles in kept.ASKED.values() for role in roles})
FIELDS = {
    "diagnose": "skingpt",
    "caption": "captioner",
    "detect": "segmenter",
    "segment": "segmenter",
    "clip": "clip",
    "cases": "library",
    "generate": "generator",
    "adapters": "adapters",
}
"""role -> where `SkinGEN` has its model"""


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """A pack of files that are no weights, beside which what is measured is kept."""
    pack = tmp_path / "pack"
    for folder in (*ROLES, *kept.JUDGES["drawing"]):
        (pack / folder).mkdir(parents=True)
        (pack / folder / "model.safetensors").write_text(folder)
    shutil.copy(load_profile("phantom").root / "labels.yaml", pack)
    file = tmp_path / "profile.yaml"
    told = {"name": "own", "demonstration": True, "root": "pack", "labels": "labels.yaml", "settings": {}}
    file.write_text(yaml.safe_dump({**told, "roles": {role: role for role in ROLES}}))
    monkeypatch.setattr(kept, "WORK", tmp_path / "kept")
    return load_profile(str(file))


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parts that were measured, in this process; ``drawing`` breaks off while ``broken`` is in the list."""
    began: list[str] = []

    def figures(part: str) -> Measured:
        if part == "drawing" and "broken" in began:
            raise OSError("killed")
        began.append(part)
        return Measured(part, (replace(share(part, [True, False, True]), at_least=50.0),), 1.0)

    class AtOnce:
        """A pool that works in this process."""

        def __init__(self, *_: Any) -> None: ...
        def __enter__(self) -> AtOnce:
            return self

        def __exit__(self, *_: Any) -> None: ...
        def shutdown(self, **_: Any) -> None: ...
        def submit(self, work: Any, part: str, plan: Any) -> Any:
            return SimpleNamespace(result=lambda: figures(part))

    monkeypatch.setattr(running, "ProcessPoolExecutor", AtOnce)
    monkeypatch.setattr(running, "as_completed", lambda futures: futures[::-1])
    return began


def key(part: str, profile: Profile, photos: Path | None = None) -> str:
    return kept.key(part, profile, photos, (600,))


def test_figures_come_in_the_card_s_order(profile: Profile, measure: list[str]) -> None:
    figures = running.run(Plan(str(profile.file)), ["seeing", "masking"], 2, lambda _: None)
    assert [f.what for f in figures] == ["seeing", "masking"]
    assert measure == ["seeing", "masking"]


def test_what_was_measured_before_a_kill_is_not_measured_again(profile: Profile, measure: list[str]) -> None:
    plan, reported = Plan(str(profile.file)), []
    measure.append("broken")
    with pytest.raises(OSError, match="killed"):
        running.run(plan, ["seeing", "drawing"], 2, lambda _: None)
    measure.remove("broken")
    figures = running.run(plan, ["seeing", "drawing"], 2, reported.append)
    assert measure == ["seeing", "drawing"]
    assert figures == [replace(share(part, [True, False, True]), at_least=50.0) for part in ("seeing", "drawing")]
    assert [(m.part, m.seconds) for m in reported] == [("seeing", None), ("drawing", 1.0)]


def test_measuring_again_measures_everything(profile: Profile, measure: list[str]) -> None:
    for afresh in (False, True):
        running.run(Plan(str(profile.file)), ["seeing", "masking"], 2, lambda _: None, afresh=afresh)
    assert measure == ["seeing", "masking"] * 2


def test_half_a_file_is_measured_again(profile: Profile, measure: list[str]) -> None:
    running.run(Plan(str(profile.file)), ["seeing"], 1, lambda _: None)
    (file,) = kept.WORK.iterdir()
    file.write_text(file.read_text()[:40])
    running.run(Plan(str(profile.file)), ["seeing"], 1, lambda _: None)
    assert measure == ["seeing", "seeing"]


@pytest.mark.parametrize("role", ROLES)
def test_other_weights_are_measured_anew_by_the_parts_that_ask_them(profile: Profile, role: str) -> None:
    before = {part: key(part, profile) for part in kept.ASKED}
    (profile.root / role / "model.safetensors").write_text("trained again")
    assert {part for part in before if key(part, profile) != before[part]} == {
        part for part, roles in kept.ASKED.items() if role in roles
    }


def _settings(profile: Profile) -> Profile:
    return replace(profile, settings={"guidance": 2.0})


def _knowledge(profile: Profile) -> Profile:
    first, *others = profile.knowledge
    return replace(profile, knowledge=(replace(first, concepts=("another",)), *others))


@pytest.mark.parametrize("change", [_settings, _knowledge])
def test_a_changed_profile_is_measured_anew(profile: Profile, change: Callable[[Profile], Profile]) -> None:
    assert all(key(part, profile) != key(part, change(profile)) for part in kept.ASKED)


def test_changed_code_is_measured_anew(profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = tmp_path / "code"
    code.mkdir()
    monkeypatch.setattr(kept, "CODE", code)
    before = key("seeing", profile)
    (code / "seeing.py").write_text("n = 1")
    assert key("seeing", profile) != before


def test_other_photographs_are_abstained_on_anew(profile: Profile, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_text("one")
    before = {part: key(part, profile, photos) for part in kept.ASKED}
    (photos / "a.jpg").write_text("another")
    assert [part for part in before if key(part, profile, photos) != before[part]] == ["abstaining"]


@pytest.mark.parametrize("part", sorted(set(kept.ASKED) - {"drawing"}))
def test_a_part_asks_no_model_that_its_key_leaves_out(part: str, skingen: SkinGEN) -> None:
    asked = {FIELDS[role] for role in kept.ASKED[part]}
    others = {field: None for field in FIELDS.values() if field not in asked}
    evaluation = Evaluation(replace(skingen, **others), Plan(n=2))  # type: ignore[arg-type]
    assert all(isinstance(figure, Figure) for figure in MEASURES[part](evaluation))
