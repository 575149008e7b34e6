"""Simulated participants with habits, on every study that ships: they leave, hurry, dawdle and leave answers out."""

from __future__ import annotations

import random
import sqlite3
import statistics
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from study_app.__main__ import cli
from study_app.study import flow
from study_app.study.answers import NOT_SAID
from study_app.study.definition import Study, load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.simulate import simulate
from study_app.study.simulate_habits import CARELESS_FASTER, SLOWER, Habits, draw
from study_app.study.store import Store
from tests.study_app.conftest import ADVICE, MOLES, SKINGEN

SHIPPED = sorted(SKINGEN.parent.glob("*.yaml"))
HABITS = Habits(drop_out=0.3, slow=0.2, careless=0.2, missing=0.3)
N = 10


def simulated(folder: Path, study: Study, habits: Habits, n: int = N, seed: int = 3) -> sqlite3.Connection:
    db = Path(tempfile.mkdtemp(dir=folder)) / "study.db"
    store = Store.open(db)
    simulate(study, store, MediaStore(folder_of(db), store), n, seed=seed, habits=habits)
    store.close()
    conn = sqlite3.connect(db)
    conn.row_factory = sqlite3.Row
    return conn


def test_three_studies_ship() -> None:
    assert [file.stem for file in SHIPPED] == ["image_relevance", "skingen", "skingpt4_clinical"]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_shipped_study_is_checked_and_simulated_by_its_command(file: Path, tmp_path: Path) -> None:
    checked = CliRunner().invoke(cli, ["check", str(file)])
    assert (checked.exit_code, checked.stderr) == (0, "")
    assert f"{file}: good" in checked.stdout
    rates = ["--drop-out", "0.3", "--slow", "0.2", "--careless", "0.2", "--missing", "0.3"]
    db = tmp_path / "try.db"
    ran = CliRunner().invoke(cli, ["simulate", str(file), "-n", "6", "--db", str(db), "--seed", "9", *rates])
    assert (ran.exit_code, ran.stderr) == (0, "")
    with closing(sqlite3.connect(db)) as conn:
        status = dict(conn.execute("SELECT status, count(*) FROM participant GROUP BY 1").fetchall())
        assert sum(status.values()) == 6
        assert status["completed"] >= 1
        assert status["active"] >= 1, "somebody left on the way"
        assert conn.execute("SELECT value FROM meta WHERE key = 'simulated'").fetchone() == ("1",)


@pytest.mark.parametrize("file", [*SHIPPED, MOLES, ADVICE], ids=lambda file: file.stem)
def test_without_habits_everybody_reaches_an_end(file: Path, memory_folder: Path) -> None:
    with closing(simulated(memory_folder, load_study(file), Habits(), n=4)) as conn:
        status = {row["status"] for row in conn.execute("SELECT status FROM participant")}
        assert status <= {"completed", "screened_out", "excluded"}
        assert "completed" in status


def test_who_drops_out_leaves_at_any_page_and_the_rate_is_kept() -> None:
    people = [draw(Habits(drop_out=0.25), random.Random(seed)) for seed in range(4000)]
    gone = [person for person in people if person.leaves_after is not None]
    assert abs(len(gone) / 4000 - 0.25) < 3 * 0.0069  # standard error of the share
    last_pages = [next(page for page in range(1, 9) if person.leaves(page, 8)) for person in gone]
    assert {last_pages.count(page) > 60 for page in range(1, 9)} == {True}  # some 125 at each of the eight
    assert not any(person.leaves(8, 8) for person in people if person.leaves_after is None)


def test_who_left_is_found_where_they_left_and_nobody_else_is(memory_folder: Path, study: Study) -> None:
    with closing(simulated(memory_folder, study, Habits(drop_out=0.5), n=12)) as conn:
        rows = conn.execute("SELECT participant, status FROM participant").fetchall()
        db = conn.execute("PRAGMA database_list").fetchone()["file"]
    left = [row["participant"] for row in rows if row["status"] == "active"]
    assert 2 <= len(left) <= 10
    store = Store.open(db)
    steps = {flow.next_step(study, store.state(participant)).key for participant in left}
    store.close()
    assert len(steps) >= 2, steps
    assert not steps & {end.key for end in (flow.Finished(), flow.Declined(), flow.Completion())}


def test_slow_and_careless_people_show_in_the_seconds(memory_folder: Path, study: Study) -> None:
    medians = {}
    for name, habits in (("ideal", Habits()), ("slow", Habits(slow=1.0)), ("careless", Habits(careless=1.0))):
        with closing(simulated(memory_folder, study, habits, n=3)) as conn:
            medians[name] = statistics.median(row[0] for row in conn.execute("SELECT duration_s FROM answer"))
    assert medians["slow"] / medians["ideal"] == pytest.approx(SLOWER, rel=1e-9)  # the same draws, another pace
    assert medians["careless"] / medians["ideal"] == pytest.approx(CARELESS_FASTER, rel=0.5)


def test_careless_people_fail_attention_checks_and_are_excluded_by_the_studys_rule(
    memory_folder: Path, moles: Study
) -> None:
    assert moles.exclusion is not None
    with closing(simulated(memory_folder, moles, Habits(careless=1.0), n=8)) as conn:
        reasons = [row["exclusion_reason"] for row in conn.execute("SELECT exclusion_reason FROM participant")]
    assert "failed attention checks" in reasons
    with closing(simulated(memory_folder, moles, Habits(slow=1.0), n=8)) as conn:
        reasons = [row["exclusion_reason"] for row in conn.execute("SELECT exclusion_reason FROM participant")]
    assert "failed attention checks" not in reasons


def test_answers_are_left_out_only_where_the_study_lets_people(memory_folder: Path, moles: Study) -> None:
    with closing(simulated(memory_folder, moles, Habits(missing=1.0), n=4)) as conn:
        answered = {row["item"]: row["value"] for row in conn.execute("SELECT item, value FROM answer")}
        completed = conn.execute("SELECT count(*) FROM participant WHERE status = 'completed'").fetchone()[0]
    policies = {item.id: item.missing for item in (*moles.demographics, *moles.items)}
    assert set(policies.values()) == {"required", "may_skip", "prefer_not_to_say"}
    assert completed >= 1
    for item, policy in policies.items():
        assert (item in answered) == (policy != "may_skip"), item
        assert (answered.get(item) == NOT_SAID) == (policy == "prefer_not_to_say"), item


def test_habits_change_nobody_elses_answers(memory_folder: Path, study: Study) -> None:
    """Who is slow was drawn apart: the answers of a seed stay what they are."""
    asked = "SELECT participant, item, period, value FROM answer ORDER BY 1, 2, 3"
    with closing(simulated(memory_folder, study, Habits(), n=3)) as plain:
        expected = [tuple(row) for row in plain.execute(asked)]
    with closing(simulated(memory_folder, study, Habits(slow=0.5), n=3)) as other:
        assert [tuple(row) for row in other.execute(asked)] == expected


@pytest.mark.parametrize("habits", [{"drop_out": 1.2}, {"missing": -0.1}, {"slow": float("nan")}])
def test_a_rate_is_a_share(habits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a share lies between 0 and 1"):
        Habits(**habits)
