"""The pipeline's command line: what it writes, what it says, and the exit codes scripts rely on."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from pipeline import __main__ as command_line
from pipeline.jobqueue import Explainers
from pipeline.profile import Profile, load_profile
from pipeline.types import CONDITIONS, DIAGNOSIS_PROMPT, ImageStore
from tests.scripted import WORDS, Scripted

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("explain", "serve", "check", "train", "evaluate", "cases")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command_line.app, [str(argument) for argument in arguments])


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "my photo.jpg"
    Image.new("RGB", (120, 90), (220, 180, 150)).save(path, "JPEG")
    return path


@pytest.fixture(autouse=True)
def scripted_models(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(profile: Profile, images: ImageStore, threads: int | None = None) -> Explainers:
        return dict.fromkeys(CONDITIONS, Scripted(images))

    monkeypatch.setattr(command_line, "load_explainers", load)


# Explain -------------------------------------------------------------------------------------------


def test_explain_writes_answer_pictures_and_manifest(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    result = run("explain", photo, "--out", out, "--seed", "3")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == [
        "image_1_acne.png",
        "image_2_vitiligo.png",
        "manifest.json",
        "mask.png",
        "mask_overlay.png",
        "photo.png",
        "text.md",
    ]
    assert (out / "text.md").read_text() == "".join(WORDS).strip() + "\n"
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["condition"], manifest["seed"], manifest["question"]) == (
        "generated",
        3,
        DIAGNOSIS_PROMPT,
    )
    assert manifest["photo"] == hashlib.sha256((out / "photo.png").read_bytes()).hexdigest()
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(out.glob("image_*.png"))]
    assert manifest["images"] == hashes
    for path in out.glob("*.png"):
        Image.open(path).load()
    assert "This looks most like psoriasis" in result.stdout
    assert "not for diagnosis" in result.stderr


def test_explain_with_cases(photo: Path, tmp_path: Path) -> None:
    result = run("explain", photo, "--condition", "cases", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["case_1_psoriasis.png", "manifest.json", "photo.png", "text.md"]


def test_an_abstention_is_an_answer(photo: Path, tmp_path: Path) -> None:
    result = run("explain", photo, "--out", tmp_path / "out", "--question", "cannot tell")
    assert result.exit_code == 0
    assert "I cannot tell from this photo." in result.stdout
    assert "abstained" in result.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "manifest.json",
        "photo.png",
        "text.md",
    ]


def test_a_bad_photo_is_2_and_changes_nothing(tmp_path: Path) -> None:
    wrong = tmp_path / "text.jpg"
    wrong.write_text("not a photo")
    for path, said in ((wrong, "cannot be opened as a photo"), (tmp_path / "none.jpg", "does not exist")):
        result = run("explain", path, "--out", tmp_path / "out")
        assert result.exit_code == 2
        assert said in " ".join(result.stderr.replace("│", " ").split())  # Typer wraps in a box, where it happens to
        assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


def test_bad_arguments_are_2(photo: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out")
    for wrong in (
        ("--condition", "guessed"),
        ("--seed", "-1"),
        ("--known-label", "boredom"),
        ("--threads", "0"),
    ):
        result = run("explain", photo, *out, *wrong)
        assert result.exit_code == 2, wrong
    assert run("explain", photo).exit_code == 2
    assert not (tmp_path / "out").exists()


def test_an_unknown_profile_is_1_and_names_the_known_ones(photo: Path, tmp_path: Path) -> None:
    result = run("explain", photo, "--out", tmp_path / "out", "--profile", "nothing")
    assert result.exit_code == 1
    assert "phantom" in result.stderr


def test_an_answer_without_its_end_is_not_written(photo: Path, tmp_path: Path) -> None:
    result = run("explain", photo, "--out", tmp_path / "out", "--question", "stop early")
    assert result.exit_code == 1
    assert "nothing was written" in result.stderr
    assert not (tmp_path / "out").exists()


# Check ---------------------------------------------------------------------------------------------


@pytest.fixture
def profile_file(tmp_path: Path) -> Path:
    """A profile with one role whose weights are two small files."""
    weights = tmp_path / "pack" / "weights"
    weights.mkdir(parents=True)
    (weights / "a.safetensors").write_bytes(b"a")
    (weights / "b.safetensors").write_bytes(b"b")
    (tmp_path / "pack" / "labels.yaml").write_text("{}")
    file = tmp_path / "small.yaml"
    file.write_text(
        "name: small\ndemonstration: true\nroot: pack\nlabels: labels.yaml\nroles: {diagnose: weights}\nsettings: {}\n"
    )
    return file


def test_check_finds_missing_changed_and_unlisted_weights(profile_file: Path) -> None:
    pack = load_profile(profile_file).root
    assert "SHA256SUMS is missing" in " ".join(run("check", "--profile", profile_file).stderr.split())
    assert run("check", "--profile", profile_file, "--write").exit_code == 0
    good = run("check", "--profile", profile_file)
    assert good.exit_code == 0
    assert "small: good" in good.stdout
    sums = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=pack, capture_output=True, check=False)
    assert sums.returncode == 0

    (pack / "weights" / "a.safetensors").write_bytes(b"changed")
    (pack / "weights" / "b.safetensors").unlink()
    (pack / "weights" / "c.safetensors").write_bytes(b"c")
    bad = run("check", "--profile", profile_file)
    assert bad.exit_code == 1
    said = " ".join(bad.stderr.split())
    assert "a.safetensors is not the file" in said
    assert "b.safetensors is missing" in said
    assert "c.safetensors is not listed" in said


def test_check_names_the_role_without_weights(profile_file: Path) -> None:
    (profile_file.parent / "pack" / "weights").rename(profile_file.parent / "elsewhere")
    result = run("check", "--profile", profile_file)
    assert result.exit_code == 1
    assert "'diagnose'" in result.stderr


# The rest ------------------------------------------------------------------------------------------


def test_serve_beyond_loopback_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SKINGEN_PIPELINE_TOKEN", raising=False)
    result = run("serve", "--host", "0.0.0.0")
    assert result.exit_code == 1
    assert "SKINGEN_PIPELINE_TOKEN" in result.stderr


def test_every_command_explains_itself() -> None:
    overview = run("--help")
    assert overview.exit_code == 0
    for name in COMMANDS:
        assert name in overview.stdout
    for name in ("explain", "serve", "check"):
        help_text = run(name, "--help")
        assert help_text.exit_code == 0
        assert "--profile" in help_text.stdout


def test_training_and_its_help_are_handed_on(capsys: pytest.CaptureFixture[str]) -> None:
    result = run("train", "--help")
    assert result.exit_code == 0
    assert "pack" in result.stdout + capsys.readouterr().out


@pytest.mark.parametrize(
    "module", ["pipeline.__main__", "pipeline.serving", "pipeline.client", "pipeline.photo", "study_app.jobs"]
)
def test_what_the_app_and_help_import_is_light(module: str) -> None:
    """Torch takes seconds and half a gigabyte; the app's process must never import it."""
    heavy = "torch", "diffusers", "transformers"
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
