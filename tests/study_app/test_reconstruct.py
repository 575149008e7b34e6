"""The paper's participants through the store: what comes back is what was drawn, and it says what it is."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analysis.errors import NoData
from analysis.paper.reconstruction import STUDY, Reconstruction, reconstruct
from analysis.paper.reconstruction_csv import csv_files
from analysis.paper.reproduce import reproduce
from analysis.report import summarise
from study_app.__main__ import cli
from study_app.serving import app_environment
from study_app.study.definition import Study
from study_app.study.media import MediaStore, folder_of
from study_app.study.reconstruct import reconstructed_study, write_sessions
from study_app.study.store import Refused, Store
from tests.study_app.conftest import SKINGEN
from tests.study_app.people import arrive

Query = Callable[[str], list[tuple[object, ...]]]
SEED = 4


def written(db: Path, study: Study, drawn: Reconstruction) -> Path:
    with closing(Store.open(db)) as store:
        write_sessions(reconstructed_study(study, drawn), drawn, store, MediaStore(folder_of(db), store))
    return db


@pytest.fixture(scope="module")
def database(memory_folder: Path, study: Study) -> Path:
    return written(memory_folder / "reconstruction.db", study, reconstruct(SEED))


@pytest.fixture
def query(database: Path) -> Iterator[Query]:
    with closing(sqlite3.connect(database)) as conn:
        yield lambda sql: conn.execute(sql).fetchall()


def test_32_sessions_of_kind_reconstruction_are_completed(query: Query) -> None:
    assert query("SELECT run_kind, outcome, count(*) FROM participants GROUP BY 1, 2") == [
        ("reconstruction", "completed", 32)
    ]
    events = query(
        "SELECT count(DISTINCT participant), min(data ->> '$.seed') FROM event WHERE kind = 'reconstruction'"
    )
    assert events == [(32, SEED)]
    assert query("SELECT DISTINCT study FROM ratings") == [(STUDY,)]
    marks = dict(query("SELECT key, value FROM meta WHERE key <> 'database_id'"))
    assert marks == {"simulated": "1", "reconstruction": str(SEED)}
    profiles = {json.loads(str(row[0]))["profile"] for row in query("SELECT manifest FROM exposures")}
    assert profiles == {"reconstruction"}


def test_the_store_gives_back_what_was_drawn(query: Query) -> None:
    drawn = reconstruct(SEED)
    expected = {
        (f"P{number:04d}", item, value)
        for number, person in enumerate(drawn.people, 1)
        for item, value in person.ratings.items()
    }
    found = query("SELECT participant, item, value FROM ratings")
    assert len(found) == len(expected) == 32 * 6
    assert set(found) == expected
    given = dict(query("SELECT participant, demographics FROM participants"))
    assert [json.loads(str(given[name])) for name in sorted(map(str, given))] == [dict(p.answers) for p in drawn.people]


def test_nothing_unpublished_is_stored(query: Query) -> None:
    assert query("SELECT count(*) FROM ratings WHERE condition IS NOT NULL OR period IS NOT NULL") == [(0,)]
    assert query("SELECT count(*) FROM answer WHERE duration_s IS NOT NULL") == [(0,)]
    assert query("SELECT DISTINCT text FROM turn WHERE role = 'assistant'") == [
        ("Reconstruction: no conversation took place.",)
    ]


def test_tables_3_and_5_from_the_database_equal_the_paper_and_the_csv(database: Path, tmp_path: Path) -> None:
    found = reproduce(tmp_path / "out", database)
    assert found.equal
    assert len(found.compared) == 21
    assert found.summary.simulated
    for name, content in csv_files(reconstruct(SEED)).items():
        (tmp_path / name).write_bytes(content)
    from_csv = summarise(tmp_path / "ratings.csv", "reconstruction")
    assert found.summary.table3.csv() == from_csv.table3.csv()
    assert found.summary.table5.frame["mean"].tolist() == from_csv.table5.frame["mean"].tolist()
    assert found.summary.table5.frame["sd"].tolist() == from_csv.table5.frame["sd"].tolist()


def test_one_broken_rating_in_the_database_is_seen(memory_folder: Path, study: Study, tmp_path: Path) -> None:
    drawn = reconstruct(SEED)
    first = drawn.people[0]
    other = first.ratings["realistic"] - 1 or 5
    people = (replace(first, ratings={**first.ratings, "realistic": other}), *drawn.people[1:])
    found = reproduce(tmp_path, written(memory_folder / "broken.db", study, replace(drawn, people=people)))
    assert not found.equal
    broken = {row.cell.row for row in found.compared if not row.equal}
    assert broken == {"The generated skin disease image looks realistic."}


def test_people_and_reconstructions_do_not_mix(store: Store, media: MediaStore, study: Study) -> None:
    drawn = reconstruct(SEED)
    arrive(store, study)
    with pytest.raises(Refused, match="database of its own"):
        write_sessions(reconstructed_study(study, drawn), drawn, store, media)
    assert store.meta("reconstruction") is None


def test_nobody_takes_part_in_a_reconstruction_and_none_is_reported_as_live(database: Path, study: Study) -> None:
    with closing(Store.open(database)) as store:
        for kind in ("live", "pilot"):
            with pytest.raises(Refused, match="nobody else takes part"):
                arrive(store, study, kind)  # type: ignore[arg-type]
        assert [kind for _, kind in store.runs()] == ["reconstruction"]
    with pytest.raises(Refused, match="holds a reconstruction"):
        app_environment(SKINGEN, study, database, "pilot")
    with pytest.raises(NoData, match="use --run-kind reconstruction"):
        summarise(database)
    assert summarise(database, "reconstruction").n == 32


def test_a_second_reconstruction_into_the_same_file_is_refused(database: Path, study: Study) -> None:
    with pytest.raises(Refused, match="database of its own"):
        written(database, study, reconstruct(SEED + 1))
    with closing(sqlite3.connect(database)) as conn:
        assert conn.execute("SELECT count(*) FROM participant").fetchone() == (32,)


def test_a_study_without_the_statements_is_refused(study: Study) -> None:
    shorter = replace(study, items=study.items[:-1])
    with pytest.raises(Refused, match="does not ask useful; use"):
        reconstructed_study(shorter, reconstruct(SEED))


def test_the_command_writes_the_sessions_and_names_the_next_one(memory_folder: Path) -> None:
    db = memory_folder / "command.db"
    result = CliRunner().invoke(cli, ["reconstruct", "--db", str(db), "--seed", "2"])
    assert result.exit_code == 0
    assert f"python -m analysis reproduce {db}" in result.output
    with closing(sqlite3.connect(db)) as conn:
        assert conn.execute("SELECT value FROM meta WHERE key = 'reconstruction'").fetchone() == ("2",)
    again = CliRunner().invoke(cli, ["reconstruct", "--db", str(db)])
    assert again.exit_code == 1
    assert "database of its own" in again.stderr
