"""From the store to the report: forty simulated participants, every number computed a second way.

The second way reads the raw answer log past the views, so that a mistake in a view shows as well.
"""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from scipy import stats

from analysis.report import Summary, files, summarise
from study_app.study.definition import load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.simulate import Effect, simulate
from study_app.study.store import Store

N = 40
CONDITIONS = ("text", "cases", "generated")


@pytest.fixture(scope="module")
def database() -> Iterator[Path]:
    memory = Path("/dev/shm")  # durable commits by the thousand are slow on a disk
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    path = folder / "study.db"
    study = load_study(Path(__file__).parents[2] / "questionnaires" / "skingen.yaml")
    store = Store.open(path)
    simulate(study, store, MediaStore(folder_of(path), store), N, [Effect("trust", "generated", 0.8)], seed=4)
    store.close()
    yield path
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def summary(database: Path) -> Summary:
    return summarise(database)


def newest(database: Path) -> dict[tuple[str, str, str | None], int]:
    """(participant, item, condition) -> the last answer in the log."""
    query = """SELECT a.participant, a.item, e.condition, a.value FROM answer a
               LEFT JOIN exposure e ON e.participant = a.participant AND e.period = a.period ORDER BY a.id"""
    with closing(sqlite3.connect(database)) as connection:
        return {(who, item, condition): value for who, item, condition, value in connection.execute(query)}


def answers(log: dict[tuple[str, str, str | None], int], item: str, condition: str | None) -> list[int]:
    people = sorted({who for who, *_ in log})
    return [log[who, item, condition] for who in people]


def test_the_six_sequences_are_balanced(summary: Summary) -> None:
    counts = Counter(summary.data.participants["sequence"])
    assert sorted(counts.values()) == [6, 6, 7, 7, 7, 7]
    assert {frozenset(sequence.split(">")) for sequence in counts} == {frozenset(CONDITIONS)}


def test_every_cell_holds_forty_answers_and_its_own_mean(database: Path, summary: Summary) -> None:
    log = newest(database)
    table = summary.ratings_by_condition.frame
    assert list(table["n"]) == [N] * 9
    for row in table.itertuples():
        values = answers(log, row.item, row.condition)
        assert row.mean == pytest.approx(statistics.mean(values), rel=1e-12)
        assert row.sd == pytest.approx(statistics.stdev(values), rel=1e-12)
        assert [row.count_1, row.count_5] == [values.count(1), values.count(5)]
    table = summary.table5.frame
    assert list(table["n"]) == [N] * 6
    for row in table.itertuples():
        values = answers(log, row.item, None)
        assert row.mean == pytest.approx(statistics.mean(values), rel=1e-12)
        assert row.sd == pytest.approx(statistics.stdev(values), rel=1e-12)


def test_the_tests_find_the_effect_that_was_put_in(database: Path, summary: Summary) -> None:
    log = newest(database)
    for found in summary.comparisons:
        columns = [answers(log, found.item, condition) for condition in CONDITIONS]
        expected = stats.friedmanchisquare(*columns)
        assert found.friedman.n == N
        assert found.friedman.chi2 == pytest.approx(expected.statistic, rel=1e-9)
        assert found.friedman.p_asymptotic == pytest.approx(expected.pvalue, rel=1e-9)
        for pair in found.pairs:
            first, second = (columns[CONDITIONS.index(key)] for key in (pair.first, pair.second))
            differences = [a - b for a, b in zip(first, second, strict=True) if a != b]
            ranks = stats.rankdata([abs(d) for d in differences])
            plus = sum(rank for rank, d in zip(ranks, differences, strict=True) if d > 0)
            assert (pair.test.n, pair.test.n_zero) == (N, N - len(differences))
            assert pair.test.w_plus == plus
            assert pair.test.rank_biserial == pytest.approx(2 * plus / ranks.sum() - 1)
    trust = next(found for found in summary.comparisons if found.item == "trust")
    assert trust.friedman.p_holm is not None
    assert trust.friedman.p_holm < 0.01
    pair = next(pair for pair in trust.pairs if pair.name == "text-generated")
    assert pair.test.rank_biserial is not None
    assert pair.test.rank_biserial < -0.3


def test_table3_counts_the_demographics(database: Path, summary: Summary) -> None:
    log = newest(database)
    gender = Counter(value for (_, item, _), value in log.items() if item == "gender")
    table = summary.table3.frame
    found = table[table["characteristic"] == "Gender"]
    assert sorted(found["count"]) == sorted([*gender.values(), *[0] * (len(found) - len(gender))])
    assert sum(table["count"]) == 2 * N


def test_the_report_says_that_nobody_answered(summary: Summary) -> None:
    assert summary.simulated
    assert b"SIMULATED DATA" in files(summary)["report.html"]
