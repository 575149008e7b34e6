"""What is out of date: a part whose recipe changed, and all that follows from it; nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.training import cli, made
from pipeline.training.cli import PARTS
from pipeline.training.made import Made, NothingToBeginWith
from pipeline.training.session import SHIPPED, Session
from pipeline.training.together import Part

CHAIN = {
    "eye": Part("first"),
    "mouth": Part("second", ("eye",), ("words/*",)),
    "hand": Part("third", ("mouth",)),
    "ear": Part("alone"),
}

REPLACING = {
    "ear": Part("beside"),
    "rough": Part("first"),
    "smooth": Part("then", ("rough", "ear"), replaces="rough"),
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


def record(made: Made, name: str) -> None:
    """As at the end of a training of today's recipe."""
    made.record(name, made.key(name), {"torch": "2"})


def keep(pack: Path, **shortened: int | None) -> None:
    for name in CHAIN:
        record(Made(pack, CHAIN, shortened), name)


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
    chain = REPLACING
    pack = Made(home, chain)
    record(pack, "ear")
    record(pack, "rough")
    assert pack.up_to_date() == {"ear", "rough"}
    record(pack, "smooth")
    assert pack.up_to_date() == set(chain)
    (home / "recipes" / "ear.yaml").write_text("seed: 2\n")
    assert pack.up_to_date() == set()
    record(pack, "ear")
    assert pack.up_to_date() == {"ear"}
    record(pack, "rough")
    assert pack.up_to_date() == {"ear", "rough"}


def test_a_part_trained_on_what_is_out_of_date_is_out_of_date_itself(home: Path) -> None:
    keep(home)
    (home / "recipes" / "eye.yaml").write_text("seed: 2\n")
    record(Made(home, CHAIN), "mouth")  # alone, on the eye that is there
    assert stale(home) == {"eye", "mouth", "hand"}


def test_a_shortened_training_is_never_taken_for_a_whole_one(home: Path) -> None:
    keep(home, steps=2, phantoms=None)
    assert stale(home) == set(CHAIN)
    assert stale(home, steps=2, phantoms=None) == set()


def test_a_part_whose_beginning_was_trained_again_is_out_of_date_with_all_that_follows(home: Path) -> None:
    chain = {**REPLACING, "hand": Part("last", ("smooth",))}
    pack = Made(home, chain)
    for name in chain:
        record(pack, name)
    assert pack.up_to_date() == set(chain)
    record(pack, "rough")
    assert pack.up_to_date() == {"rough", "ear"}


def test_what_was_replaced_is_not_gone_on_from(home: Path) -> None:
    pack = Made(home, REPLACING)
    for name in REPLACING:
        pack.check_beginning(name)
        record(pack, name)
    with pytest.raises(NothingToBeginWith, match="train rough first"):
        pack.check_beginning("smooth")
    record(pack, "rough")
    pack.check_beginning("smooth")


def test_what_changed_while_a_part_was_trained_makes_it_out_of_date(home: Path) -> None:
    pack = Made(home, CHAIN)
    key = pack.key("eye")
    (home / "recipes" / "eye.yaml").write_text("seed: 2\n")
    pack.record("eye", key, {})
    assert "eye" not in pack.up_to_date()


class Trained:
    """In the place of a part's module: notes what it was given."""

    def __init__(self) -> None:
        self.given: list[Session] = []

    def run(self, session: Session) -> None:
        self.given.append(session)


def test_checkpoints_of_other_inputs_are_not_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of another recipe, nor of fewer steps or phantoms, nor of another pack."""
    part, here = Trained(), tmp_path / "recipes"
    monkeypatch.setattr(cli.importlib, "import_module", lambda name: part)
    monkeypatch.setattr(cli, "keep_freed_memory", lambda: None)
    shutil.copytree(made.RECIPES, here)
    monkeypatch.setattr(made, "RECIPES", here)
    cli.train_part("judge", into=tmp_path / "pack")
    cli.train_part("judge", into=tmp_path / "pack")
    cli.train_part("judge", into=tmp_path / "pack", steps=5)
    cli.train_part("judge", into=tmp_path / "pack", phantoms=340)
    cli.train_part("judge", into=tmp_path / "other")
    (here / "judge.yaml").write_text((here / "judge.yaml").read_text() + "\nlr: 1\n")
    cli.train_part("judge", into=tmp_path / "pack")
    first, same, *others = [session.work for session in part.given]
    assert first == same
    assert len({first, *others}) == 5
    assert (tmp_path / "pack" / "labels.yaml").read_bytes() == (SHIPPED / "labels.yaml").read_bytes()


def test_a_part_alone_is_not_trained_on_itself(tmp_path: Path) -> None:
    pack = Made(tmp_path, PARTS, {"steps": None, "phantoms": None})
    record(pack, "vae")
    record(pack, "vae_whole")
    refused = CliRunner().invoke(cli.app, ["vae-whole", "--into", str(tmp_path)])
    assert refused.exit_code == 1
    assert "train vae first" in refused.output


@pytest.mark.parametrize("afresh", [False, True])
def test_from_the_seeds_means_from_nothing(afresh: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what is up to date, nor a checkpoint, nor a handover."""
    pack = tmp_path / "pack"
    monkeypatch.setattr(cli, "WORK", tmp_path / "work")
    for part in PARTS:
        record(Made(pack, PARTS, {"steps": None, "phantoms": None}), part)
    begun = [cli._workplaces(pack) / "unet-0" / "checkpoint.pt", pack / "relay" / "unet-1100.safetensors"]
    others = cli._workplaces(tmp_path / "elsewhere" / "pack") / "unet-0" / "checkpoint.pt"
    for file in (*begun, others):
        file.parent.mkdir(parents=True)
        file.touch()
    given: list[set[str]] = []
    monkeypatch.setattr(cli, "run_together", lambda *_, done: given.append(done))
    options = ["pack", "--into", str(pack), "--log", str(tmp_path / "log.txt"), *(["--afresh"] if afresh else [])]
    assert CliRunner().invoke(cli.app, options).exit_code == 0
    assert given == [set() if afresh else set(PARTS)]
    assert [file.exists() for file in begun] == [not afresh] * 2
    assert others.exists(), "another pack's training is not touched"
    if afresh:  # broken off, the command goes on without the option
        assert not Made(pack, PARTS).up_to_date()


def test_every_part_has_a_recipe_or_none_to_have_and_reads_what_is_there() -> None:
    assert {name for name in PARTS if not (made.RECIPES / f"{name}.yaml").exists()} == {"cases"}
    for name, part in PARTS.items():
        assert all(list(made.HOME.glob(pattern)) for pattern in part.reads), name
    for recipe in made.RECIPES.glob("*.yaml"):
        assert recipe.stem in PARTS
        assert isinstance(yaml.safe_load(recipe.read_text()), dict)
