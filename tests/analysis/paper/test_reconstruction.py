"""A possible data set: Tables 3 and 5 come out equal, and one broken rating is seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml

from analysis.paper.comparison import Compared, compare_tables, table
from analysis.paper.published import published
from analysis.paper.reconstruction import (
    ITEM_KEYS,
    Reconstruction,
    arrangements,
    data_sets,
    possible,
    reconstruct,
)
from analysis.paper.reconstruction_csv import csv_files
from analysis.report import summarise

QUESTIONNAIRE = Path(__file__).parents[3] / "questionnaires" / "skingen.yaml"


def compared(drawn: Reconstruction, folder: Path) -> tuple[Compared, ...]:
    for name, content in csv_files(drawn).items():
        (folder / name).write_bytes(content)
    return compare_tables(summarise(folder / "ratings.csv", "reconstruction"), published())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_tables_3_and_5_come_out_as_published(seed: int, tmp_path: Path) -> None:
    cells = compared(reconstruct(seed), tmp_path)
    assert len(cells) == 1 + 8 + 12
    assert [cell for cell in cells if not cell.equal] == []
    assert table(cells).title == "Published and reconstructed: 21 of 21 cells are equal"


def test_one_broken_rating_is_seen(tmp_path: Path) -> None:
    drawn = reconstruct(0)
    first = drawn.people[0]
    worse = replace(first, ratings=MappingProxyType({**first.ratings, "useful": first.ratings["useful"] - 1}))
    cells = compared(replace(drawn, people=(worse, *drawn.people[1:])), tmp_path)
    broken = [cell for cell in cells if not cell.equal]
    assert {cell.cell.row for cell in broken} == {"I find SkinGEN to be a useful system."}
    assert ("mean", "4.38", "4.34") in [(cell.cell.column, cell.cell.value, cell.computed) for cell in broken]
    assert "NOT EQUAL" in table(cells).markdown()


def test_one_person_missing_or_of_another_gender_is_seen(tmp_path: Path) -> None:
    drawn = reconstruct(0)
    fewer = compared(replace(drawn, people=drawn.people[1:]), tmp_path)
    assert next(cell for cell in fewer if cell.cell.column == "n").computed == "31"
    other = {"male": "female", "female": "male"}[drawn.people[0].answers["gender"]]
    turned = replace(drawn.people[0], answers=MappingProxyType({**drawn.people[0].answers, "gender": other}))
    cells = compared(replace(drawn, people=(turned, *drawn.people[1:])), tmp_path)
    assert {cell.cell.row for cell in cells if not cell.equal} == {"Gender: Male", "Gender: Female"}


def test_people_and_counts_are_those_of_the_paper() -> None:
    drawn = reconstruct(5)
    assert len(drawn.people) == 32
    assert Counter(person.answers["gender"] for person in drawn.people) == {"male": 22, "female": 10}
    assert Counter(person.answers["medical_background"] for person in drawn.people) == {"yes": 12, "no": 20}
    for row, key in ITEM_KEYS.items():
        counts = Counter(person.ratings[key] for person in drawn.people)
        assert tuple(counts[point] for point in range(1, 6)) == drawn.distributions[key]
        assert drawn.distributions[key] in possible(row)


def test_the_seed_decides_and_each_data_set_is_as_likely() -> None:
    assert reconstruct(3) == reconstruct(3) != reconstruct(4)
    met = Counter(reconstruct(seed).distributions["realistic"] for seed in range(300))
    ways = {counts: arrangements(counts) for counts in possible("The generated skin disease image looks realistic.")}
    assert set(met) <= set(ways)
    assert len(met) >= 3
    for counts in ways:  # three standard errors of a share of 300 draws are 0.087 at most
        assert abs(met[counts] / 300 - ways[counts] / sum(ways.values())) < 0.09


def test_nothing_is_invented_for_figure_9(tmp_path: Path) -> None:
    compared(reconstruct(0), tmp_path)
    summary = summarise(tmp_path / "ratings.csv", "reconstruction")
    assert summary.data.repeated_items == ()
    assert summary.comparisons == ()
    assert summary.simulated
    assert set(summary.data.ratings["condition"].dropna()) == set()


def test_keys_and_wordings_are_those_of_the_questionnaire() -> None:
    study = yaml.safe_load(QUESTIONNAIRE.read_text())
    once = {item["wording"]["en"]: item["id"] for item in study["items"] if not item["repeated"]}
    assert once == dict(ITEM_KEYS)


def test_arrangements() -> None:
    assert arrangements((2, 1)) == 3
    assert arrangements((1, 1, 1, 1)) == 24
    assert arrangements((0, 5)) == 1
    assert data_sets() > 10**90
