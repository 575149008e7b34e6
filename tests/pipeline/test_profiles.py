"""Profiles: both forms of a role, `check` per role, `download` from a hub on loopback, pinning."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner, Result

from pipeline import __main__ as command_line
from pipeline import download
from pipeline import weights as weight_hashes
from pipeline.download import DownloadError, fetch
from pipeline.lock import PinnedFile, pin, read_lock, write_lock
from pipeline.memory import Need, need_of, parameters_of, plan
from pipeline.profile import PROFILES, ProfileError, load_profile
from pipeline.provenance import role_models
from pipeline.roles import Remote, Role, RoleError, read_role
from pipeline.weights import fingerprint, sha256_of
from tests.pipeline.fake_hub import COMMIT, Hub, serving

ROOT = Path(__file__).resolve().parents[2]
NEEDED = {"diagnose", "caption", "detect", "segment", "clip", "generate", "adapters", "cases"}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command_line.app, [str(argument) for argument in arguments])


def flat(text: str) -> str:
    return " ".join(text.split())


# The shipped profiles ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.stem for path in PROFILES.glob("*.yaml")))
def test_every_shipped_profile_fills_every_needed_role(name: str) -> None:
    profile = load_profile(name)
    assert set(profile.roles) >= NEEDED
    assert profile.name == name
    assert len(profile.labels) == 16
    for role in profile.roles:
        spec = profile.spec(role)
        if not spec.embedded and spec.remote is None:
            assert spec.licence, f"{role}: a licence"
            assert spec.hub or spec.source, f"{role}: where to get it"
    assert set(profile.settings) >= set(load_profile("phantom").settings), "what the embedded one sets, all set"


def test_the_embedded_profile_keeps_its_short_form() -> None:
    profile = load_profile("phantom")
    assert profile.roles["diagnose"] == "skingpt"
    assert profile.spec("diagnose") == Role("diagnose", path="skingpt", embedded=True)
    assert profile.folder("diagnose").is_dir()


def test_remote_names_a_server_and_no_folder() -> None:
    profile = load_profile("remote")
    assert profile.spec("diagnose").remote == Remote(
        "http://127.0.0.1:8000/v1", "Qwen/Qwen2.5-VL-7B-Instruct", "", 10, 60, 2
    )


# Reading a role ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (3, "role 'x': write a folder"),
        ({"licence": "MIT"}, "role 'x': needs `path`, `hub` or `remote`"),
        ({"path": "a", "pth": "b"}, "role 'x': pth: no such key; there are path, hub,"),
        ({"path": "a", "dtype": "fp16"}, "dtype is 'fp16'; it can be auto, float32"),
        ({"path": "a", "quantisation": "3bit"}, "quantisation is '3bit'; it can be none, 8bit, 4bit"),
        ({"path": "a", "form": "gguf"}, "form is 'gguf'; it can be auto, embedded"),
        ({"path": "a", "parameters": "many"}, "parameters is 'many', not a number"),
        ({"remote": {"url": "http://h/v1"}}, "`remote` lacks model"),
        ({"remote": {"url": "h:80", "model": "m"}}, "begins with http:// or https://"),
        ({"remote": {"url": "http://h", "model": "m", "key": "secret"}}, "key: no such key"),
    ],
)
def test_a_wrong_role_is_named(said: object, message: str) -> None:
    with pytest.raises(RoleError) as raised:
        read_role("x", said)
    assert message in str(raised.value)


def test_a_wrong_role_is_told_with_its_file(tmp_path: Path) -> None:
    file = write_profile(tmp_path, {"diagnose": {"path": "a", "dtype": "half"}})
    with pytest.raises(ProfileError, match=r"own\.yaml: role 'diagnose': dtype"):
        load_profile(file)


KEYS = ("partition", "description", "cause", "advice", "danger")


def closed_set(folder: Path, concepts: object) -> Path:
    """A profile of a closed set of its own, in which prurigo has ``concepts``."""
    file = write_profile(folder, {})
    row = {**dict.fromkeys(KEYS, "-"), "look_alikes": {}, "concepts": concepts}
    (folder / "labels.yaml").write_text(json.dumps({"prurigo": row}))
    return file


@pytest.mark.parametrize(
    ("concepts", "message"),
    [
        (["Papule", "Lichenified"], r"'prurigo': concept 'Lichenified' is not one of SKINCON's: .*Lichenification"),
        ("Papule", r"'prurigo': concepts is 'Papule'; a list"),
        (None, r"'prurigo': concepts is None; a list"),
    ],
)
def test_a_concept_without_words_is_told_with_its_label(tmp_path: Path, concepts: object, message: str) -> None:
    file = closed_set(tmp_path, concepts)
    with pytest.raises(ProfileError, match=rf"labels\.yaml: {message}"):
        load_profile(file)
    result = run("check", file)
    assert result.exit_code == 1
    assert "'prurigo'" in flat(result.stderr)


@pytest.mark.parametrize("concepts", [[], ["Vesicle", "Lichenification"]])
def test_a_closed_set_may_have_any_of_skincons_concepts_or_none(tmp_path: Path, concepts: list[str]) -> None:
    (known,) = load_profile(closed_set(tmp_path, concepts)).knowledge
    assert known.concepts == tuple(concepts)


# Check ------------------------------------------------------------------------------------------------


def write_profile(folder: Path, roles: dict[str, object]) -> Path:
    (folder / "models").mkdir(exist_ok=True)
    (folder / "labels.yaml").write_text("{}")
    said = {"name": "own", "demonstration": False, "root": "models", "labels": "../labels.yaml"}
    file = folder / "own.yaml"
    file.write_text(json.dumps({**said, "roles": roles, "settings": {}}))  # JSON is YAML
    return file


def write_model(folder: Path, values: int = 1000) -> Path:
    folder.mkdir(parents=True)
    save_file({"weight": torch.zeros(values, dtype=torch.float16)}, folder / "model.safetensors")
    (folder / "config.json").write_text('{"architectures": ["Tiny"]}')
    return folder


def test_check_says_where_to_get_what_is_missing(tmp_path: Path) -> None:
    roles = {
        "diagnose": {"hub": "some/model", "licence": "MIT", "parameters": 7e9},
        "adapters": {"path": "adapters", "source": "train them", "licence": "yours"},
        "previews": {"hub": "some/taesd", "optional": True},
    }
    result = run("check", write_profile(tmp_path, roles), "--memory", "24")
    assert result.exit_code == 1
    said, wrong = flat(result.stdout), flat(result.stderr)
    assert "some--model: missing licence: MIT" in said
    assert "14.00 GB" in said
    assert "(published size)" in said
    assert "fetches some/model" in wrong
    assert "train them" in wrong
    assert "taesd" not in wrong, "an optional role is no problem"
    assert "some--taesd: missing, and not needed" in said


def test_check_pins_and_finds_what_changed(tmp_path: Path) -> None:
    file = write_profile(tmp_path, {"diagnose": {"path": "a"}, "cases": {"path": "list.csv"}})
    folder = write_model(tmp_path / "models" / "a")
    (tmp_path / "models" / "list.csv").write_text("case")
    first = run("check", file)
    assert first.exit_code == 0, first.output
    assert "hash not pinned" in first.stdout
    assert run("check", file, "--write").exit_code == 0
    assert "hash right" in run("check", file).stdout
    (folder / "config.json").write_text("{}")
    (tmp_path / "models" / "list.csv").unlink()
    changed = run("check", file)
    assert changed.exit_code == 1
    assert "config.json is not the file that was pinned" in flat(changed.stderr)
    assert "list.csv, which is not there" in flat(changed.stderr)
    assert run("check", file, "--no-hashes").exit_code == 1, "a missing role is seen without hashes, too"


def test_a_hash_in_the_profile_is_compared(tmp_path: Path) -> None:
    data = b"weights"
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.pth").write_bytes(data)
    for sha256, code in ((hashlib.sha256(data).hexdigest(), 0), ("0" * 64, 1)):
        result = run("check", write_profile(tmp_path, {"segment": {"path": "a.pth", "sha256": sha256}}))
        assert result.exit_code == code
    assert "the profile wants 0000" in flat(result.stderr)


def test_a_damaged_lock_file_is_named(tmp_path: Path) -> None:
    file = write_profile(tmp_path, {"diagnose": {"path": "a"}})
    write_model(tmp_path / "models" / "a")
    (tmp_path / "own.lock.json").write_text('{"diagnose": {"hub": ""}}')
    result = run("check", file)
    assert result.exit_code == 1
    assert "own.lock.json is damaged" in flat(result.stderr)


@pytest.fixture
def served_models() -> Iterator[str]:
    """The address of a server that has the models "m" and "n"."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            right = self.path == "/v1/models" and self.headers.get("Authorization", "Bearer k") == "Bearer k"
            self.send_response(200 if right else 404)
            self.end_headers()
            self.wfile.write(b'{"data": [{"id": "m"}, {"id": "n"}]}')

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


def test_a_remote_role_is_asked_for_its_model(
    served_models: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checked(**more: str) -> Result:
        said = {"url": served_models, "model": "m", **more}
        return run("check", write_profile(tmp_path, {"diagnose": {"remote": said}}))

    good = checked()
    assert good.exit_code == 0, good.output
    assert "participants' photos are sent there" in flat(good.stdout)
    assert "not encrypted" not in good.stdout
    assert "has no model 'other'; it has m, n" in flat(checked(model="other").stderr)
    monkeypatch.delenv("SOME_KEY", raising=False)
    assert "SOME_KEY, which is not set" in flat(checked(key_variable="SOME_KEY").stderr)
    monkeypatch.setenv("SOME_KEY", "k")
    assert checked(key_variable="SOME_KEY").exit_code == 0
    away = checked(url="http://127.0.0.2:9/v1")
    assert away.exit_code == 1
    assert "no OpenAI-compatible server answers there" in flat(away.stderr)
    assert "not encrypted" in away.stdout


# Memory -----------------------------------------------------------------------------------------------


def test_parameters_are_counted_in_the_headers(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "a", 1000)
    save_file({"weight": torch.zeros(10, 7)}, folder / "more.safetensors")
    save_file({"weight": torch.zeros(1000, dtype=torch.float16)}, folder / "model.fp16.safetensors")
    assert parameters_of(folder) == 1070, "the same weights in half precision count once"
    assert parameters_of(folder / "more.safetensors") == 70
    (folder / "cut.safetensors").write_bytes(b"\xff" * 20)
    assert parameters_of(folder) == 1070


@pytest.mark.parametrize(
    ("said", "gigabytes"),
    [
        ({}, 2.0),
        ({"dtype": "float32"}, 4.0),
        ({"quantisation": "8bit"}, 1.0),
        ({"quantisation": "4bit"}, 0.5625),
        ({"device": "cpu"}, 4.0),
    ],
)
def test_bytes_follow_precision_and_device(said: dict[str, str], gigabytes: float) -> None:
    role = read_role("diagnose", {"path": "a", "parameters": 1e9, **said})
    need = need_of(role, None, {"cpu": 1e9, "cuda": 1e9})
    assert need.weights == gigabytes * 1e9
    assert need.device == said.get("device", "cuda")


def test_a_plan_loads_the_largest_first_and_counts_one_working_set(tmp_path: Path) -> None:
    roles = {
        "segment": {"path": "s", "parameters": 1e9, "working": 3e9, "dtype": "float16"},
        "diagnose": {"path": "d", "parameters": 7e9, "working": 1e9, "dtype": "float16"},
        "caption": {"path": "c", "parameters": 1e9, "device": "cpu"},
    }
    profile = load_profile(write_profile(tmp_path, roles))
    card, processor = plan(profile, {"cpu": 1e9, "cuda": 20e9})
    assert [need.role for need in card.needs] == ["diagnose", "segment"]
    assert isinstance(card.needs[0], Need)
    assert card.peak == card.runtime + 14e9 + 2e9 + 3e9
    assert card.fits
    assert card.after("diagnose") == card.runtime + 14e9
    assert (processor.peak, processor.fits) == (4e9, False)


def test_what_does_not_fit_is_a_problem(tmp_path: Path) -> None:
    file = write_profile(tmp_path, {"diagnose": {"path": "a", "device": "cuda", "parameters": 7e9}})
    write_model(tmp_path / "models" / "a")
    assert run("check", file, "--memory", "2").exit_code == 0, "what is there is counted, not what is published"
    (tmp_path / "models" / "a" / "model.safetensors").unlink()
    assert "14.6 GB are needed, 2.0 GB are free" in flat(run("check", file, "--memory", "2").stderr)


@pytest.mark.parametrize("name", ["paper", "open", "remote"])
def test_the_shipped_profiles_fit_on_24_gb(name: str) -> None:
    card = next(d for d in plan(load_profile(name), {"cpu": 32e9, "cuda": 24e9}) if d.device == "cuda")
    assert card.fits, f"{card.peak / 1e9:.1f} GB"
    row = f"| `{name}` | {card.weights / 1e9:.1f} | {card.peak / 1e9:.1f} |"
    assert row in (ROOT / "docs" / "models.md").read_text(), "what the page says is what is computed"


# Download ---------------------------------------------------------------------------------------------

FILES = {"config.json": b'{"a": 1}', "model.safetensors": os.urandom(300_000), "pytorch_model.h5": b"x" * 50}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(Hub("some/model", dict(FILES), large=("model.safetensors",))) as served:
        yield served


@pytest.fixture
def here(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """`fetch` from the hub on loopback."""
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setattr(download, "ENDPOINT", hub.url)
    said: list[str] = []

    def go(folder: Path, revision: str = "main", **more: object) -> object:
        return fetch(read_role("diagnose", {"hub": "some/model", **more}), folder, revision, said.append)

    go.said = said  # type: ignore[attr-defined]
    return go


def test_a_download_is_complete_checked_and_pinned(here: Callable[..., object], tmp_path: Path) -> None:
    pinned = here(tmp_path / "a")
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert not (tmp_path / "a" / "pytorch_model.h5").exists(), "another framework's weights"
    assert (pinned.hub, pinned.revision) == ("some/model", COMMIT)
    for name in ("config.json", "model.safetensors"):
        assert pinned.files[name] == PinnedFile(len(FILES[name]), hashlib.sha256(FILES[name]).hexdigest())
    assert pinned == pin(tmp_path / "a", "some/model", COMMIT)
    assert "2 of 2 files" in here.said[0]


def test_what_is_there_is_not_fetched_again(here: Callable[..., object], hub: Hub, tmp_path: Path) -> None:
    here(tmp_path / "a")
    (tmp_path / "a" / "config.json").write_bytes(b'{"a": 2}')  # of the same size
    hub.asked.clear()
    here(tmp_path / "a")
    assert [path.rsplit("/", 1)[1] for path, _ in hub.asked if "resolve" in path] == ["config.json"]
    assert (tmp_path / "a" / "config.json").read_bytes() == FILES["config.json"]


def test_a_cut_download_goes_on_where_it_stopped(
    here: Callable[..., object], hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    hub.cut = {"model.safetensors": 0}
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "model.safetensors.part").write_bytes(FILES["model.safetensors"][:100_000])
    with pytest.raises(DownloadError, match="goes on where it stopped"):
        here(tmp_path / "a")
    assert not (tmp_path / "a" / "model.safetensors").exists()
    assert (tmp_path / "a" / "model.safetensors.part").stat().st_size == 100_000, "what was there is kept"
    hub.cut = {}
    hub.asked.clear()
    here(tmp_path / "a")
    assert [wanted for path, wanted in hub.asked if path.endswith("safetensors")] == ["bytes=100000-"]
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_damaged_bytes_never_get_the_files_name(here: Callable[..., object], hub: Hub, tmp_path: Path) -> None:
    hub.lie = True
    with pytest.raises(DownloadError, match="arrived damaged"):
        here(tmp_path / "a")
    assert list((tmp_path / "a").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hub": "some/other"}, "no such model"),
        ({"revision": "v9"}, "no revision 'v9'"),
        ({"files": ["*.onnx"]}, "no file matches"),
    ],
)
def test_what_the_hub_lacks_is_named(
    here: Callable[..., object], tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(DownloadError, match=message):
        here(tmp_path / "a", change.pop("revision", "main"), **change)


def test_a_name_outside_the_folder_is_refused(here: Callable[..., object], hub: Hub, tmp_path: Path) -> None:
    hub.files["../evil.safetensors"] = b"x"
    with pytest.raises(DownloadError, match="outside the folder"):
        here(tmp_path / "a")
    assert not (tmp_path / "evil.safetensors").exists()


def test_a_hub_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match="does not answer"):
        fetch(read_role("diagnose", {"hub": "some/model"}), tmp_path / "a", "main", print)


def test_the_command_downloads_pins_and_checks(hub: Hub, tmp_path: Path) -> None:
    file = write_profile(tmp_path, {"diagnose": {"hub": "some/model"}, "cases": {"path": "c", "source": "build them"}})
    write_model(tmp_path / "models" / "c")
    command = [sys.executable, "-m", "pipeline", "download", str(file)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "HF_ENDPOINT": hub.url}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "model.safetensors, 0.00 GB" in done.stdout, "which file is on its way, also where no bar can be drawn"
    pinned = read_lock(tmp_path / "own.lock.json")
    assert pinned["diagnose"].revision == COMMIT
    (tmp_path / "models" / "some--model" / "config.json").write_text("{}")
    assert "config.json is not the file that was pinned" in flat(run("check", file).stderr)
    profile = load_profile(file)
    assert role_models(profile)["diagnose"]["id"] == f"some/model@{COMMIT}"


def test_the_manifest_names_weights_as_hashed_and_skips_absent_options(tmp_path: Path) -> None:
    roles = {
        "diagnose": {"remote": {"url": "http://127.0.0.1:1/v1", "model": "m"}},
        "caption": {"path": "a"},
        "previews": {"path": "none", "optional": True},
    }
    file = write_profile(tmp_path, roles)
    write_model(tmp_path / "models" / "a")
    hashed = role_models(load_profile(file))
    assert set(hashed) == {"diagnose", "caption"}
    assert hashed["diagnose"] == {"id": "m at http://127.0.0.1:1/v1", "class": "remote", "sha256": "-"}
    assert hashed["caption"]["class"] == "Tiny"
    written = run("check", file, "--write")
    assert "own.lock.json: 1 roles" in flat(written.stdout), "a server that is away keeps no file from being pinned"
    assert written.exit_code == 1
    assert role_models(load_profile(file)) == hashed, "what was pinned gives the same SHA-256"


def test_weights_trained_again_after_they_were_pinned_are_in_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are as large as before, may be older (moved there), and another role may be pinned after them."""
    file = write_profile(tmp_path, {"adapters": {"path": "a"}, "clip": {"path": "b"}})
    weights = write_model(tmp_path / "models" / "a") / "model.safetensors"
    write_model(tmp_path / "models" / "b")
    time.sleep(0.05)  # a file's times come from a clock of 4 to 10 ms
    run("check", file, "--write")
    lock = tmp_path / "own.lock.json"
    read: list[Path] = []
    monkeypatch.setattr(weight_hashes, "sha256_of", lambda path: read.append(path) or sha256_of(path))
    before = role_models(load_profile(file))
    assert read == [], "what is unchanged is not read"
    time.sleep(0.05)
    other = tmp_path / "trained.safetensors"
    save_file({"weight": torch.ones(1000, dtype=torch.float16)}, other)
    os.utime(other, (1, 1))
    os.replace(other, weights)
    pinned = read_lock(lock)
    write_lock(lock, {**pinned, "clip": pin(tmp_path / "models" / "b")})
    after = role_models(load_profile(file))
    assert after["clip"] == before["clip"]
    assert after["adapters"]["sha256"] == fingerprint(weights.parent) != before["adapters"]["sha256"]
    rows = json.loads(lock.read_text())
    for row in rows.values():
        del row["at"]
    lock.write_text(json.dumps(rows))
    read.clear()
    assert role_models(load_profile(file)) == after, "a lock of before, without the time"
    assert len(read) == 2
