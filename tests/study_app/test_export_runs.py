"""A pilot and a live run in one database: told apart in every file, or one of them alone in a ZIP."""

from __future__ import annotations

import csv
import io
import sqlite3
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis.load import load
from study_app.__main__ import cli
from study_app.study.definition import Study
from study_app.study.export import ExportError, write_export
from study_app.study.media import MediaStore
from study_app.study.state import RunKind
from study_app.study.store import Store
from tests.study_app.people import arrive, walk_to

PILOT, LIVE = ("P0001", "P0003"), ("P0002", "P0004")
"""The first of each finished, the second withdrew."""


@pytest.fixture
def both(store: Store, media: MediaStore, study: Study) -> Store:
    kinds: tuple[RunKind, ...] = ("pilot", "live", "pilot", "live")
    for colour, kind in enumerate(kinds):
        walk_to(store, media, arrive(store, study, kind), "finished", colour=40 * colour)
    for participant in (PILOT[1], LIVE[1]):
        media.withdraw(participant)
    return store


def tables(file: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of every CSV file in the ZIP."""
    with zipfile.ZipFile(file) as content:
        names = [name for name in content.namelist() if name.endswith(".csv")]
        return {name: list(csv.DictReader(io.StringIO(content.read(name).decode(), newline=""))) for name in names}


def readme(file: Path) -> str:
    with zipfile.ZipFile(file) as content:
        return content.read("README.txt").decode()


def test_an_export_holds_both_runs_and_every_file_with_participants_tells_which(both: Store, tmp_path: Path) -> None:
    write_export(both, tmp_path / "all.zip")
    with_people = {
        name: rows for name, rows in tables(tmp_path / "all.zip").items() if rows and "participant" in rows[0]
    }
    assert {"ratings.csv", "conversations.csv", "wide/skingen.csv"} <= set(with_people)
    assert sum(name.startswith("psych-ds/") for name in with_people) >= 4
    for name, rows in with_people.items():
        assert {(row["participant"], row["run_kind"]) for row in rows} == {(PILOT[0], "pilot"), (LIVE[0], "live")}, name
    assert "run_kind says in every file with participants" in readme(tmp_path / "all.zip")


@pytest.mark.parametrize("kind", ["live", "pilot"])
def test_one_run_alone_is_in_every_file(both: Store, media: MediaStore, tmp_path: Path, kind: RunKind) -> None:
    (mine, others) = (LIVE, PILOT) if kind == "live" else (PILOT, LIVE)
    write_export(both, tmp_path / "one.zip", media, kind)
    found = tables(tmp_path / "one.zip")
    assert {row["run_kind"] for rows in found.values() for row in rows if "run_kind" in row} == {kind}
    assert {row["participant"] for rows in found.values() for row in rows if "participant" in row} == {mine[0]}
    assert [row["withdrawn"] for row in found["withdrawn.csv"]] == ["1"]
    with both.database.read() as conn:
        photos = {row[0] for row in conn.execute("SELECT sha256 FROM media_owner WHERE participant = ?", (mine[0],))}
    with zipfile.ZipFile(tmp_path / "one.zip") as content:
        pictures = {Path(name).stem for name in content.namelist() if name.endswith(".png")}
        everything = {name: content.read(name) for name in content.namelist()}
        content.extract("study.db", tmp_path)
    assert pictures == photos
    for number in (*others, mine[1]):
        assert [name for name, held in everything.items() if number.encode() in held] == []
    assert f"Run           {kind} only" in readme(tmp_path / "one.zip")
    assert f"Participants of another than the {kind} run: in no file" in readme(tmp_path / "one.zip")


def test_the_database_in_it_is_whole_and_keeps_its_rules(both: Store, tmp_path: Path) -> None:
    write_export(both, tmp_path / "one.zip", None, "live")
    with zipfile.ZipFile(tmp_path / "one.zip") as content:
        copy = sqlite3.connect(content.extract("study.db", tmp_path))
    rules = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY 1"
    with both.database.read() as conn:
        assert copy.execute(rules).fetchall() == [tuple(row) for row in conn.execute(rules)]
    assert copy.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert copy.execute("PRAGMA foreign_key_check").fetchall() == []
    copy.close()


def test_the_runs_together_have_all_rows(both: Store, tmp_path: Path) -> None:
    kinds: tuple[RunKind | None, ...] = (None, "pilot", "live")
    rows = [write_export(both, tmp_path / f"{kind}.zip", None, kind).rows for kind in kinds]
    people = [name for name, held in tables(tmp_path / "None.zip").items() if held and "run_kind" in held[0]]
    assert len(people) > 10
    for name in people:
        assert rows[0][name] == rows[1][name] + rows[2][name] > 0, name


def test_the_report_counts_the_live_run_alone(both: Store) -> None:
    assert set(load(both.database.path).ratings["participant"]) == {LIVE[0]}


def test_a_run_without_participants_is_no_empty_export(
    store: Store, media: MediaStore, study: Study, tmp_path: Path
) -> None:
    walk_to(store, media, arrive(store, study, "pilot"), "finished")
    with pytest.raises(ExportError, match="no participants of a live run; it has 1 of a pilot run"):
        write_export(store, tmp_path / "one.zip", None, "live")
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_asks_for_one_run_and_the_audit_knows_it(both: Store, tmp_path: Path) -> None:
    out = tmp_path / "one.zip"
    words = ["export", "--db", str(both.database.path), "--out", str(out), "--run-kind", "live"]
    assert CliRunner().invoke(cli, words).exit_code == 0
    assert {row["run_kind"] for row in tables(out)["participants.csv"]} == {"live"}
    assert both.researcher.audit.entries()[0].detail == "without photos, live run only"
