"""Each file of an export against a small study written by hand: exact rows, hostile text, names, types."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study_app.study.definition import Study
from study_app.study.export import write_export
from study_app.study.export.columns import COLUMNS
from study_app.study.export.csv_files import count_rows, safe_cell, write_csv
from study_app.study.export.spss import LONGEST, RESERVED, safe_name
from study_app.study.export.tables import NAMES
from study_app.study.export.wide import variables
from study_app.study.store import Store
from tests.study_app.export_study import HOSTILE, KINDS, YAML, answer, exposure, fill, lamps, person


@pytest.fixture
def small(tmp_path: Path) -> Study:
    return lamps(tmp_path)


@pytest.fixture
def content(store: Store, small: Study, tmp_path: Path) -> zipfile.ZipFile:
    fill(store, small)
    write_export(store, tmp_path / "export.zip")
    return zipfile.ZipFile(tmp_path / "export.zip")


def rows(content: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.read(name).decode(), newline="")))


def parquet(content: zipfile.ZipFile, table: str) -> pyarrow.Table:
    return pyarrow.parquet.read_table(io.BytesIO(content.read(f"parquet/{table}.parquet")))


def test_the_wide_file_is_exactly_this(content: zipfile.ZipFile, small: Study) -> None:
    lines = list(csv.reader(io.StringIO(content.read("wide/two_lamps.csv").decode(), newline="")))
    at, done, hash_ = "2026-01-01T10:00:00.000Z", "2026-01-01T10:09:00.000Z", small.hash
    hostile = '\'@SUM(1) "x",;\t\ufffd\ufffdé 皮肤 👩🏽‍⚕️'
    person = "participant,run_kind,outcome,exclusion_reason,definition_hash,sequence,arrived_at,completed_at"
    answers = "period_a,exposure_s_a,period_b,exposure_s_b,hand,bright_a,bright_b,v_all,comments"
    assert lines == [
        [*person.split(","), *answers.split(",")],
        [
            "P0001",
            "live",
            "completed",
            "",
            hash_,
            "b>a",
            at,
            done,
            "2",
            "60.0",
            "1",
            "30.5",
            "left",
            "0",
            "2",
            "1",
            hostile,
        ],
        ["P0002", "live", "active", "", hash_, "a>b", at, "", "1", "", "", "", "right", "", "", "", ""],
        ["P0003", "live", "screened_out", "declined", hash_, "", at, "", "", "", "", "", "", "", "", "", ""],
        ["P0004", "pilot", "active", "", hash_, "a>b", at, "", "1", "1.0", "", "", "", "2", "", "", "007"],
    ]


def test_a_wide_file_has_one_line_a_participant(content: zipfile.ZipFile) -> None:
    assert len(content.read("wide/two_lamps.csv").decode().splitlines()) == 1 + 4


def test_spss_syntax_gives_names_lengths_and_labels(content: zipfile.ZipFile) -> None:
    lines = content.read("wide/two_lamps.sps").decode().splitlines()
    assert "  /FILE='two_lamps.csv'" in lines
    assert {"    hand A5", "    bright_a F8.0", "    exposure_s_b F12.3", "    definition_hash A64"} <= set(lines)
    assert "  exclusion_reason 'Why a researcher took the participant out, or ''declined'''" in lines
    place = lines.index("VALUE LABELS bright_b")
    assert lines[place : place + 4] == ["VALUE LABELS bright_b", "  0 'No'", "  1 'Perhaps'", "  2 'Yes'."]
    assert max(len(line.encode()) for line in lines) <= 256


@pytest.mark.skipif(shutil.which("pspp") is None, reason="PSPP, which reads SPSS syntax, is not installed")
@pytest.mark.parametrize("sign", ["DOT", "COMMA"])
def test_the_syntax_reads_the_wide_file(content: zipfile.ZipFile, tmp_path: Path, sign: str) -> None:
    """Also where the decimal sign is a comma, as in a German or French SPSS, which is set back afterwards."""
    content.extractall(tmp_path)
    folder = tmp_path / "wide"
    save = "SAVE TRANSLATE /OUTFILE='{}.csv' /TYPE=CSV /FIELDNAMES /CELLS={}."
    lines = [f"SET DECIMAL={sign}.", "INSERT FILE='two_lamps.sps'.", "SHOW DECIMAL.", "SET DECIMAL=DOT."]
    lines += [save.format("back", "LABELS"), save.format("values", "VALUES"), ""]
    (folder / "run.sps").write_text("\n".join(lines))
    done = subprocess.run(["pspp", "run.sps"], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "warning" not in said
    assert f"DECIMAL is `{'.' if sign == 'DOT' else ','}'" in said
    seconds = [[row["exposure_s_a"], row["exposure_s_b"]] for row in rows(content, "wide/two_lamps.csv")]
    assert seconds == [["60.0", "30.5"], ["", ""], ["", ""], ["1.0", ""]]
    with (folder / "values.csv").open(encoding="utf-8", newline="") as file:
        read = [[row["exposure_s_a"], row["exposure_s_b"]] for row in csv.DictReader(file)]
    assert [[cell.strip() and float(cell) for cell in row] for row in read] == [
        [cell and float(cell) for cell in row] for row in seconds
    ]
    with (folder / "back.csv").open(encoding="utf-8", newline="") as file:
        shown = ("participant", "bright_a", "hand", "period_a")
        back = [tuple(row[name].strip() for name in shown) for row in csv.DictReader(file)]
    assert back == [
        ("P0001", "No", "Left", "2"),
        ("P0002", "", "Right | other", "1"),
        ("P0003", "", "", ""),
        ("P0004", "Yes", "", "1"),
    ]


def test_the_tidy_ratings_are_exactly_these(content: zipfile.ZipFile) -> None:
    shown = ("run_kind", "participant", "sequence", "period", "condition", "item", "construct", "value", "duration_s")
    assert [tuple(row[name] for name in shown) for row in rows(content, "ratings.csv")] == [
        ("live", "P0001", "b>a", "1", "b", "bright", "Light", "2", "1.5"),
        ("live", "P0001", "b>a", "2", "a", "bright", "Light", "0", "1.5"),
        ("live", "P0001", "b>a", "", "", "all", "Liking", "1", "1.5"),
        ("pilot", "P0004", "a>b", "1", "a", "bright", "Light", "2", "1.5"),
    ]
    changes = {(row["participant"], row["item"]): row["changes"] for row in rows(content, "all_answers.csv")}
    assert changes["P0004", "bright"] == "2"


def test_hostile_text_is_defused_in_csv_and_exact_in_parquet(content: zipfile.ZipFile) -> None:
    comments = {row["participant"]: row["comment"] for row in rows(content, "comments.csv")}
    assert comments["P0001"] == "'" + HOSTILE.replace("\x00", "\ufffd").replace("\x1b", "\ufffd")
    exact = parquet(content, "comments").to_pydict()
    assert dict(zip(exact["participant"], exact["comment"], strict=True)) == {"P0001": HOSTILE, "P0004": "007"}


def test_parquet_has_types(content: zipfile.ZipFile) -> None:
    ratings = parquet(content, "ratings")
    types = {field.name: str(field.type) for field in ratings.schema}
    assert types["value"] == types["duration_s"] == "double"
    assert types["period"] == "int64"
    assert types["answered_at"] == "timestamp[ms, tz=UTC]"
    assert ratings["value"].to_pylist() == [2, 0, 1, 2]
    assert ratings["answered_at"][0].as_py() == datetime(2026, 1, 1, 10, 5, tzinfo=UTC)
    assert parquet(content, "all_answers")["value"].to_pylist()[:3] == ["left", "2", "0"]
    assert parquet(content, "photo_exchanges").num_rows == 0


def test_the_codebook_describes_every_variable_of_every_file(content: zipfile.ZipFile) -> None:
    described = {(row["file"], row["variable"]) for row in rows(content, "codebook.csv")}
    tables = [*(f"{name}.csv" for name in NAMES), "wide/two_lamps.csv"]
    for name in tables:
        header = next(csv.reader(io.StringIO(content.read(name).decode(), newline="")))
        assert {(name, column) for column in header} <= described
    assert {row["description"] for row in rows(content, "codebook.csv") if not row["description"].strip()} == set()
    assert not [row for row in rows(content, "codebook.csv") if row["description"].startswith("Column of the view")]


def test_the_codebook_gives_wording_values_condition_and_type(content: zipfile.ZipFile, small: Study) -> None:
    entries = {(row["file"], row["variable"]): row for row in rows(content, "codebook.csv")}
    bright = entries["wide/two_lamps.csv", "bright_b"]
    assert bright == {
        "file": "wide/two_lamps.csv",
        "variable": "bright_b",
        "description": "Lamp B: It is bright.",
        "type": "integer",
        "values": "0 = No; 1 = Perhaps; 2 = Yes",
        "minimum": "0",
        "maximum": "2",
        "unit": "",
        "item": "bright",
        "condition": "b",
        "construct": "Light",
        "note": "",
        "translations": "",
        "definitions": small.hash[:12],
    }
    assert entries["wide/two_lamps.csv", "hand"]["values"] == "left = Left; right = Right | other"
    text = content.read("codebook.md").decode()
    assert "| bright_b | Lamp B: It is bright. | integer | 0 = No; 1 = Perhaps; 2 = Yes | b |" in text
    assert "Right \\| other" in text


def test_versions_of_a_study_share_one_wide_file(store: Store, small: Study, tmp_path: Path) -> None:
    fill(store, small)
    changed = YAML.replace("It is bright.", "It is very bright.").replace("id: all", "id: shine")
    second = lamps(tmp_path, changed)
    store.register(second)
    token = store.arrive(second, "live")
    assert token
    write_export(store, tmp_path / "export.zip")
    with zipfile.ZipFile(tmp_path / "export.zip") as content:
        wide = rows(content, "wide/two_lamps.csv")
        entries = {row["variable"]: row for row in rows(content, "codebook.csv") if row["file"] == "wide/two_lamps.csv"}
    assert [row["definition_hash"] for row in wide] == [small.hash] * 4 + [second.hash]
    assert (wide[0]["v_all"], wide[0]["shine"]) == ("1", "")
    assert entries["bright_a"]["description"] == "Lamp A: It is bright. / Lamp A: It is very bright."
    assert entries["bright_a"]["definitions"] == f"{small.hash[:12]}, {second.hash[:12]}"
    assert entries["shine"]["definitions"] == second.hash[:12]


def test_every_kind_of_item_and_every_score_has_its_columns(store: Store, tmp_path: Path) -> None:
    study = lamps(tmp_path, KINDS)
    store.register(study)
    conn = sqlite3.connect(store.database.path)
    with conn:
        person(conn, study.hash, "P0001", "live", "active", sequence="a>b")
        exposure(conn, "P0001", 1, "a", None)
        for item, period, value in (
            ("age", None, "prefer_not_to_say"),
            ("clear", 1, 6),
            ("muddled", 1, 3),
            ("sure", 1, 70),
            ("doctor", 1, "prefer_not_to_say"),
            ("heard", None, '["app", "friend"]'),
            ("order", None, '["friend", "app", "book"]'),
            ("tick", None, 1),
            ("word", None, "gut"),
            ("story", None, "gone"),
            ("story", None, ""),  # taken back
            ("weight", None, 0.25),
        ):
            answer(conn, "P0001", item, period, value)
    conn.close()
    write_export(store, tmp_path / "export.zip")
    with zipfile.ZipFile(tmp_path / "export.zip") as content:
        (wide,) = rows(content, "wide/kinds.csv")
        entries = {row["variable"]: row for row in rows(content, "codebook.csv") if row["file"] == "wide/kinds.csv"}
        values = {row["item"]: row["value"] for row in rows(content, "all_answers.csv")}
        ratings = [row["item"] for row in rows(content, "ratings.csv")]
        scores = rows(content, "scores.csv")
        of_ratings = {row["item"] for row in rows(content, "codebook.csv") if row["file"] == "ratings.csv"} - {""}
        psychds = json.loads(content.read("psych-ds/dataset_description.json"))
    assert {name: cell for name, cell in list(wide.items())[8:] if cell} == {
        "period_a": "1",
        "clear_a": "6",
        "muddled_a": "3",
        "sure_a": "70",
        "doctor_a": "prefer_not_to_say",
        "heard_app": "1",
        "heard_book": "0",
        "heard_friend": "1",
        "order_app": "2",
        "order_book": "3",
        "order_friend": "1",
        "tick": "1",
        "word": "gut",
        "weight": "0.25",
        "clarity_a": "5.5",  # mean of 6 and 8 - 3
    }
    assert {"age", "story", "clear_b", "clarity_b"} <= set(wide)
    assert values["age"] == "prefer_not_to_say"
    assert "story" not in values
    assert ratings == ["clear", "muddled", "sure"]
    assert [json.loads(made["items"]) for made in scores] == [["clear", "muddled"]]
    assert [(made["label"], made["reverse"], made["method"]) for made in scores] == [
        ("Klarheit", '["muddled"]', "mean")
    ]
    assert {"clear", "muddled", "sure"} == of_ratings
    assert entries["heard_book"]["values"] == "0 = not chosen; 1 = chosen"
    assert [entries["age"][name] for name in ("minimum", "maximum", "unit")] == ["18.0", "99.0", "Jahre"]
    assert "'prefer_not_to_say'" in entries["age"]["note"]
    assert entries["tick"]["note"] == "attention check, right is 1"
    assert entries["order_book"]["description"] == "Ordnen. [Buch]"
    assert entries["clear_a"]["translations"] == "zh: 很清楚。"
    assert entries["clarity_b"]["description"] == "Lamp B: Klarheit: mean of clear, muddled (reversed)"
    assert "author" not in psychds  # the institution is still in square brackets
    assert {"word", "story"}.isdisjoint(variable["name"] for variable in psychds["variableMeasured"])


def test_completion_codes_are_only_in_the_database(content: zipfile.ZipFile) -> None:
    holders = [name for name in content.namelist() if b"SECRET-CODE" in content.read(name)]
    assert holders in ([], ["study.db"])


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x"])
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert safe_cell(text) == "'" + text


@pytest.mark.parametrize("value", [-1, 1.5, None, "plain", "", "a=b", "'quoted", "a\tb\nc"])
def test_all_else_stays(value: object) -> None:
    assert safe_cell(value) == value


@given(st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=2), max_size=6))
def test_whatever_is_written_is_counted_and_read_back(tmp_path_factory: pytest.TempPathFactory, cells: object) -> None:
    assert isinstance(cells, list)
    file = tmp_path_factory.mktemp("csv") / "x.csv"
    write_csv(file, ("a", "b"), cells)
    with file.open("rb") as opened:
        assert count_rows(opened) == len(cells)
    with file.open(encoding="utf-8", newline="") as text:
        assert list(csv.reader(text))[1:] == [[safe_cell(cell) for cell in row] for row in cells]


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_reserved_words_are_no_names(word: str) -> None:
    assert safe_name(word.upper(), set()) == f"v_{word.upper()}"


@given(st.lists(st.one_of(st.text(max_size=80), st.sampled_from(["x" * 64, "x" * 65, "X" * 70, "a_b", "A_b", "ä"]))))
def test_names_suit_spss_and_differ(texts: list[str]) -> None:
    taken: set[str] = set()
    names = [safe_name(text, taken) for text in texts]
    assert len({name.lower() for name in names}) == len(names)
    for name in names:
        assert len(name) <= LONGEST
        assert name[0] in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        assert all(character.isascii() and (character.isalnum() or character == "_") for character in name)
        assert not name.endswith("_")
        assert name.lower() not in RESERVED


def test_names_that_would_collide_are_told_apart(tmp_path: Path) -> None:
    from study_app.study.export.variables import Asked, Definition

    asked = tuple(Asked(item, item, "", "scale", True, ((1, "x"),)) for item in ("a", "a_b"))
    definition = Definition("h" * 64, "s", "t", "i", "", (("b_c", "1"), ("c", "2")), asked, None)
    names = [variable.name for variable in variables([definition]) if variable.asked]
    assert names == ["a_b_c", "a_c", "a_b_b_c", "a_b_c_2"]


def test_every_column_is_described(content: zipfile.ZipFile) -> None:
    """A column that a new version of a view brings needs a line in columns.py."""
    columns = {
        column for name in NAMES for column in next(csv.reader(io.StringIO(content.read(f"{name}.csv").decode())))
    }
    assert columns <= set(COLUMNS)
