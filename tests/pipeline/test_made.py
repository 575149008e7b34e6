"""What is out of date: a part whose recipe changed, and all that follows from it; nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from pipeline.training import made
from pipeline.training.cli import PARTS
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


def keep(pack: Path, shortened: made.Shortened | None = None) -> None:
    for name in CHAIN:
        made.record(pack, name, CHAIN, shortened or {}, {"torch": "2"})


def stale(pack: Path, shortened: made.Shortened | None = None) -> set[str]:
    return set(CHAIN) - made.up_to_date(pack, CHAIN, shortened or {})


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

    def done() -> set[str]:
        return made.up_to_date(home, chain, {})

    made.record(home, "ear", chain, {}, {})
    made.record(home, "rough", chain, {}, {})
    assert done() == {"ear", "rough"}
    made.record(home, "smooth", chain, {}, {})
    assert done() == set(chain)
    (home / "recipes" / "ear.yaml").write_text("seed: 2\n")
    assert done() == set()
    made.record(home, "ear", chain, {}, {})
    assert done() == {"ear"}
    made.record(home, "rough", chain, {}, {})
    assert done() == {"ear", "rough"}


def test_a_shortened_training_is_never_taken_for_a_whole_one(home: Path) -> None:
    keep(home, {"steps": 2, "phantoms": None})
    assert stale(home) == set(CHAIN)
    assert stale(home, {"steps": 2, "phantoms": None}) == set()


def test_checkpoints_of_other_inputs_are_not_gone_on_from_but_those_of_a_shorter_recipe_are(home: Path) -> None:
    def places() -> dict[str, Path]:
        return {name: made.workplace(home, name, CHAIN, {"steps": None, "phantoms": None}) for name in CHAIN}

    before = places()
    (home / "recipes" / "mouth.yaml").write_text("seed: 1\nsteps: 20\n")
    after = places()
    assert {name for name in CHAIN if before[name] != after[name]} == {"hand"}
    assert made.workplace(home, "ear", CHAIN, {"phantoms": 340}) != before["ear"]


def test_every_part_has_a_recipe_or_none_to_have_and_reads_what_is_there() -> None:
    assert {name for name in PARTS if not (made.RECIPES / f"{name}.yaml").exists()} == {"cases"}
    for name, part in PARTS.items():
        assert all(list(made.HOME.glob(pattern)) for pattern in part.reads), name
    for recipe in made.RECIPES.glob("*.yaml"):
        assert recipe.stem in PARTS
        assert isinstance(yaml.safe_load(recipe.read_text()), dict)
