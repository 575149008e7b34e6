"""Simulated participants: they fill a study as people would, and the analysis finds what was put in."""

from __future__ import annotations

import json
import sqlite3
import statistics
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.report import summarise
from pipeline.types import request_from_json
from study_app.study.definition import Study
from study_app.study.media import MediaStore, folder_of
from study_app.study.simulate import Effect, parse_effect, simulate
from study_app.study.store import Refused, Store
from tests.study_app.people import arrive

N = 40
TRUE_EFFECT = Effect("trust", "generated", 0.6)
Query = Callable[..., list[sqlite3.Row]]


@pytest.fixture(scope="module")
def forty(memory_folder: Path, study: Study) -> Path:
    return simulated(memory_folder / "forty.db", study, N)


@pytest.fixture
def query(forty: Path) -> Query:
    def ask(sql: str, *parameters: object) -> list[sqlite3.Row]:
        conn = sqlite3.connect(forty)
        try:
            return conn.execute(sql, parameters).fetchall()
        finally:
            conn.close()

    return ask


def simulated(db: Path, study: Study, n: int, seed: int = 7) -> Path:
    store = Store.open(db)
    simulate(study, store, MediaStore(folder_of(db), store), n, [TRUE_EFFECT], seed)
    store.close()
    return db


def test_each_of_the_six_sequences_has_six_or_seven(query: Query) -> None:
    counts = Counter(row[0] for row in query("SELECT sequence FROM participants WHERE outcome = 'completed'"))
    assert len(counts) == 6
    assert sum(counts.values()) == N
    assert set(counts.values()) == {6, 7}


def test_every_cell_has_forty_ratings(query: Query, study: Study) -> None:
    cells = query("SELECT item, condition, count(*), count(DISTINCT participant) FROM ratings GROUP BY 1, 2")
    assert len(cells) == 3 * 3 + 6
    assert {(row[2], row[3]) for row in cells} == {(N, N)}
    assert query("SELECT min(value), max(value), count(DISTINCT typeof(value)) FROM ratings") == [(1, 5, 1)]


def test_periods_and_conditions_follow_each_sequence(query: Query) -> None:
    found = query("SELECT DISTINCT sequence, period, condition FROM exposures")
    assert len(found) == 18
    assert all(sequence.split(">")[period - 1] == condition for sequence, period, condition in found)


def test_the_report_equals_a_computation_from_the_raw_rows(forty: Path, query: Query) -> None:
    """Accept 3: n, mean and SD of every cell of Figure 9 and Table 5, Friedman's chi-square and
    Wilcoxon's sums, from the log of answers with plain Python, beside what the analysis reports."""
    summary = summarise(forty)
    assert (summary.n, summary.simulated) == (N, True)
    order = dict(query("SELECT participant, sequence FROM participant"))
    newest: dict[tuple[str, str, int | None], int] = {}
    for participant, item, period, value in query("SELECT participant, item, period, value FROM answer ORDER BY id"):
        newest[participant, item, period] = value
    values: dict[tuple[str, str | None], dict[str, int]] = {}
    for (participant, item, period), value in newest.items():
        condition = order[participant].split(">")[period - 1] if period else None
        values.setdefault((item, condition), {})[participant] = value

    assert len(summary.cells) == 9
    for (item, condition), cell in summary.cells.items():
        expected = list(values[item.key, condition.key].values())
        assert cell.n == len(expected) == N
        assert cell.mean == pytest.approx(statistics.fmean(expected), abs=1e-12)
        assert cell.sd == pytest.approx(statistics.stdev(expected), abs=1e-12)
    once = summary.table5.frame
    assert len(once) == 6
    for row in once.to_dict("records"):
        expected = list(values[row["item"], None].values())
        assert row["n"] == N
        assert row["mean"] == pytest.approx(statistics.fmean(expected), abs=1e-12)
        assert row["sd"] == pytest.approx(statistics.stdev(expected), abs=1e-12)
    for comparison in summary.comparisons:
        by_condition = [values[comparison.item, key] for key in ("text", "cases", "generated")]
        table = [[column[person] for column in by_condition] for person in sorted(order)]
        assert comparison.friedman.n == N
        assert comparison.friedman.chi2 == pytest.approx(friedman_chi2(table), abs=1e-9)
        assert len(comparison.pairs) == 3
        for pair in comparison.pairs:
            both = [[values[comparison.item, key][who] for who in order] for key in (pair.first, pair.second)]
            assert (pair.test.w_plus, pair.test.w_minus) == signed_rank_sums(*both)


def friedman_chi2(table: list[list[int]]) -> float:
    """Tie-corrected Friedman statistic T1 of n rows with k ratings (Conover, Practical Nonparametric
    Statistics, 3rd ed., section 5.8)."""
    n, k = len(table), len(table[0])
    ranks = [[sum(x < y for x in row) + (row.count(y) + 1) / 2 for y in row] for row in table]
    sums = [sum(column) for column in zip(*ranks, strict=True)]
    squares = sum(rank * rank for row in ranks for rank in row)
    correction = n * k * (k + 1) ** 2 / 4
    return (k - 1) * (sum(s * s for s in sums) - n * correction) / (squares - correction)


def signed_rank_sums(first: list[int], second: list[int]) -> tuple[float, float]:
    """Wilcoxon's sums of midranks, of positive and of negative differences; those of 0 are left out."""
    differences = [a - b for a, b in zip(first, second, strict=True) if a != b]
    sizes = [abs(d) for d in differences]
    ranks = [sum(x < y for x in sizes) + (sizes.count(y) + 1) / 2 for y in sizes]
    up = sum(rank for rank, d in zip(ranks, differences, strict=True) if d > 0)
    return up, sum(ranks) - up


def test_the_effect_put_in_is_found(query: Query) -> None:
    """Means with 40 people have a standard error of about 0.2 for a difference within persons."""
    means = dict(query("SELECT condition, avg(value) FROM ratings WHERE item = 'trust' GROUP BY 1"))
    assert 0.2 < means["generated"] - (means["text"] + means["cases"]) / 2 < 1.0
    other = dict(query("SELECT condition, avg(value) FROM ratings WHERE item = 'ease' GROUP BY 1"))
    assert abs(other["generated"] - (other["text"] + other["cases"]) / 2) < 0.4


def test_simulated_data_say_so_everywhere(query: Query) -> None:
    assert query("SELECT value FROM meta WHERE key = 'simulated'") == [("1",)]
    manifests = [json.loads(row[0]) for row in query("SELECT manifest FROM exposures")]
    assert len(manifests) == 3 * N
    assert {manifest["profile"] for manifest in manifests} == {"simulated"}
    requests = [request_from_json(row[0]) for row in query("SELECT request FROM job")]
    assert len({request.seed for request in requests}) == len(requests) == 3 * N


def test_the_same_seed_gives_the_same_answers(memory_folder: Path, study: Study) -> None:
    def answers(name: str, seed: int) -> list[tuple[object, ...]]:
        conn = sqlite3.connect(simulated(memory_folder / name, study, 6, seed))
        found = conn.execute(
            "SELECT participant, item, period, condition, value FROM ratings ORDER BY 1, 2, 3"
        ).fetchall()
        conn.close()
        return found

    assert answers("first.db", 1) == answers("second.db", 1) != answers("third.db", 2)


def test_people_and_simulated_participants_do_not_mix(store: Store, media: MediaStore, study: Study) -> None:
    arrive(store, study)
    with pytest.raises(Refused, match="database of its own"):
        simulate(study, store, media, 1)
    assert store.counts(study, "live").arrived == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trust", "write ITEM:CONDITION=SIZE"),
        ("mood:text=1", "items rated per condition are trust, ease, effort"),
        ("correct:text=1", "items rated per condition are trust, ease, effort"),
        ("trust:control=1", "conditions are text, cases, generated"),
    ],
)
def test_a_wrong_effect_is_told_with_what_is_allowed(study: Study, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_effect(text, study)


def test_an_effect_is_read(study: Study) -> None:
    assert parse_effect("trust:generated=+0.6", study) == TRUE_EFFECT
    assert parse_effect("ease:text=-1", study) == Effect("ease", "text", -1.0)
