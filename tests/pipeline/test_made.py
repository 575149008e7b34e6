"""What is out of date: a part whose recipe changed, and all that follows from it; nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.training import cli, made
from pipeline.training.cli import PARTS
from pipeline.training.made import Made
from pipeline.training.together import Part

CHAIN = {
    "eye": Part("first"),
    "mouth": Part("second", ("eye",), ("words/*",)),
    "hand": Part("third", ("mouth",)),
    "ear": Part("alone"),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A house of four trainings, each with a recipe."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "one.txt").write_text("why?")
    for name in CHAIN:
        (tmp_path / "recipes" / f"{name}.yaml").write_text("seed: 1\nsteps: 10\n")
    monkeypatch.setattr(made, "HOME", tmp_path)
    monkeypatch.setattr(made, "RECIPES", tmp_path / "recipes")
    return tmp_path


def keep(pack: Path, **shortened: int | None) -> None:
    for name in CHAIN:
        Made(pack, CHAIN, shortened).record(name, {"torch": "2"})


def stale(pack: Path, **shortened: int | None) -> set[str]:
    return set(CHAIN) - Made(pack, CHAIN, shortened).up_to_date()


def test_a_pack_without_records_is_to_be_trained_and_one_with_them_is_not(home: Path) -> None:
    assert stale(home) == set(CHAIN)
    keep(home)
    assert stale(home) == set()
    assert json.loads((home / "made" / "ear.json").read_text())["torch"] == "2"


def test_a_changed_recipe_makes_what_follows_from_it_out_of_date(home: Path) -> None:
    keep(home)
    (home / "recipes" / "mouth.yaml").write_text("seed: 1\nsteps: 11\n")
    assert stale(home) == {"mouth", "hand"}


def test_a_remark_in_a_recipe_changes_nothing(home: Path) -> None:
    keep(home)
    (home / "recipes" / "eye.yaml").write_text("steps: 10  # enough\nseed: 1\n")
    assert stale(home) == set()


def test_what_a_part_learns_from_belongs_to_it(home: Path) -> None:
    keep(home)
    (home / "words" / "two.txt").write_text("what else?")
    assert stale(home) == {"mouth", "hand"}


def test_what_was_replaced_is_made_again_with_what_replaced_it(home: Path) -> None:
    chain = {"rough": Part("first"), "smooth": Part("then", ("rough", "ear"), replaces="rough"), "ear": Part("beside")}

    pack = Made(home, chain)
    pack.record("ear", {})
    pack.record("rough", {})
    assert pack.up_to_date() == {"ear", "rough"}
    pack.record("smooth", {})
    assert pack.up_to_date() == set(chain)
    (home / "recipes" / "ear.yaml").write_text("seed: 2\n")
    assert pack.up_to_date() == set()
    pack.record("ear", {})
    assert pack.up_to_date() == {"ear"}
    pack.record("rough", {})
    assert pack.up_to_date() == {"ear", "rough"}


def test_a_part_trained_on_what_is_out_of_date_is_out_of_date_itself(home: Path) -> None:
    keep(home)
    (home / "recipes" / "eye.yaml").write_text("seed: 2\n")
    Made(home, CHAIN).record("mouth", {})  # alone, on the eye that is there
    assert stale(home) == {"eye", "mouth", "hand"}


def test_a_shortened_training_is_never_taken_for_a_whole_one(home: Path) -> None:
    keep(home, steps=2, phantoms=None)
    assert stale(home) == set(CHAIN)
    assert stale(home, steps=2, phantoms=None) == set()


def test_checkpoints_of_other_inputs_are_not_gone_on_from_but_those_of_a_shorter_recipe_are(home: Path) -> None:
    def places() -> dict[str, Path]:
        return {name: Made(home, CHAIN, {"steps": None, "phantoms": None}).workplace(home, name) for name in CHAIN}

    keep(home)
    before = places()
    (home / "recipes" / "mouth.yaml").write_text("seed: 1\nsteps: 20\n")
    keep(home)
    after = places()
    assert {name for name in CHAIN if before[name] != after[name]} == {"hand"}
    assert Made(home, CHAIN, {"phantoms": 340}).workplace(home, "ear") != before["ear"]


@pytest.mark.parametrize("afresh", [False, True])
def test_from_the_seeds_means_from_nothing(afresh: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what is up to date, nor a checkpoint, nor a handover."""
    pack, work = tmp_path / "pack", tmp_path / "work"
    for part in PARTS:
        Made(pack, PARTS, {"steps": None, "phantoms": None}).record(part, {})
    begun = [work / "unet-0" / "checkpoint.pt", pack / "relay" / "unet-1100.safetensors"]
    for file in begun:
        file.parent.mkdir(parents=True)
        file.touch()
    given: list[set[str]] = []
    monkeypatch.setattr(cli, "WORK", work)
    monkeypatch.setattr(cli, "run_together", lambda *_, done: given.append(done))
    options = ["pack", "--into", str(pack), "--log", str(tmp_path / "log.txt"), *(["--afresh"] if afresh else [])]
    assert CliRunner().invoke(cli.app, options).exit_code == 0
    assert given == [set() if afresh else set(PARTS)]
    assert [file.exists() for file in begun] == [not afresh] * 2


def test_every_part_has_a_recipe_or_none_to_have_and_reads_what_is_there() -> None:
    assert {name for name in PARTS if not (made.RECIPES / f"{name}.yaml").exists()} == {"cases"}
    for name, part in PARTS.items():
        assert all(list(made.HOME.glob(pattern)) for pattern in part.reads), name
    for recipe in made.RECIPES.glob("*.yaml"):
        assert recipe.stem in PARTS
        assert isinstance(yaml.safe_load(recipe.read_text()), dict)
