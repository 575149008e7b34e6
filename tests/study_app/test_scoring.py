"""Scores against their published rules, worked out by hand, and the instruments that declare them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study_app.study.definition import DefinitionError, Likert, Study, load_study
from study_app.study.definition_items import Slider
from study_app.study.instruments import SHIPPED, Instrument, load_instrument, names
from study_app.study.scoring import Scored, scores
from tests.study_app.conftest import ENGLISH

RATINGS = st.lists(st.integers(1, 5), min_size=10, max_size=10)


@pytest.fixture(scope="module")
def using(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The SkinGEN study with every shipped instrument: the first after each condition, the others once."""
    rows = "".join(f"\n  - {{instrument: {name}, repeated: {str(name == 'sus').lower()}}}" for name in names())
    file = tmp_path_factory.mktemp("studies") / "study.yaml"
    file.write_text(ENGLISH.read_text().replace("items:  ", f"items:{rows}\n#", 1))
    return load_study(file)


def value_of(found: tuple[Scored, ...], score: str, period: int | None = None) -> float | None:
    (value,) = [each.value for each in found if (each.score, each.period) == (score, period)]
    return value


def sus(study: Study, ratings: list[int], period: int = 1) -> float | None:
    answers = {(f"sus_{n}", period): rating for n, rating in enumerate(ratings, 1)}
    return value_of(scores(study, answers), "sus", period)


@given(RATINGS)
def test_sus_follows_brooke(using: Study, ratings: list[int]) -> None:
    """Brooke (1996): odd items contribute position minus 1, even ones 5 minus position; the sum times 2.5."""
    odd, even = ratings[0::2], ratings[1::2]
    by_hand = 2.5 * (sum(rating - 1 for rating in odd) + sum(5 - rating for rating in even))
    assert sus(using, ratings) == by_hand


def test_sus_of_known_answers(using: Study) -> None:
    assert sus(using, [5, 1] * 5) == 100
    assert sus(using, [1, 5] * 5) == 0
    assert sus(using, [3] * 10, period=3) == 50
    assert sus(using, [4, 2, 4, 1, 5, 2, 5, 1, 4, 2]) == 85


def test_trust_of_jian_reverses_the_first_five(using: Study) -> None:
    answers = {(f"jian_{n}", None): 1 if n <= 5 else 7 for n in range(1, 13)}
    assert value_of(scores(using, answers), "jian_trust") == 7
    answers = {(f"jian_{n}", None): n % 7 + 1 for n in range(1, 13)}  # 2 3 4 5 6 | 7 1 2 3 4 5 6
    assert value_of(scores(using, answers), "jian_trust") == pytest.approx((6 + 5 + 4 + 3 + 2 + 28) / 12)


def test_raw_task_load_is_the_mean_of_six(using: Study) -> None:
    names_ = ("mental", "physical", "temporal", "performance", "effort", "frustration")
    answers = {(f"tlx_{name}", None): value for name, value in zip(names_, (80, 5, 60, 30, 75, 50), strict=True)}
    assert value_of(scores(using, answers), "nasa_tlx_raw") == 50


def test_a_score_needs_all_its_items_and_a_number_in_each(using: Study, moles: Study) -> None:
    assert sus(using, [3] * 9) is None
    assert value_of(scores(using, {}), "nasa_tlx_raw") is None
    assert value_of(scores(moles, {("clear", 1): 6, ("muddled", 1): ""}), "clarity", 1) is None
    found = scores(moles, {("clear", 2): 6, ("muddled", 2): 3})
    assert [each.period for each in found] == [1, 2]
    assert value_of(found, "clarity", 2) == 5.5  # 6 and 8 - 3


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_instrument_is_cited_and_scores_all_its_items(file: Path) -> None:
    instrument: Instrument = load_instrument(file)
    assert instrument.id == file.stem
    assert any(year in instrument.citation for year in ("1988", "1996", "2000"))
    assert len(instrument.licence) > 40
    (score,) = instrument.scores
    assert list(score.items) == [item.id for item in instrument.items]


def test_the_shipped_instruments_have_the_points_of_their_sources() -> None:
    points = {name: load_instrument(SHIPPED / f"{name}.yaml") for name in names()}
    assert {name: len(each.items) for name, each in points.items()} == {"sus": 10, "jian_trust": 12, "nasa_tlx_raw": 6}
    assert points["sus"].scales["sus"].points == (1, 2, 3, 4, 5)
    assert points["jian_trust"].scales["jian_trust"].points == (1, 2, 3, 4, 5, 6, 7)
    steps = {(i.minimum, i.maximum, i.step) for i in points["nasa_tlx_raw"].items if isinstance(i, Slider)}
    assert steps == {(0, 100, 5)}


def test_an_instrument_becomes_part_of_the_definition(using: Study, study: Study) -> None:
    assert [source.id for source in using.instruments] == ["jian_trust", "nasa_tlx_raw", "sus"]
    assert Study.from_canonical(using.canonical()) == using
    assert using.hash != study.hash
    item = using.item("sus_4")
    assert isinstance(item, Likert)
    assert item.repeated
    reworded = replace(using, items=tuple(replace(i, wording="x") if i.id == "sus_4" else i for i in using.items))
    assert reworded.hash != using.hash


def test_a_study_may_bring_an_instrument_of_its_own_and_its_mistakes_are_told(tmp_path: Path) -> None:
    (tmp_path / "instruments").mkdir()
    own = tmp_path / "instruments" / "own.yaml"
    good = (SHIPPED / "sus.yaml").read_text().replace("id: sus\n", "id: own\n", 1)
    file = tmp_path / "study.yaml"
    file.write_text(ENGLISH.read_text().replace("items:  ", "items:\n  - {instrument: own, repeated: true}\n#", 1))
    own.write_text(good)
    assert len(load_study(file).repeated_items) == 13
    own.write_text(good.replace("method: sum", "method: total"))
    with pytest.raises(DefinitionError, match=r"own\.yaml:\d+: score 'sus' has method 'total'; allowed: 'mean' or"):
        load_study(file)
