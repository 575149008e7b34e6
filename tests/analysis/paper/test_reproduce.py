"""``python -m analysis reproduce``: what it writes, what it says, and how it ends."""

from __future__ import annotations

import csv
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from analysis.__main__ import app
from analysis.errors import InputError
from analysis.paper import figure9, reproduce
from analysis.paper.audit import audit
from analysis.paper.checks import Verdict
from analysis.paper.pages import what_cannot_be_reproduced
from analysis.paper.published import Published, published
from analysis.paper.reconstruction import reconstruct
from analysis.paper.undetermined import paired_p
from tests.analysis.builder import answered

FACTS = published()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reproduce") / "out"
    reproduce.reproduce(out)
    return out


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_tables_3_and_5_are_equal_cell_by_cell(folder: Path) -> None:
    found = rows(folder / "published_and_reconstructed.csv")
    assert len(found) == 21
    assert {row["equal"] for row in found} == {"True"}
    assert [row["published"] for row in found] == [row["computed"] for row in found]


def test_the_lists_are_complete(folder: Path) -> None:
    assert len(rows(folder / "closure.csv")) == 2 + 1 + 4 + 4 + 4 + 2
    assert len(rows(folder / "consistency.csv")) == 6 * 2 + 6
    assert len(rows(folder / "audit.csv")) == len(audit(FACTS)) > 60
    times = {(row["row"], row["what"]): row["seconds"] for row in rows(folder / "skingpt4_figure4bc.csv")}
    assert times["SkinGPT-4", "median"] == "0.73"
    assert times["online dermatologists", "upper quartile"] == "1050.0"
    agreeing = [row["percent_agree"] for row in rows(folder / "skingpt4_figure4a.csv")]
    assert agreeing == ["80.0", "81.25", "84.375", "86.25", "82.5", "91.875", "76.25"]


def test_the_page_leads_to_every_file(folder: Path) -> None:
    page = (folder / "reproduction.md").read_text()
    named = re.findall(r"^- `(.+)`$", page, re.MULTILINE)
    assert len(named) > 12
    assert [name for name in named if not (folder / name).is_file()] == []
    assert "21 of 21 cells are equal" in page
    assert "Nobody gave these answers" in page


def test_what_cannot_be_reproduced_comes_from_the_checks(folder: Path) -> None:
    text = (folder / "what_cannot_be_reproduced.md").read_text()
    checks = audit(FACTS)
    for check in checks:
        assert (check.sentence in text) is (check.verdict is not Verdict.holds)
    one = next(check for check in checks if check.key == "skingen.figure9.values")
    assert one.sentence not in what_cannot_be_reproduced([replace(one, verdict=Verdict.holds)])


def test_figure_9_says_what_is_unknown_and_invents_nothing(folder: Path) -> None:
    svg = (folder / "figure9.svg").read_text()
    root = ElementTree.fromstring(svg)
    drawn = " ".join(comment.strip() for comment in re.findall(r"<!--(.*?)-->", svg, re.DOTALL))
    assert root.tag.endswith("svg")
    assert "UNKNOWN: never published as numbers" in drawn
    assert drawn.count("?") == 9
    numbers = set(re.findall(r"\d\.\d\d", drawn))
    assert numbers == {cell.value for cell in FACTS.select("skingen", "table5")}
    with Image.open(folder / "figure9.png") as picture:
        assert picture.width == round(figure9.WIDTH_IN * 300)
    assert (folder / "figure9.pdf").read_bytes().startswith(b"%PDF")


def test_a_published_cell_of_figure_9_may_not_be_drawn_as_unknown() -> None:
    first = FACTS.select("skingen", "figure9")[0]
    facts = Published(tuple(replace(cell, value="3.50") if cell is first else cell for cell in FACTS.cells))
    with pytest.raises(ValueError, match="must be drawn"):
        figure9.draw(facts, ())


def test_the_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    reproduce.reproduce(tmp_path, seed=0)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert len(files) > 20
    assert [str(name) for name in files if (folder / name).read_bytes() != (tmp_path / name).read_bytes()] == []


def test_the_command_tells_every_cell_and_ends_with_0(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["reproduce", "--out", str(tmp_path), "--seed", "3"])
    assert result.exit_code == 0
    assert result.output.count("  equal\n") == 21
    assert "114 labels x 30 images = 3420, but Table 1 prints 3470" in result.output


def test_a_broken_rating_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = reconstruct(0)
    low = min(drawn.people, key=lambda person: person.ratings["informative"])
    worse = replace(low, ratings={**low.ratings, "informative": 1})
    broken = replace(drawn, people=tuple(worse if person is low else person for person in drawn.people))
    monkeypatch.setattr(reproduce, "reconstruct", lambda seed: broken)
    result = CliRunner().invoke(app, ["reproduce", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "NOT EQUAL" in result.output
    drawn_text = re.sub(r"\s+", " ", " ".join(re.findall(r"<!--(.*?)-->", (tmp_path / "figure9.svg").read_text())))
    assert "NOT the printed 4.41 ± 0.61" in drawn_text


def test_a_database_of_another_study_is_refused(tmp_path: Path) -> None:
    database = answered(4).write(tmp_path / "study.db")
    with pytest.raises(InputError, match="holds no reconstruction of the paper"):
        reproduce.reproduce(tmp_path / "out", database)
    result = CliRunner().invoke(app, ["reproduce", str(database), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2


def test_paired_p_is_least_when_both_are_sorted_alike() -> None:
    least, most = paired_p((0, 0, 4, 19, 9), (0, 0, 2, 15, 15), 1)
    assert least < 0.05 < most
