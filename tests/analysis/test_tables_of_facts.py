"""The tables made of results.json, the methods paragraph, several cases a condition, and the same bytes again."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from analysis.errors import InputError
from analysis.facts import as_json
from analysis.load import load
from analysis.report import Summary, summarise
from study_app.study.outcomes import DECLINED, FAILED_CHECKS, NOT_ELIGIBLE
from tests.analysis.builder import CONDITIONS, HASH, REPEATED, Book, Row, answered
from tests.analysis.test_pictures import whole


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole(20).write(tmp_path_factory.mktemp("facts") / "study.db")


@pytest.fixture(scope="module")
def summary(database: Path) -> Summary:
    return summarise(database)


def test_sensitivity_holds_the_p_of_results_json(summary: Summary) -> None:
    table = summary.further["sensitivity"].frame.set_index(["item", "comparison"])
    assert len(table) == len(REPEATED) * 4
    for key in REPEATED:
        facts = summary.facts["items"][key]
        row = table.loc[(key, "all")]
        assert row["p_reported"] == facts["friedman"]["p_exact"]
        assert row["p_asymptotic"] == facts["friedman"]["p"]
        assert row["p_parametric"] == facts["rm_anova"]["p_gg"]
        assert row["p_clmm"] == facts["clmm"]["p_f"]
        for pair, test in facts["pairs"].items():
            row = table.loc[(key, pair)]
            assert (row["p_reported"], row["p_other_ranks"]) == (test["p_exact"], test["p_pratt_exact"])
            all_p = [test["p_exact"], test["p_asymptotic"], test["p_pratt_exact"], facts["paired_t"][pair]["p"]]
            assert row["alike"] == (len({p <= 0.05 for p in all_p}) == 1)


def test_with_and_without_the_excluded_stand_side_by_side(summary: Summary, tmp_path: Path) -> None:
    table = summary.further["exclusions"]
    assert list(table.frame["n_without"]) == [20, 20, 20]
    assert list(table.frame["n_with"]) == [21, 21, 21]
    assert {"n, without", "n, with"} <= set(table.display.columns)
    assert summarise(answered(4).write(tmp_path / "all.db")).further["exclusions"].frame.empty


def test_every_table_says_n_and_who_is_out(tmp_path: Path) -> None:
    book = whole(8)
    gone = next(row for row in book.ratings if row["item"] == "ease" and row["condition"] == "cases")
    book.ratings.remove(gone)
    book.ratings[0]["value"] = 6
    summary = summarise(book.write(tmp_path / "study.db"), exclude_bad_rows=True)
    assert len(summary.tables) >= 9
    for table in summary.tables:
        assert "8 participants analysed; left out: 1 abandoned, 1 excluded by a researcher" in table.note
        assert f"Ease of Understanding, SkinGPT + cases: {gone['participant']}" in table.note
        assert "1 rating left out as impossible" in table.note
        assert "participants analysed" in table.latex()
        assert r"\toprule" in table.latex()


def test_what_a_researcher_typed_stands_in_the_account_of_the_participants_alone(tmp_path: Path) -> None:
    book, typed = answered(6), "told us that her name is Xyzzy"
    for number, (outcome, reason) in enumerate(
        [
            *(("excluded", typed), ("excluded", "a friend: answered"), ("excluded", FAILED_CHECKS)),
            *(("screened_out", f"{NOT_ELIGIBLE}: age"), ("screened_out", DECLINED), ("abandoned", None)),
        ]
    ):
        book.person(f"P09{number:02d}", outcome, exclusion_reason=reason, sequence="text>cases>generated")
    summary = summarise(book.write(tmp_path / "study.db"))
    said = (
        f"1 abandoned, 2 excluded by a researcher, 1 excluded: {FAILED_CHECKS}, 1 screened out: {DECLINED}, "
        f"1 screened out: {NOT_ELIGIBLE}: age"
    )
    assert f"6 left out ({said})." in summary.headline
    assert f"(left out: {said})" in summary.methods
    for table in summary.tables:
        assert f"left out: {said}." in table.note
        assert (typed in table.markdown()) == (table.name == "flow")
    assert summary.facts["exclusions"]["participants"][f"excluded: {typed}"] == 1


def test_table4_has_every_statement(summary: Summary) -> None:
    assert list(summary.table4.frame["question"])[:3] == [wording for wording, _ in REPEATED.values()]
    assert list(summary.table4.frame["n"]) == [60, 60, 60, 20, 20, 20]


def with_models(book: Book, path: Path) -> Path:
    """The database with a view of what was shown, as the study's own has one."""

    book.write(path)
    models = {"generator": {"id": "phantom/inpaint", "class": "X", "sha256": "ab" * 32}}
    rows = [
        (
            who["participant"],
            condition,
            f"photo{number % 2}",
            "eczema",
            diagnosis,
            json.dumps({"models": models, "profile": "phantom"}),
        )
        for number, who in enumerate(book.participants)
        for condition, diagnosis in (("text", "Eczema" if number % 4 else "acne"), ("cases", "eczema"))
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        names = "participant, condition, photo, known_label, diagnosis, manifest"
        connection.execute(f"CREATE TABLE exposures ({names})")
        connection.executemany("INSERT INTO exposures VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.execute("CREATE TABLE replies (participant, condition, response_s)")
        replies = [(row[0], row[1], float(1 + number)) for number, row in enumerate(rows)]
        connection.executemany("INSERT INTO replies VALUES (?, ?, ?)", replies)
    return path


def test_methods_name_seed_versions_definition_and_models(tmp_path: Path) -> None:
    path = with_models(answered(8), tmp_path / "study.db")
    summary = summarise(path, seed=77)
    text = summary.methods
    for said in ("seed 77", HASH, "scipy", "10,000 bootstrap draws", "8 participants completed", "live run"):
        assert said in text
    assert "generator: phantom/inpaint (profile phantom, weights SHA-256 abababababab, 16 exposures)" in text
    assert summary.facts["provenance"]["models"][0]["sha256"] == "ab" * 32
    assert "Kruskal" not in text  # nothing is said of what was not done: there are no periods, no groups


def test_figure_4_from_a_database(tmp_path: Path) -> None:
    """SkinGPT-4's Figures 4a to 4c: percent agree, answer times, the same diagnosis again."""
    summary = summarise(with_models(answered(8), tmp_path / "study.db"))
    agreed = summary.further["agreement"].frame.set_index(["item", "condition"])
    for item in REPEATED:
        for condition in CONDITIONS:
            rows = summary.data.ratings[lambda r, i=item, c=condition: (r["item"] == i) & (r["condition"] == c)]
            assert agreed.loc[(item, condition), "agree"] == (rows["value"] >= 4).sum()
    times = summary.facts["answer_times"]["text"]
    assert (times["n"], times["median"], times["low"], times["high"]) == (8, 8.0, 1.0, 15.0)
    test = summary.facts["answer_times"]["friedman"]  # over the two systems that answered: a sign test
    assert (test["n"], test["p_exact"]) == (8, 2 / 2**8)
    (drawn,) = summary.pictures["answer_times"]
    assert "Answers of the systems, SkinGPT (text): 8.0 s (4.5 to 11.5), n = 8." in drawn.alt
    assert drawn.svg.startswith(b"<?xml")
    assert any(one.test == "Friedman, answer times" and "p_exact = .008" in one.text for one in summary.said)
    again = summary.facts["consistency"]
    # photo0 was shown to participants 0, 2, 4, 6: 0 and 4 were told acne, the others eczema; photo1 always eczema
    assert {k: again["text"][k] for k in ("cases", "runs", "majority", "right")} == {
        **{"cases": 2, "runs": 8, "majority": 6, "right": 6}
    }
    assert again["cases"]["majority_percent"] == 100
    assert "generated" not in again
    systems = summary.further["systems"].display
    assert list(systems["Same diagnosis"]) == ["75.00%", "100.00%"]


def clinical(n: int = 6, cases: int = 4) -> Book:
    """One system, several cases, every item rated after each (questionnaires/skingpt4_clinical.yaml)."""
    book = Book()
    book.define()
    book.conditions = book.conditions[:1]
    for number in range(n):
        person: Row = book.person(f"P{number + 1:04d}", sequence="text", periods_finished=cases)
        for period in range(1, cases + 1):
            for place, item in enumerate(REPEATED):
                book.rate(person, item, 1 + (number + period * 2 + place) % 5, "text")
                book.ratings[-1] |= {"period": period, "sequence": "text"}
    return book


def test_several_cases_in_one_condition(tmp_path: Path) -> None:
    book = clinical()
    summary = summarise(book.write(tmp_path / "clinical.db"))
    assert summary.data.cases == 4
    assert "Every participant rated 4 cases in each system" in summary.headline + " ".join(summary.data.notes)
    assert list(summary.ratings_by_condition.frame["n"]) == [24, 24, 24]
    trust = [row["value"] for row in book.ratings if row["item"] == "trust"]
    assert summary.facts["agreement"]["trust"]["text"]["agree"] == sum(value >= 4 for value in trust)
    means = summary.data.by_condition(summary.data.repeated_items[0])["text"]
    first = [row["value"] for row in book.ratings if row["item"] == "trust" and row["participant"] == "P0001"]
    assert means["P0001"] == sum(first) / 4
    book.ratings.append(dict(book.ratings[0]))
    with pytest.raises(InputError, match="answered again"):
        load(book.write(tmp_path / "twice.db"))


BAD = {
    "a 6 on a 5-point scale": (
        "P2,text,trust,6\n",
        r"row 5 \(participant P2, item trust, condition text\): the value 6",
    ),
    "two answers to one item": ("P1,text,trust,2\n", r"row 2 .*answered again in .*row 5 "),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_row_of_a_csv_stops_with_its_row_named_unless_left_out(tmp_path: Path, what: str) -> None:
    row, message = BAD[what]
    csv = tmp_path / "ratings.csv"
    csv.write_text(f"participant,condition,item,value\nP1,text,trust,3\nP1,cases,trust,4\nP2,cases,trust,4\n{row}")
    with pytest.raises(InputError, match=message):
        load(csv)
    data = load(csv, exclude_bad_rows=True)
    assert data.bad_rows
    assert "P1" in data.bad_rows[0] or "P2" in data.bad_rows[0]


def test_the_same_rows_and_seed_give_the_same_bytes(database: Path, summary: Summary) -> None:
    """In another process with another hash seed: no table and no number depends on the order of a set."""
    code = (
        "import sys, hashlib; from analysis.report import summarise; from analysis.facts import as_json\n"
        "s = summarise(sys.argv[1])\n"
        "texts = [(t.name, t.csv() + t.markdown().encode() + t.latex().encode()) for t in s.tables]\n"
        "for name, text in texts: print(name, hashlib.sha256(text).hexdigest())\n"
        "print(hashlib.sha256(as_json(s.facts)).hexdigest(), hashlib.sha256(s.methods.encode()).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code, str(database)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert len(runs[0].splitlines()) == len(summary.tables) + 1 >= 10
    again = summarise(database, seed=1)
    assert as_json(again.facts) != as_json(summary.facts)
    pd.testing.assert_frame_equal(again.tests.frame, summary.tests.frame)
