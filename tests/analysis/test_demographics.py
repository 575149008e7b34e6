"""Table 3 is of the questions that the study asked."""

from __future__ import annotations

import csv
import json
import sqlite3
import statistics
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from analysis.report import Summary, summarise
from study_app.study.definition import load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.simulate import simulate
from study_app.study.store import Store
from tests.analysis.builder import COLUMNS, Book

QUESTIONNAIRES = Path(__file__).parents[2] / "questionnaires"


def asked() -> Book:
    book = Book()
    book.define()
    book.ask("occupation", "single", {"nurse": "Nurse", "doctor": "Physician", "other": "Other"})
    book.ask("heard_of", "multiple", {"app": "An app", "book": "A book", "friend": "A friend"})
    book.ask("age", "number", unit="years")
    book.ask("glasses", "yes_no", {"yes": "Ja", "no": "Nein"})
    book.ask("story", "long_text")
    book.ask("preferred", "ranking", {"words": "Words", "images": "Images"})
    return book


def answer(book: Book, name: str, **given: Any) -> None:
    book.rate(book.person(name, demographics=json.dumps(given)), "trust", 4, "text")


def answered() -> Book:
    book = asked()
    ranked = json.dumps(["images", "words"])
    answer(book, "P1", occupation="doctor", heard_of=json.dumps(["app", "friend"]), age=30, story="my name is Bond")
    answer(book, "P2", occupation="doctor", heard_of=json.dumps(["app"]), age=41.5, glasses="no", preferred=ranked)
    answer(book, "P3", occupation="nurse", age="prefer_not_to_say", glasses="prefer_not_to_say", preferred=ranked)
    answer(book, "P4", heard_of=json.dumps(["app"]), age=50, glasses="no")
    return book


EXPECTED = [
    ("Occupation", "Nurse", "1", "25.00%"),
    ("", "Physician", "2", "50.00%"),
    ("", "Other", "0", "0.00%"),
    ("", "Not stated", "1", "25.00%"),
    ("Heard of", "An app", "3", "75.00%"),
    ("", "A book", "0", "0.00%"),
    ("", "A friend", "1", "25.00%"),
    ("", "Not stated", "1", "25.00%"),
    ("Age (years)", "M = 40.50, SD = 10.04, range 30 to 50", "3", "75.00%"),
    ("", "Prefer not to say", "1", "25.00%"),
    ("Glasses", "Ja", "0", "0.00%"),
    ("", "Nein", "2", "50.00%"),
    ("", "Prefer not to say", "1", "25.00%"),
    ("", "Not stated", "1", "25.00%"),
    ("Preferred, ranked first", "Words", "0", "0.00%"),
    ("", "Images", "2", "50.00%"),
    ("", "Not stated", "2", "50.00%"),
]


def shown(summary: Summary) -> list[tuple[str, ...]]:
    return list(summary.table3.display.itertuples(index=False, name=None))


def test_every_kind_of_question_is_counted_in_its_way_and_free_text_is_not_there(tmp_path: Path) -> None:
    summary = summarise(answered().write(tmp_path / "study.db"))
    assert shown(summary) == EXPECTED
    assert summary.table3.note.startswith("Several options could be chosen: Heard of.")
    assert b"Bond" not in summary.table3.csv()
    row = summary.table3.frame.query("characteristic == 'Age (years)'").iloc[0]
    assert (row["mean"], row["minimum"], row["maximum"]) == (40.5, 30, 50)
    assert row["sd"] == pytest.approx(statistics.stdev([30, 41.5, 50]))


def test_what_people_wrote_makes_no_subgroups(tmp_path: Path) -> None:
    book = answered()
    for number, person in enumerate(book.participants):
        person["demographics"] = json.dumps({"story": f"story {number % 2}", "glasses": ("yes", "no")[number % 2]})
    assert list(summarise(book.write(tmp_path / "study.db")).facts["subgroups"]) == ["glasses"]


def test_the_questions_are_read_beside_a_csv_too(tmp_path: Path) -> None:
    book = answered()
    for name, columns in COLUMNS.items():
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            rows = csv.DictWriter(file, columns.split(), extrasaction="ignore")
            rows.writeheader()
            rows.writerows(getattr(book, name))
    assert shown(summarise(tmp_path / "ratings.csv")) == EXPECTED


def test_questions_without_their_options_are_counted_by_what_was_answered(tmp_path: Path) -> None:
    """A database or export made before the options were told."""
    path = answered().write(tmp_path / "study.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE questions DROP COLUMN options")
        connection.execute("ALTER TABLE questions DROP COLUMN unit")
    rows = shown(summarise(path))
    assert rows[:3] == [
        ("Occupation", "Doctor", "2", "50.00%"),
        ("", "Nurse", "1", "25.00%"),
        ("", "Not stated", "1", "25.00%"),
    ]
    assert ("Glasses", "Yes", "0", "0.00%") in rows


def test_nothing_is_reported_that_was_not_asked(tmp_path: Path) -> None:
    book = Book()
    book.define()
    answer(book, "P1")
    summary = summarise(book.write(tmp_path / "study.db"))
    assert summary.table3.frame.empty
    assert "table3" not in [table.name for table in summary.tables]


def simulated(name: str, n: int, folder: Path) -> Path:
    path = folder / "study.db"
    store = Store.open(path)
    simulate(load_study(QUESTIONNAIRES / f"{name}.yaml"), store, MediaStore(folder_of(path), store), n, seed=5)
    store.close()
    return path


def test_the_clinical_study_reports_its_own_questions(tmp_path: Path) -> None:
    path = simulated("skingpt4_clinical", 3, tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        log = connection.execute("SELECT item, value FROM answer WHERE period IS NULL").fetchall()
    years = [value for item, value in log if item == "years_of_practice"]
    certified = [value for item, value in log if item == "certified"]
    table = summarise(path).table3.frame
    assert list(dict.fromkeys(table["characteristic"])) == ["Certified", "Years of practice"]
    counts = table[table["characteristic"] == "Certified"].set_index("option")["count"].to_dict()
    assert counts == {"Yes": certified.count("yes"), "No": certified.count("no")}
    assert sum(counts.values()) == 3
    (row,) = table[table["characteristic"] == "Years of practice"].to_dict("records")
    assert (row["count"], row["mean"], row["minimum"]) == (3, pytest.approx(statistics.mean(years)), min(years))
    assert row["sd"] == pytest.approx(statistics.stdev(years))


def test_the_skingen_study_has_table_3_as_the_paper_prints_it(tmp_path: Path) -> None:
    """Male before female, though the study asks in another order; options that nobody chose are not printed."""
    path = simulated("skingen", 6, tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER answer_never_changes")
        connection.execute("UPDATE answer SET value = 'female' WHERE item = 'gender'")
        connection.execute("UPDATE answer SET value = 'no' WHERE item = 'medical_background'")
    assert shown(summarise(path)) == [
        ("Gender", "Male", "0", "0.00%"),
        ("", "Female", "6", "100.00%"),
        ("Medical background", "Yes", "0", "0.00%"),
        ("", "No", "6", "100.00%"),
    ]
