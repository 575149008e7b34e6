"""docs/prolific.md: its pieces are good studies, and its commands do what the page says."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
import yaml

from study_app.__main__ import DEFAULT_STUDY, ROOT
from study_app.study.definition import Study, load_study
from study_app.study.entry import read_arrival
from study_app.study.media import MediaStore, folder_of
from study_app.study.store import Store
from tests.study_app.docs_commands import commands, ran
from tests.study_app.people import walk_to

TEXT = (ROOT / "docs" / "prolific.md").read_text()
COMMANDS = commands("prolific.md")
PIECES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]


def study_with(piece: dict[str, object], file: Path) -> Study:
    file.write_text(yaml.safe_dump({**yaml.safe_load(DEFAULT_STUDY.read_text()), **piece}, allow_unicode=True))
    return load_study(file)


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
    for program, name, *arguments in COMMANDS:
        if name == "panel":
            _people_come(study, Path("study.db"))
        printed = ran(program, name, *arguments)
        assert name != "check" or "panel; kept of a link: PROLIFIC_PID" in printed
        done.append(name)
    assert done == ["check", "serve", "serve", "panel", "invite"]
    assert printed.count("https://study.example.org/?code=") == 40
    audited = json.loads(ran("study_app", "audit", "--json", "--db", "study.db"))
    assert [(row["action"], row["subject"], row["detail"]) for row in reversed(audited)] == [
        ("exported", "list for the recruiting site, as panel.csv", "without numbers"),
        ("participants' invitations made", "skingen", "40"),
    ]
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
