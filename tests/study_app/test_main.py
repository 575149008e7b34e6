"""The command line: what it prints, what it writes, how it exits."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import Result
from typer.testing import CliRunner

from study_app import serving
from study_app.__main__ import cli
from study_app.study.definition import Study
from study_app.study.errors import Refused
from study_app.study.media import MediaStore, folder_of
from study_app.study.store import Store
from tests.study_app.conftest import ENGLISH, SKINGEN
from tests.study_app.people import arrive, png, walk_to
from tests.study_app.researcher_app import cheap_hashes

COMMANDS = (
    "check",
    "serve",
    "invite",
    "panel",
    "status",
    "simulate",
    "export",
    "backup",
    "account",
    "audit",
    "withdraw",
    "exclude",
)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def used(db: Path, study: Study) -> Path:
    """A database with one who finished, P0001, and one who is on the way, P0002."""
    store = Store.open(db)
    media = MediaStore(folder_of(db), store)
    walk_to(store, media, arrive(store, study), "finished")
    walk_to(store, media, arrive(store, study), "photo:2", colour=1)
    store.close()
    return db


def test_every_command_explains_itself() -> None:
    assert all(command in run("--help").output for command in COMMANDS)
    for command in COMMANDS:
        result = run(command, "--help")
        assert result.exit_code == 0
        assert len(result.output.split("Options")[0]) > 100


def test_check_says_what_the_study_is_and_what_is_still_to_be_replaced() -> None:
    result = run("check", SKINGEN)
    assert result.exit_code == 0
    assert "6, all orders" in result.output
    assert [line.split(": ")[1] for line in result.output.splitlines() if "to be replaced" in line] == [
        "institution",
        "ethics",
        "contact",
    ]


def test_check_prints_every_mistake_on_stderr(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(SKINGEN.read_text().replace("scale: likert5", "scale: likert6"))
    result = run("check", broken)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("has scale 'likert6'; scales are likert5") == 9
    assert run("check", tmp_path / "none.yaml").exit_code == 1


@pytest.mark.parametrize(
    "command", ["status", "export", "backup x.db", "account anna", "withdraw P0001 --yes", "exclude P0001 --reason x"]
)
def test_a_database_that_is_not_there_is_not_made(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*command.split(), "--db", "none.db")
    assert result.exit_code == 1
    assert "There is no database none.db" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_status_counts_for_people_and_for_scripts(used: Path) -> None:
    result = run("status", "--db", used)
    assert "completed 1 of 32 planned" in result.output
    assert "arrived 2, consented 2, active 1, left early 0" in result.output
    (row,) = json.loads(run("status", "--db", used, "--json").output)
    assert (row["study"], row["run_kind"], row["completed"], row["simulated"]) == (
        "skingen",
        "live",
        1,
        False,
    )
    assert row["at_step"] == {"photo:2": 1}


def test_export_writes_a_zip_and_never_over_a_file(used: Path, tmp_path: Path) -> None:
    out = tmp_path / "export.zip"
    assert run("export", "--db", used, "--out", out).exit_code == 0
    assert "ratings.csv" in zipfile.ZipFile(out).namelist()
    before = out.read_bytes()
    assert run("export", "--db", used, "--out", out).exit_code == 1
    assert out.read_bytes() == before


def test_backup_while_somebody_writes_is_whole(used: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    writer = sqlite3.connect(used, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO meta VALUES ('half', 'done')")
    assert run("backup", copy, "--db", used).exit_code == 0
    writer.execute("ROLLBACK")
    writer.close()
    store = Store.open(copy)
    assert store.meta("half") is None
    assert store.state("P0001").status == "completed"
    store.close()
    assert run("backup", copy, "--db", used).exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "copy.media"]


def test_a_backup_has_its_pictures_and_keeps_them(used: Path, tmp_path: Path, memory_folder: Path) -> None:
    """On the same file system and on another one."""
    here, there = used.with_name("here.db"), tmp_path / "there.db"
    for copy in (here, there):
        said = run("backup", copy, "--db", used)
        assert said.exit_code == 0
        assert f"2 pictures in {folder_of(copy)}" in said.output
    (lost,) = [path for path in folder_of(used).rglob("*.png") if path.read_bytes() == png(1)]
    lost.unlink()
    run("withdraw", "P0001", "--yes", "--db", used)
    assert list(folder_of(used).rglob("*.png")) == []
    for copy in (here, there):
        store = Store.open(copy)
        media = MediaStore(folder_of(copy), store)
        assert media.read("P0001", store.state("P0001").exposures[1].photo) == png(0)
        assert media.read("P0002", store.state("P0002").exposures[1].photo) == png(1)
        media.withdraw("P0002")
        store.close()
    later = run("backup", tmp_path / "later.db", "--db", used)
    assert later.exit_code == 0
    assert "1 pictures of the database are not on disk" in later.stderr
    assert not (tmp_path / "later.media").exists()
    blocked = tmp_path / "blocked.media"
    blocked.mkdir()
    assert run("backup", tmp_path / "blocked.db", "--db", used).exit_code == 1
    assert not list(tmp_path.glob("*.unfinished")) + list(tmp_path.glob("blocked.db*"))


def test_withdraw_asks_first(used: Path) -> None:
    assert CliRunner().invoke(cli, ["withdraw", "P0001", "--db", str(used)], input="n\n").exit_code == 1
    assert run("status", "--db", used, "--json").output.count('"completed": 1') == 1
    assert CliRunner().invoke(cli, ["withdraw", "P0001", "--db", str(used)], input="y\n").exit_code == 0
    assert len(list(folder_of(used).rglob("*.png"))) == 1  # P0002's
    assert run("withdraw", "P0404", "--yes", "--db", used).exit_code == 1


def test_a_backup_that_a_withdrawal_does_not_reach_is_named(used: Path) -> None:
    stranger = used.with_name("study.before-v3.db")
    stranger.write_text("no database at all")
    said = run("withdraw", "P0001", "--yes", "--db", used)
    assert said.exit_code == 1
    assert f"Not erased in {stranger}" in said.stderr
    assert json.loads(run("status", "--db", used, "--json").output)[0]["left_early"] == 1
    stranger.unlink()
    assert run("withdraw", "P0001", "--yes", "--db", used).exit_code == 0


def test_exclude_gives_the_reason(used: Path) -> None:
    assert run("exclude", "P0001", "--reason", "took part twice", "--db", used).exit_code == 0
    (row,) = json.loads(run("status", "--db", used, "--json").output)
    assert (row["completed"], row["excluded"]) == (0, 1)


def test_what_is_done_here_stands_in_the_audit(used: Path, tmp_path: Path) -> None:
    assert "Nobody has looked" in run("audit", "--db", used).output
    run("export", "--db", used, "--out", tmp_path / "export.zip")
    run("backup", tmp_path / "copy.db", "--db", used)
    run("panel", "--numbers", "--db", used)  # nobody came from a recruiting site
    run("exclude", "P0001", "--reason", "took part twice", "--db", used)
    run("exclude", "P0001", "--reason", "again", "--db", used)
    run("withdraw", "P0002", "--yes", "--db", used)
    rows = json.loads(run("audit", "--db", used, "--json").output)
    assert [(row["action"], row["subject"]) for row in reversed(rows)] == [
        ("exported", f"everything, as {tmp_path / 'export.zip'}"),
        ("exported", f"backup, as {tmp_path / 'copy.db'}"),
        ("exported", "list for the recruiting site, as panel.csv"),
        ("failed, not done", "list for the recruiting site, as panel.csv"),
        ("participant excluded", "P0001"),
        ("participant excluded", "P0001"),
        ("failed, not done", "P0001"),
        ("participant withdrawn and erased", "P0002"),
    ]
    assert all(row["who"].startswith("command line") for row in rows)
    assert "took part twice" not in run("audit", "--db", used).output  # no withdrawal could erase it there


def test_invitations_stand_in_the_audit_without_their_codes(db: Path, tmp_path: Path) -> None:
    invited = tmp_path / "invited.yaml"
    invited.write_text(ENGLISH.read_text() + "\nentry: {kind: invitation}\n")
    printed = run("invite", invited, "-n", 3, "--db", db).stdout.splitlines()
    said = run("audit", "--db", db, "--json").output
    (row,) = json.loads(said)
    assert (row["action"], row["subject"], row["detail"]) == ("participants' invitations made", "skingen", "3")
    assert row["who"].startswith("command line")
    assert len(printed) == 3
    assert not [link for link in printed if link.split("?code=")[1] in said]


def test_the_only_owner_gets_back_in_from_the_machine(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cheap_hashes(monkeypatch)
    nobody = run("account", "anna", "--db", used)
    assert nobody.exit_code == 1
    assert "Nobody has an account yet" in nobody.stderr
    store = Store.open(used)
    researcher = store.researcher
    researcher.set_password("correct horse battery", "anna")
    open_before = researcher.sign_in("anna", "correct horse battery").token
    while not researcher.sign_in("anna", "a guess").wait_s:
        pass
    assert researcher.sign_in("anna", "correct horse battery").wait_s > 0
    before = researcher.audit.entries()

    unknown = run("account", "bert", "--db", used)
    assert unknown.exit_code == 1
    assert "There is no account 'bert'; accounts are anna." in unknown.stderr
    made = run("account", " Anna", "--db", used, "--url", "https://study.example.org")
    address, code = made.stdout.strip().split("/researcher?invitation=")
    assert address == "https://study.example.org"
    assert researcher.sessions.who(open_before), "whoever made it and does not use it changes nothing"
    assert researcher.accounts.accept(code, "another long password") == "anna"
    assert researcher.sessions.who(open_before) is None
    assert researcher.sign_in("anna", "another long password").ok, "at once, without a wait"
    assert [(account.name, account.role) for account in researcher.accounts.people()] == [("anna", "owner")]
    entries = researcher.audit.entries()
    assert entries[-len(before) :] == before
    new = [(e.who.split(",")[0], e.action, e.subject, e.detail) for e in reversed(entries[: -len(before)])]
    assert new[0] == ("command line", "invited", "anna", "owner, new link")
    assert [row[1] for row in new[1:]] == ["password set by invitation", "signed in"]
    assert code not in run("audit", "--db", used).output
    store.close()


def test_simulate_fills_a_database_and_refuses_one_with_people(used: Path, memory_folder: Path) -> None:
    fresh = memory_folder / "simulated.db"
    result = run("simulate", SKINGEN, "-n", 3, "--db", fresh, "--effect", "trust:generated=+0.6")
    assert result.exit_code == 0
    (row,) = json.loads(run("status", "--db", fresh, "--json").output)
    assert (row["completed"], row["simulated"]) == (3, True)
    assert run("simulate", SKINGEN, "-n", 3, "--db", used).exit_code == 1
    assert run("simulate", SKINGEN, "--db", fresh, "--effect", "mood:text=1").exit_code == 2


def test_simulated_participants_are_not_served_as_live(memory_folder: Path, study: Study) -> None:
    db = memory_folder / "simulated-only.db"
    store = Store.open(db)
    store.mark_simulated()
    store.close()
    with pytest.raises(Refused, match="simulated participants"):
        serving.app_environment(SKINGEN, study, db, "live")
    environment, _ = serving.app_environment(SKINGEN, study, db, "pilot")
    assert environment["SKINGEN_RUN_KIND"] == "pilot"


def test_the_setup_code_is_there_until_a_password_is_set(db: Path, study: Study) -> None:
    environment, code = serving.app_environment(SKINGEN, study, db, "live")
    assert code
    assert environment["SKINGEN_SETUP_CODE"] == code
    store = Store.open(db)
    store.researcher.set_password("correct horse battery")
    store.close()
    environment, code = serving.app_environment(SKINGEN, study, db, "live")
    assert code is None
    assert "SKINGEN_SETUP_CODE" not in environment
    assert all(Path(environment[name]).is_absolute() for name in ("SKINGEN_STUDY", "SKINGEN_DB"))


def test_serve_refuses_before_it_starts_anything(tmp_path: Path, db: Path) -> None:
    (tmp_path / "notes.db").write_text("no database " * 100)
    result = run("serve", "--db", tmp_path / "notes.db")
    assert result.exit_code == 1
    assert "cannot be opened" in result.stderr
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("serve", "--db", db, "--port", port, "--no-browser")
    assert result.exit_code == 1
    assert f"Port {port} on localhost is not free" in result.stderr


def test_serve_without_a_run_says_which_one_it_is(db: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        here = ("serve", "--db", db, "--port", taken.getsockname()[1], "--no-browser")
        assert "The run is a pilot" in run(*here).output
        assert "The run is" not in run(*here, "--run-kind", "live").output
        assert "The run is live, as set before." in run(*here).output
        refused = run(*here, "--run-kind", "pilot")
    assert refused.exit_code == 1
    assert "belong to the live run" in refused.stderr
    assert "Starting the app" not in refused.output


def test_serve_answers_until_it_is_told_to_stop(db: Path, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app itself, with a door that leads nowhere: it has to start and end without the models."""

    class NoModels:
        @staticmethod
        def environment() -> dict[str, str]:
            return {"SKINGEN_PIPELINE_URL": "http://127.0.0.1:9", "SKINGEN_PIPELINE_TOKEN": "none"}

    @contextmanager
    def no_models(profile: str) -> Iterator[NoModels]:
        yield NoModels()

    monkeypatch.setattr(serving, "start_local_server", no_models)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    url = f"http://localhost:{port}/"
    pages: list[int] = []

    def on_ready() -> None:
        pages.append(httpx.get(url, trust_env=False).status_code)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()

    before = signal.getsignal(signal.SIGTERM)
    environment, _ = serving.app_environment(SKINGEN, study, db, "pilot")
    assert serving.serve(environment, "phantom", "localhost", port, on_ready) == 0
    assert pages == [200]
    assert signal.getsignal(signal.SIGTERM) == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)
