"""What the loader accepts, refuses, and says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from analysis.errors import InputError, NoData
from analysis.load import load
from study_app.__main__ import cli
from tests.analysis.builder import COLUMNS, HASH, Book, answered


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "study.db"


def test_only_completed_participants_count_and_the_rest_is_accounted_for(database: Path) -> None:
    book = answered(4)
    for name, outcome, reason in [
        ("P0101", "excluded", "failed attention check"),
        ("P0102", "excluded", "failed attention check"),
        ("P0103", "withdrawn", None),
        ("P0104", "active", None),
    ]:
        person = book.person(name, outcome, exclusion_reason=reason, allocated_at=None)
        book.rate(person, "trust", 1, "text")
    data = load(book.write(database))
    assert data.n == 4
    assert data.left_out == {"excluded: failed attention check": 2, "still taking part": 1, "withdrawn": 1}
    assert (data.flow.arrived, data.flow.allocated, data.flow.completed) == (8, 4, 4)
    assert len(data.ratings) == 4 * (9 + 3)
    assert [condition.key for condition in data.conditions] == ["text", "cases", "generated"]


def test_pilot_and_live_are_never_mixed(database: Path) -> None:
    book = answered(3)
    person = book.person("P0900", run_kind="pilot")
    book.rate(person, "trust", 5, "text")
    book.write(database)
    assert load(database).n == 3
    assert list(load(database, "pilot").participants["participant"]) == ["P0900"]


def test_a_pilot_only_file_points_to_the_option(database: Path) -> None:
    book = Book()
    book.define()
    book.person("P0001", run_kind="pilot")
    with pytest.raises(NoData, match="--run-kind pilot"):
        load(book.write(database))


def test_nobody_has_completed(database: Path) -> None:
    book = Book()
    book.define()
    with pytest.raises(NoData, match="nobody has taken part"):
        load(book.write(database))
    book.person("P0001", "active")
    with pytest.raises(NoData, match=r"1 arrived: 1 still taking part"):
        load(book.write(database))


def test_a_csv_without_participants(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("participant,condition,item,value\n")
    with pytest.raises((NoData, InputError), match=r"nobody|no rows"):
        load(path)


@pytest.mark.parametrize("value", [6, 0, "nan", "many"])
def test_a_value_off_the_scale_names_its_row(database: Path, value: object) -> None:
    book = answered(2)
    book.ratings[7]["value"] = value
    who, item = book.ratings[7]["participant"], book.ratings[7]["item"]
    with pytest.raises(InputError, match=rf"row 8 \(participant {who}, item {item}.*{value}"):
        load(book.write(database))


def test_two_answers_to_one_item(database: Path) -> None:
    book = answered(2)
    book.ratings.append(dict(book.ratings[0], value=2))
    with pytest.raises(InputError, match=r"row 1 .*answered again in .*row 25 "):
        load(book.write(database))


def test_conditions_where_they_belong(database: Path) -> None:
    book = answered(2)
    book.ratings[0]["condition"] = None
    with pytest.raises(InputError, match="rated once per condition"):
        load(book.write(database))
    book.ratings[0]["condition"] = "robot"
    with pytest.raises(InputError, match=r"unknown condition\. The study has text, cases, generated"):
        load(book.write(database))
    book = answered(2)
    book.ratings[9]["condition"] = "text"
    with pytest.raises(InputError, match="its condition must be empty"):
        load(book.write(database))


def test_versions_are_pooled_only_when_asked(database: Path) -> None:
    book = answered(3)
    other = "e2" * 32
    book.define(other)
    person = book.person("P0500", definition_hash=other)
    book.rate(person, "trust", 5, "text")
    book.write(database)
    with pytest.raises(InputError, match=r"different versions.*--pool-versions"):
        load(database)
    assert load(database, pool_versions=True).n == 4
    assert load(database, definition="e2").n == 1
    with pytest.raises(InputError, match="no participant under definition 'ff'"):
        load(database, definition="ff")
    book.items[-1]["scale_max"] = 7
    with pytest.raises(InputError, match="different scales"):
        load(book.write(database), pool_versions=True)


def test_ratings_of_a_stranger(database: Path) -> None:
    book = answered(2)
    book.ratings[3]["participant"] = "P9999"
    with pytest.raises(InputError, match="P9999, who is not among the participants"):
        load(book.write(database))


def test_broken_demographics(database: Path) -> None:
    book = answered(2)
    book.participants[1]["demographics"] = "{female"
    with pytest.raises(InputError, match="demographics of P0002 are not JSON"):
        load(book.write(database))


def test_several_studies_need_a_name(database: Path) -> None:
    book = answered(2)
    book.person("P0700", study="other")
    book.write(database)
    with pytest.raises(InputError, match=r"other, skingen\. Name one with --study"):
        load(database)
    assert load(database, study="skingen").n == 2


def test_files_that_are_no_study(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "none.db")
    empty = tmp_path / "empty.db"
    empty.touch()
    with pytest.raises(InputError, match="empty"):
        load(empty)
    binary = tmp_path / "photo.csv"
    binary.write_bytes(b"\xff\xd8\xff\xe0" * 20)
    with pytest.raises(InputError, match="not a CSV in UTF-8"):
        load(binary)
    cut = tmp_path / "cut.db"
    whole = answered(2).write(tmp_path / "whole.db").read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="SQLite cannot read it"):
        load(cut)


def test_a_database_without_the_views(database: Path) -> None:
    book = answered(2)
    book.write(database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("ALTER TABLE ratings RENAME COLUMN value TO score")
    with pytest.raises(InputError, match="view 'ratings': missing column value"):
        load(database)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DROP TABLE ratings")
    with pytest.raises(InputError, match="no view 'ratings'"):
        load(database)


@pytest.mark.parametrize("schema", sorted((Path(__file__).parents[1] / "study_app" / "databases").glob("*.sql")))
def test_views_of_an_older_app_are_brought_up_to_date_first(database: Path, schema: Path) -> None:
    """As they are they have no scores and no sliders, and means of several cases."""
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(schema.read_text())
        kinds = dict(connection.execute("SELECT run_kind, count(*) FROM participants GROUP BY 1 ORDER BY 1"))
    run_kind = next(iter(kinds))
    advice = f"older version.*python -m study_app status --db {database} "
    with pytest.raises(InputError, match=advice):
        load(database, run_kind)
    assert CliRunner().invoke(cli, ["status", "--db", str(database)]).exit_code == 0
    assert load(database, run_kind).items[0].kind == "likert"


def as_csv(book: Book, folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        frame = pd.DataFrame(getattr(book, name), columns=COLUMNS[name].split())
        frame.to_csv(folder / f"{name}.csv", index=False, encoding="utf-8-sig")
    return folder / "ratings.csv"


def test_a_csv_of_ratings_alone(tmp_path: Path) -> None:
    data = load(as_csv(answered(4), tmp_path, ("ratings",)))
    assert data.n == 4
    assert [item.key for item in data.single_items] == ["correct", "informative", "useful"]
    assert {item.key for item in data.repeated_items} == {"trust", "ease", "effort"}
    assert [condition.label for condition in data.conditions] == [
        "SkinGPT (text)",
        "SkinGPT + cases",
        "SkinGEN",
    ]
    assert "everyone with a rating counts as completed" in data.notes[0]


def test_a_folder_without_scores_and_kinds_says_what_it_may_lack(tmp_path: Path) -> None:
    names = ("ratings", "participants", "items", "conditions")
    (note,) = load(as_csv(answered(4), tmp_path, names)).notes
    assert note.startswith("Without scores.csv and the column 'kind' in items.csv, scores and sliders")
    assert "export it again" in note
    items = pd.read_csv(tmp_path / "items.csv").assign(kind="likert")
    items.to_csv(tmp_path / "items.csv", index=False)
    (note,) = load(tmp_path / "ratings.csv").notes
    assert note.startswith("Without scores.csv, scores")
    (tmp_path / "scores.csv").write_text("definition_hash,study,score,label,method,items,reverse,add,times\n")
    assert load(tmp_path / "ratings.csv").notes == ()


def test_a_six_in_a_csv_names_the_line_of_the_file(tmp_path: Path) -> None:
    book = answered(2)
    book.ratings[4]["value"] = 6
    path = as_csv(book, tmp_path, ("ratings",))
    assert ",6," in path.read_text("utf-8-sig").splitlines()[5]  # the sixth line
    with pytest.raises(InputError, match=r"ratings.csv, ratings row 6 .* 6 is not on the scale from 1 to 5"):
        load(path)
    assert load(path, scale=(1, 7)).n == 2


@pytest.mark.parametrize(("named", "cases"), [({}, 1), ({}, 2), ({"a>b>c": "ABC", "b>c>a": "BCA", "c>a>b": "CAB"}, 1)])
def test_cases_are_counted_where_sequences_say_their_conditions(
    tmp_path: Path, named: dict[str, str], cases: int
) -> None:
    rows = [
        f"P{who},{named.get(order, order)},{period},{order[(period - 1) // cases * 2]},trust,{1 + (who + period) % 5}"
        for who, order in enumerate(("a>b>c", "b>c>a", "c>a>b") * 2)
        for period in range(1, 3 * cases + 1)
    ]
    path = tmp_path / "ratings.csv"
    path.write_text("\n".join(["participant,sequence,period,condition,item,value", *rows]))
    data = load(path)
    assert data.cases == cases
    assert any("cases in each system" in note for note in data.notes) == (cases > 1)
    assert data.sequences["P1"] == "b>c>a"


def test_a_csv_with_its_siblings_equals_the_database(tmp_path: Path, database: Path) -> None:
    book = answered(6)
    book.person("P0101", "withdrawn")
    book.meta.append({"key": "simulated", "value": "1"})
    from_csv = load(as_csv(book, tmp_path, tuple(COLUMNS)))
    from_database = load(book.write(database))
    pd.testing.assert_frame_equal(from_csv.ratings, from_database.ratings)
    assert list(from_csv.participants["demographics"]) == list(from_database.participants["demographics"])
    assert from_csv.simulated
    compared = "study simulated definitions items conditions flow left_out last_answer"
    for name in compared.split():
        assert getattr(from_csv, name) == getattr(from_database, name)
    assert from_csv.definitions == (HASH,)


def test_a_rating_of_nobody(tmp_path: Path) -> None:
    book = answered(2)
    book.ratings[1]["participant"] = None
    with pytest.raises(InputError, match=r"ratings row 3 .*no participant"):
        load(as_csv(book, tmp_path, ("ratings",)))


def test_participants_called_na_and_007_keep_their_names(tmp_path: Path) -> None:
    book = Book()
    book.define()
    for name in ("NA", "007"):
        book.rate(book.person(name), "trust", 3, "text")
    data = load(as_csv(book, tmp_path, ("ratings", "participants")))
    assert list(data.participants["participant"]) == ["NA", "007"]
