"""Scores of scales as measures: described and tested in place of their items, and reliable when keyed alike."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.errors import InputError
from analysis.friedman import friedman
from analysis.load import load
from analysis.report import Summary, files, summarise
from study_app.study.definition import load_study
from study_app.study.export import write_export
from study_app.study.media import MediaStore, folder_of
from study_app.study.simulate import simulate
from study_app.study.store import Store
from tests.analysis.builder import CONDITIONS, HASH, Book
from tests.analysis.oracle import R, agree, long, ratings
from tests.analysis.test_results import every_null_has_its_reason
from tests.study_app.conftest import ENGLISH

N = 14
SUS = [f"sus_{n}" for n in range(1, 11)]
TLX = [f"tlx_{part}" for part in ("mental", "physical", "temporal", "performance", "effort", "frustration")]
TESTED = ["trust", "ease", "effort", "sus", "nasa_tlx_raw"]


def simulated(folder: Path, yaml: str, n: int = N) -> Path:
    """The unpacked export of a simulated run of the study ``yaml``."""
    (folder / "study.yaml").write_text(yaml)
    store = Store.open(folder / "collected.db")
    simulate(load_study(folder / "study.yaml"), store, MediaStore(folder_of(folder / "collected.db"), store), n, seed=3)
    write_export(store, folder / "export.zip")
    store.close()
    with zipfile.ZipFile(folder / "export.zip") as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")  # durable commits by the thousand are slow on a disk
    own = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    rows = "\n  - {instrument: sus, repeated: true}\n  - {instrument: nasa_tlx_raw, repeated: true}"
    yield simulated(own, ENGLISH.read_text().replace("items:  ", f"items:{rows}\n#", 1))
    shutil.rmtree(own)


@pytest.fixture(scope="module")
def summary(folder: Path) -> Summary:
    return summarise(folder / "study.db")


def test_scores_are_tested_as_the_columns_of_the_wide_file(folder: Path, summary: Summary) -> None:
    with (folder / "wide" / "skingen.csv").open(newline="") as file:
        people = list(csv.DictReader(file))
    assert len(people) == N
    for score in ("sus", "nasa_tlx_raw"):
        columns = [[float(person[f"{score}_{condition}"]) for person in people] for condition in CONDITIONS]
        facts = summary.facts["items"][score]
        expected = stats.friedmanchisquare(*np.round(columns, 9))
        assert facts["friedman"]["n"] == N
        assert facts["friedman"]["chi2"] == pytest.approx(expected.statistic, rel=1e-9)
        assert facts["friedman"]["p"] == pytest.approx(expected.pvalue, rel=1e-9)
        for condition, column in zip(CONDITIONS, columns, strict=True):
            assert facts["describe"][condition]["mean"] == pytest.approx(np.mean(column), rel=1e-12)
            assert facts["describe"][condition]["counts"] is None
        for pair, test in facts["pairs"].items():
            first, second = (np.array(columns[list(CONDITIONS).index(key)]) for key in pair.split("-"))
            differences = np.round(first - second, 9)
            ranks = stats.rankdata(np.abs(differences[differences != 0]))
            assert test["w_plus"] == ranks[differences[differences != 0] > 0].sum()


def test_items_of_a_score_are_described_and_not_tested(summary: Summary) -> None:
    facts = summary.facts["items"]
    every_null_has_its_reason(summary.facts)
    assert [found.item for found in summary.comparisons] == TESTED
    for item in (*SUS, *TLX):
        assert facts[item]["friedman"] is None
        assert facts[item]["pairs_note"].startswith("part of a score, which is tested: ")
        assert facts[item]["describe"]["text"]["n"] == N
    ranked = sorted(facts[item]["friedman"]["p_exact"] for item in TESTED)
    assert min(facts[item]["friedman"]["p_holm"] for item in TESTED) == pytest.approx(min(1, 5 * ranked[0]))
    assert set(summary.tests.frame["item"]) == set(TESTED)
    assert f"is tested in place of its items ({', '.join(SUS)})" in summary.tests.note
    assert "19 items" in summary.methods  # 10 + 6 + 3: a score is no item
    assert "Scores were compared between the systems, and the items that they are made of were not." in summary.methods


def test_tables_and_figures_have_a_score_on_its_own_scale(summary: Summary) -> None:
    described = summary.ratings_by_condition.frame
    assert set(described["item"]) == {*TESTED, *SUS, *TLX}
    assert not [name for name in described if name.startswith("count_") and int(name.removeprefix("count_")) > 5]
    rows = summary.table4.frame.set_index("item")
    assert tuple(rows.loc["sus", ["scale_min", "scale_max", "n"]]) == (0, 100, 3 * N)
    assert [{item.key for item, _ in page} for page in summary.pages] == [set(TESTED[:3]), set(TESTED[3:])]
    assert "Raw task load (0 to 100): mean of tlx_mental" in summary.figure_caption(1)
    assert "System Usability Scale (0 to 100)" in summary.figure_alt(1)
    bars = " ".join(picture.alt for picture in summary.pictures["counts"])
    assert "Usability (sus_2)" in bars
    assert not any(text in bars for text in ("Mental demand", "System Usability Scale", "Raw task load"))
    differences = " ".join(picture.alt for picture in summary.pictures["differences"])
    pair = summary.facts["items"]["sus"]["pairs"]["text-cases"]
    said = f"{pair['n_negative']} rated SkinGPT + cases higher, {pair['n_zero']} alike, {pair['n_positive']} SkinGPT"
    assert f"System Usability Scale (0 to 100): {said} (text) higher." in differences
    assert "sus_2" not in differences
    assert "sus" not in summary.facts["agreement"]
    written = files(summary)
    assert {"figure9.png", "figure9_2.svg", "figure9_2.pdf"} <= set(written)
    assert written["report.html"].decode().count("Figure 9. Ratings by system") == 2


def test_the_csv_files_of_an_export_say_the_same(folder: Path, summary: Summary, tmp_path: Path) -> None:
    again = summarise(folder / "ratings.csv").facts
    for part in ("items", "scales", "agreement"):
        assert again[part] == summary.facts[part]
    assert again["provenance"]["rows_sha256"] == summary.facts["provenance"]["rows_sha256"]
    for name in ("ratings", "participants", "items", "conditions"):  # an export of before there was scores.csv
        (tmp_path / f"{name}.csv").write_bytes((folder / f"{name}.csv").read_bytes())
    before = summarise(tmp_path / "ratings.csv")
    assert [found.item for found in before.comparisons] == [item.key for item in before.data.repeated_items]
    assert "sus" not in before.facts["items"]


def test_a_study_of_sliders_alone_is_reported(tmp_path: Path) -> None:
    head, tail = ENGLISH.read_text().replace("periods, final_items, comments", "periods, comments").split("items:  ", 1)
    rest = tail[tail.index("\ncomments:") :]
    folder = simulated(tmp_path, f"{head}items:\n  - {{instrument: nasa_tlx_raw, repeated: true}}\n{rest}", 8)
    found = summarise(folder / "study.db")
    assert [comparison.item for comparison in found.comparisons] == ["nasa_tlx_raw"]
    assert found.facts["items"]["tlx_effort"]["describe"]["cases"]["n"] == 8
    assert found.facts["agreement_note"] == "no statement is rated on a scale"
    assert b"Raw task load (0 to 100)" in files(found)["report.html"]
    assert "cumulative logit" not in found.methods  # nothing is said of what was not done
    assert found.facts["items"]["nasa_tlx_raw"]["clmm_note"] == "too many values for a model of ordered points"


def usability(answers: np.ndarray, tmp_path: Path) -> Path:
    """Ten SUS items, rated once by each row of ``answers``, with the score's definition beside them."""
    book = Book()
    book.define()
    about = {"definition_hash": HASH, "study": "skingen", "scale_min": 1, "scale_max": 5, "repeated": 0}
    book.items = [about | {"position": n, "item": key, "wording": key, "construct": "Use"} for n, key in enumerate(SUS)]
    for number, row in enumerate(answers):
        person = book.person(f"P{number + 1:04d}")
        for key, value in zip(SUS, row, strict=True):
            book.rate(person, key, int(value))
    for name in ("ratings", "participants", "items", "conditions"):
        pd.DataFrame(getattr(book, name)).to_csv(tmp_path / f"{name}.csv", index=False)
    made = {"score": "sus", "label": "SUS", "method": "sum", "items": json.dumps(SUS), "add": -10, "times": 2.5}
    row = {"definition_hash": HASH, "study": "skingen", "reverse": json.dumps(SUS[1::2])} | made
    pd.DataFrame([row]).to_csv(tmp_path / "scores.csv", index=False)
    return tmp_path / "ratings.csv"


def coherent(n: int = 40) -> np.ndarray:
    """(n, 10): who likes a system agrees with the odd statements and disagrees with the even ones."""
    rng = np.random.default_rng(5)
    felt = np.clip(np.round(3 + rng.normal(0, 1, (n, 1)) + rng.normal(0, 0.6, (n, 10))), 1, 5)
    felt[:, 1::2] = 6 - felt[:, 1::2]
    return felt


def test_alpha_of_a_score_is_that_of_the_reversed_answers(tmp_path: Path) -> None:
    answers = coherent()
    facts = summarise(usability(answers, tmp_path)).facts
    keyed = answers.copy()
    keyed[:, 1::2] = 6 - keyed[:, 1::2]
    by_hand = 10 / 9 * (1 - keyed.var(axis=0, ddof=1).sum() / keyed.sum(axis=1).var(ddof=1))
    found = facts["scales"]["sus"]["once"]
    assert found["alpha"] == pytest.approx(by_hand, rel=1e-12)
    assert found["alpha"] > 0.8
    assert found["omega"] > 0.8
    assert (found["items"], found["reversed"]) == (SUS, SUS[1::2])
    assert list(facts["scales"]) == ["sus"]  # the construct, whose items point both ways, is told by the score
    assert facts["items"]["sus"]["describe"]["once"]["mean"] == pytest.approx(2.5 * (keyed.sum(axis=1) - 10).mean())


def test_alpha_of_a_reversed_item_is_rs(tmp_path: Path) -> None:
    """R's three items with one of them turned round, and a score that turns it back."""
    rows = (
        long("complete").rename(columns={"rating": "value"}).assign(construct="scale", study="r", definition_hash="h")
    )
    turned = rows["item"] == "Q2"
    rows.loc[turned, "value"] = 6 - rows.loc[turned, "value"]
    rows.assign(run_kind="live").to_csv(tmp_path / "ratings.csv", index=False)
    about = {"study": "r", "definition_hash": "h"}
    scale = {"construct": "scale", "scale_min": 1, "scale_max": 5, "repeated": 1}
    items = [about | scale | {"item": key, "wording": key} for key in ("Q1", "Q2", "Q3")]
    pd.DataFrame(items).to_csv(tmp_path / "items.csv", index=False)
    made = {"score": "s", "label": "S", "method": "mean", "items": '["Q1", "Q2", "Q3"]', "reverse": '["Q2"]'}
    pd.DataFrame([about | made | {"add": 0, "times": 1}]).to_csv(tmp_path / "scores.csv", index=False)
    facts = summarise(tmp_path / "ratings.csv").facts
    for condition in ("A", "B", "C"):
        expected = R["complete"]["alpha"][condition]
        found = facts["scales"]["s"][condition]
        agree("alpha", found["alpha"], expected["raw_alpha"])
        agree("feldt", found["alpha_ci"], (expected["feldt"]["lower.ci"], expected["feldt"]["upper.ci"]))
    means = friedman(ratings("complete", "SCALE_MEAN"))
    assert facts["items"]["s"]["friedman"]["chi2"] == pytest.approx(means.chi2, rel=1e-9)


def test_simulated_people_answer_reversed_items_the_other_way(summary: Summary) -> None:
    for cell in summary.facts["scales"]["sus"].values():
        assert cell["alpha"] > 0.5
    means = summary.ratings_by_condition.frame.groupby("item")["mean"].mean()
    assert means[SUS[0::2]].min() > 3 > means[SUS[1::2]].max()


def test_different_people_are_compared_on_the_score(tmp_path: Path) -> None:
    values = np.random.default_rng(4).integers(1, 8, (12, 2))
    about = {"study": "s", "definition_hash": "h"}
    rows = [
        about | {"run_kind": "live", "participant": f"P{who}", "condition": "ab"[who % 2], "item": key, "value": value}
        for who, given in enumerate(values)
        for key, value in zip(("clear", "muddled"), given, strict=True)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "ratings.csv", index=False)
    scale = {"construct": "Clarity", "scale_min": 1, "scale_max": 7, "repeated": 1}
    items = [about | scale | {"item": key, "wording": key, "kind": "likert"} for key in ("clear", "muddled")]
    pd.DataFrame(items).to_csv(tmp_path / "items.csv", index=False)
    made = {"score": "clarity", "label": "Clarity", "method": "mean", "items": '["clear", "muddled"]', "add": 0}
    row = about | made | {"reverse": '["muddled"]', "times": 1}
    pd.DataFrame([row]).to_csv(tmp_path / "scores.csv", index=False)
    summary = summarise(tmp_path / "ratings.csv")
    clarity = (values[:, 0] + 8 - values[:, 1]) / 2
    facts = summary.facts["items"]
    assert facts["clarity"]["mann_whitney"]["a-b"]["u"] == stats.mannwhitneyu(clarity[0::2], clarity[1::2]).statistic
    assert facts["clear"]["kruskal_wallis_note"] == "part of a score, which is tested: Clarity"
    assert list(summary.tests.frame["item"]) == ["clarity", "clarity"]
    assert "Clarity is tested in place of its items (clear, muddled)" in summary.tests.note


def test_no_score_where_an_answer_is_missing(tmp_path: Path) -> None:
    path = usability(coherent(6), tmp_path)
    rows = pd.read_csv(path)
    rows.drop(index=rows.index[(rows["participant"] == "P0002") & (rows["item"] == "sus_7")]).to_csv(path, index=False)
    data = load(path)
    (item,) = [item for item in data.items if item.key == "sus"]
    assert sorted(set(data.participants["participant"]) - set(data.of_item(item)["participant"])) == ["P0002"]
    assert data.absent == {"sus_7": {"once": ["P0002"]}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": "sus_1 sus_2"}, "score 'sus' cannot be read"),
        ({"method": "median"}, "score 'sus' is a median of 10 items: mean or sum"),
        ({"reverse": '["trust"]'}, "score 'sus' reverses an item that it is not made of"),
    ],
)
def test_a_score_that_cannot_be_made_is_told(tmp_path: Path, change: dict[str, str], message: str) -> None:
    path = usability(coherent(4), tmp_path)
    pd.read_csv(tmp_path / "scores.csv").assign(**change).to_csv(tmp_path / "scores.csv", index=False)
    with pytest.raises(InputError, match=message):
        load(path)


def test_a_score_of_what_is_not_rated_is_left_out_and_said(tmp_path: Path) -> None:
    path = usability(coherent(4), tmp_path)
    table = pd.read_csv(tmp_path / "scores.csv")
    table.assign(items='["sus_1", "mood"]', reverse="[]").to_csv(tmp_path / "scores.csv", index=False)
    data = load(path)
    assert "SUS is not analysed: mood is no rated item." in data.notes
    assert data.scores == ()


def test_a_score_named_like_an_item_has_a_key_of_its_own(tmp_path: Path) -> None:
    path = usability(coherent(4), tmp_path)
    pd.read_csv(tmp_path / "scores.csv").assign(score="sus_1").to_csv(tmp_path / "scores.csv", index=False)
    facts = summarise(path).facts["items"]
    assert facts["score_sus_1"]["describe"]["once"]["mean"] != facts["sus_1"]["describe"]["once"]["mean"]


def test_columns_of_the_file_are_those_of_the_view(folder: Path) -> None:
    header = next(csv.reader(io.StringIO((folder / "scores.csv").read_text())))
    assert header[2:] == ["position", "score", "label", "method", "items", "reverse", "add", "times", "repeated"]
