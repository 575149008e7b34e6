"""Several assigned cases in a condition: described rating by rating, tested person by person."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.report import Summary, summarise
from study_app.study.definition import Study, load_study
from study_app.study.export import write_export
from study_app.study.live import read_live
from study_app.study.media import MediaStore, folder_of
from study_app.study.simulate import simulate
from study_app.study.store import Store
from tests.study_app.conftest import ADVICE
from tests.study_app.people import arrive, walk_to

ROOT = Path(__file__).parents[2]
N, CASES = 3, 6
NOTE = "Every participant rated 6 cases in each system."


@pytest.fixture(scope="module")
def clinical(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked export of a simulated run of the clinical study that ships."""
    folder = tmp_path_factory.mktemp("clinical")
    store = Store.open(folder / "collected.db")
    study = load_study(ROOT / "questionnaires" / "skingpt4_clinical.yaml")
    simulate(study, store, MediaStore(folder_of(folder / "collected.db"), store), N, seed=2)
    write_export(store, folder / "export.zip")
    store.close()
    with zipfile.ZipFile(folder / "export.zip") as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.parametrize("source", ["study.db", "ratings.csv"])
def test_the_clinical_study_is_described_over_all_its_ratings(clinical: Path, source: str) -> None:
    """SkinGPT-4's Figure 4a counts answers, not people."""
    summary = summarise(clinical / source)
    rows = pd.read_csv(clinical / "all_answers.csv", dtype=str)
    for item in summary.data.items:
        given = pd.to_numeric(rows["value"][rows["item"] == item.key])
        described = summary.facts["items"][item.key]["describe"]["skingpt"]
        assert described["n"] == sum(described["counts"].values()) == N * CASES
        assert {int(point): number for point, number in described["counts"].items() if number} == dict(
            given.value_counts()
        )
        agreed = summary.facts["agreement"][item.key]["skingpt"]
        assert (agreed["n"], agreed["agree"]) == (N * CASES, (given >= 4).sum())
        means = given.groupby(rows["participant"]).mean()
        low, high = stats.t.interval(0.95, N - 1, means.mean(), stats.sem(means))
        assert described["mean_ci"] == pytest.approx([low, high])
    assert summary.data.cases == summary.facts["provenance"]["cases_per_condition"] == CASES
    assert any(note.startswith(NOTE) for note in summary.data.notes)
    assert list(summary.ratings_by_condition.frame["n"]) == [N * CASES] * 7
    timed = rows[rows["item"].isin([item.key for item in summary.data.items])].astype({"duration_s": float})
    pages = timed.groupby(["participant", "period"])["duration_s"].max()
    clocks = summary.facts["page_times"]["skingpt"]
    assert (clocks["n"], len(pages)) == (N * CASES, N * CASES)
    assert clocks["median"] == pytest.approx(pages.median())


def test_an_export_of_several_cases_has_no_open_answers(clinical: Path) -> None:
    assert "- Answers of those who completed (0): items left open." in (clinical / "README.txt").read_text()


@pytest.fixture
def advice() -> Study:
    return load_study(ADVICE)


def stopped_at(folder: Path, advice: Study, steps: tuple[str, ...]) -> tuple[Store, list[str]]:
    """Participants of a study with two cases in each of two conditions, who went as far as ``steps``."""
    store = Store.open(folder / "advice.db")
    media = MediaStore(folder_of(folder / "advice.db"), store)
    people = [arrive(store, advice) for _ in steps]
    for participant, step in zip(people, steps, strict=True):
        walk_to(store, media, participant, step)
    return store, people


def test_a_condition_is_finished_with_its_last_case(tmp_path: Path, advice: Study) -> None:
    store, people = stopped_at(tmp_path, advice, ("finished", "first_decision:2", "first_decision:3"))
    with store.database.read() as conn:
        finished = dict(conn.execute("SELECT participant, periods_finished FROM flow").fetchall())
    assert [finished[who] for who in people] == [4, 1, 2]
    arms = {arm.sequence: arm.finished for arm in read_live(store.database, advice, "live").arms if arm.allocated}
    sequences = [">".join(store.state(who).sequence) for who in people]
    assert [arms[sequence] for sequence in sequences] == [(1, 1, 1, 1), (1, 0, 0, 0), (1, 1, 0, 0)]
    store.close()
    flow = summarise(tmp_path / "advice.db").flow
    rows = flow.frame.set_index("sequence")
    reached = [tuple(rows.loc[sequence, ["finished_1", "finished_2"]]) for sequence in sequences]
    assert reached == [(1, 1), (0, 0), (1, 0)]
    assert "A period is finished with the last of the 2 cases of its system." in flow.note


def written(folder: Path, sequences: list[str], cases: int, values: np.ndarray) -> Summary:
    """A CSV of ``values`` (people, conditions of the sequence x cases) of one item, in the order met."""
    rows = [
        (f"P{who}", sequence, period + 1, sequence.split(">")[period // cases], "q", values[who, period])
        for who, sequence in enumerate(sequences)
        for period in range(cases * (sequence.count(">") + 1))
    ]
    columns = ["participant", "sequence", "period", "condition", "item", "value"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "ratings.csv", index=False)
    return summarise(folder / "ratings.csv")


def test_between_subjects_a_person_counts_once(tmp_path: Path) -> None:
    values = np.random.default_rng(3).integers(1, 6, (6, 4))
    summary = written(tmp_path, ["a", "b"] * 3, 4, values)
    means = values.mean(axis=1)
    expected = stats.mannwhitneyu(means[0::2], means[1::2])
    facts = summary.facts["items"]["q"]
    pair = facts["mann_whitney"]["a-b"]
    assert (facts["kruskal_wallis"]["n"], pair["n1"], pair["n2"], pair["u"]) == (6, 3, 3, expected.statistic)
    assert list(summary.tests.frame["n"]) == [6, 6]
    assert summary.tests.frame["statistic"].iloc[1] == pair["u"]
    assert facts["describe"]["a"]["n"] == 12


def test_order_is_that_of_the_conditions_not_of_the_cases(tmp_path: Path) -> None:
    sequences = ["a>b>c", "b>c>a", "c>a>b", "a>c>b", "b>a>c", "c>b>a"] * 2
    values = np.random.default_rng(8).integers(1, 6, (12, 6))
    item = written(tmp_path, sequences, 2, values).facts["items"]["q"]
    order = item["order"]
    assert item["clmm"] is None
    assert "no point of the scale" in item["clmm_note"]
    by_place = values.reshape(12, 3, 2).mean(axis=2)  # (people, place of the condition)
    expected = stats.friedmanchisquare(*by_place.T)
    assert order["friedman_by_period"]["n"] == 12
    assert order["friedman_by_period"]["df"] == 2
    assert order["friedman_by_period"]["chi2"] == pytest.approx(expected.statistic)
    groups = [by_place[[one == each for one in sequences]].mean(axis=1) for each in sorted(set(sequences))]
    assert order["kruskal_by_sequence"]["chi2"] == pytest.approx(stats.kruskal(*groups).statistic)
    once = written(tmp_path, sequences, 1, by_place).facts["items"]["q"]["order"]
    assert order["fixed_effects"] == once["fixed_effects"]


def test_differences_between_means_are_no_ties(tmp_path: Path) -> None:
    """A participant whose means differ by a quarter of a point does not rate both systems alike."""
    values = np.array([[1, 2, 2, 2, 2, 2, 2, 2], [3, 3, 3, 3, 3, 3, 3, 3]])
    (picture,) = written(tmp_path, ["a>b"] * 2, 4, values).pictures["differences"]
    assert "q: 1 rated b higher, 1 alike, 0 a higher." in picture.alt
    assert "counts at the one farther from zero" in picture.caption
