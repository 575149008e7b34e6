"""`make pack`, shortened: from nothing but the repository to a folder that the pipeline loads and answers from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from safetensors import safe_open

from pipeline.phantom import draw
from pipeline.training.cli import PARTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of two steps a part, and beside it a profile of that pack."""
    here = tmp_path_factory.mktemp("short")
    command = [sys.executable, "-m", "pipeline", "train", "pack", "--steps", "2", "--phantoms", "340", "--jobs", "2"]
    done = subprocess.run(
        [*command, "--into", str(here / "pack"), "--log", str(here / "log.txt")],
        cwd=here, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    profile = yaml.safe_load((ROOT / "pipeline" / "profiles" / "phantom.yaml").read_text())
    (here / "short.yaml").write_text(yaml.safe_dump(profile | {"root": "pack"}))
    return here


pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def test_every_part_was_trained_and_said_so(made: Path) -> None:
    log = (made / "log.txt").read_text()
    assert all(f"{part}: done in" in log for part in PARTS)
    shipped, own = ROOT / "pipeline" / "packs" / "phantom", made / "pack"
    weights = sorted(p.relative_to(shipped) for p in shipped.rglob("*.safetensors"))
    assert weights == sorted(p.relative_to(own) for p in own.rglob("*.safetensors"))
    for path in weights:  # the same tensors as the shipped ones: same classes, same settings
        with safe_open(shipped / path, "pt") as a, safe_open(own / path, "pt") as b:
            assert sorted(a.keys()) == sorted(b.keys()), path


def test_what_is_up_to_date_is_not_trained_again(made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (made / "pack").rglob("*.safetensors")}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "train", "pack", "--steps", "2", "--phantoms", "340", "--into", "pack"],
        cwd=made, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all(f"{part}: up to date" in done.stdout for part in PARTS)
    assert before == {path: path.stat().st_mtime_ns for path in (made / "pack").rglob("*.safetensors")}


def test_a_part_trained_twice_is_the_same_to_the_bit(made: Path) -> None:
    again = made / "again"
    for checkpoints in (made / ".cache" / "training").glob("judge-*"):
        shutil.rmtree(checkpoints)
    subprocess.run(
        [sys.executable, "-m", "pipeline", "train", "judge", "--steps", "2", "--phantoms", "340", "--into", str(again)],
        cwd=made, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, check=True, capture_output=True,
    )  # fmt: skip
    file = Path("judge/model.safetensors")
    assert (again / file).read_bytes() == (made / "pack" / file).read_bytes()


def test_the_pipeline_answers_from_it(made: Path) -> None:
    Image.fromarray(draw(5, 256).image).save(made / "photo.png")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "explain", "photo.png", "--condition", "generated", "--out", "out",
         "--profile", "short.yaml"],
        cwd=made, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (made / "out" / "manifest.json").exists()
    assert np.asarray(Image.open(made / "photo.png")).shape == (256, 256, 3)
