"""docs/prolific.md: its pieces are good studies, and its commands do what the page says."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from study_app.__main__ import DEFAULT_STUDY, ROOT, cli
from study_app.study.definition import Study, load_study
from study_app.study.entry import read_arrival
from study_app.study.media import MediaStore, folder_of
from study_app.study.store import Store
from tests.study_app.people import walk_to

TEXT = (ROOT / "docs" / "prolific.md").read_text()
COMMANDS = [shlex.split(line) for line in re.findall(r"^python -m study_app (.*)$", TEXT, re.MULTILINE)]
PIECES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]


def study_with(piece: dict[str, object], file: Path) -> Study:
    file.write_text(yaml.safe_dump({**yaml.safe_load(DEFAULT_STUDY.read_text()), **piece}, allow_unicode=True))
    return load_study(file)


def ran(*words: str) -> str:
    result = CliRunner().invoke(cli, words, env={"COLUMNS": "200"})
    assert result.exit_code == 0, f"{' '.join(words)}: {result.output}"
    return result.output


def test_each_site_has_a_good_study(tmp_path: Path) -> None:
    studies = [study_with(piece, tmp_path / f"{n}.yaml") for n, piece in enumerate(PIECES)]
    assert [study.entry.person for study in studies] == ["PROLIFIC_PID", "survey_code", "workerId"]
    link = re.search(r"`\?(PROLIFIC_PID=.*)`", TEXT)
    assert link is not None
    assert [part.partition("=")[0] for part in link[1].split("&")] == [p.name for p in studies[0].entry.parameters]


def test_its_commands_run_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = study_with(PIECES[0], Path("my-study.yaml"))
    study_with({"entry": {"kind": "invitation"}}, Path("my-invited-study.yaml"))
    done = []
    for name, *arguments in COMMANDS:
        if name == "serve":  # runs until it is ended: its options are read here
            assert all(word in ran("serve", "--help") for word in arguments if word.startswith("--"))
        else:
            if name == "panel":
                _people_come(study, Path("study.db"))
            printed = ran(name, *arguments)
            assert name != "check" or "panel; kept of a link: PROLIFIC_PID" in printed
        done.append(name)
    assert done == ["check", "serve", "serve", "panel", "invite"]
    assert printed.count("https://study.example.org/?code=") == 40
    with Path("panel.csv").open(newline="") as file:
        rows = [(row["PROLIFIC_PID"], row["outcome"], row["code"]) for row in csv.DictReader(file)]
    assert rows == [("test1", "completed", "C1ABC234"), ("test2", "not finished", "")]


def _people_come(study: Study, db: Path) -> None:
    """Three through the study's link: one goes through to the end, one stays, one declines."""
    store = Store.open(db)
    store.register(study)
    for pid in ("test1", "test2", "test3"):
        arrival = read_arrival(study.entry, {"PROLIFIC_PID": pid, "STUDY_ID": "x", "SESSION_ID": "y"})
        store.door.come_from_panel(study, "live", arrival)
    walk_to(store, MediaStore(folder_of(db), store), "P0001", "finished")
    store.record_consent("P0003", agreed=False)
    store.close()
