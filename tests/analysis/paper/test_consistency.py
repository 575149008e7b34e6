"""GRIM, GRIMMER and CLOSURE against published vectors, and against trying every data set."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections import Counter
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from analysis.paper import closure as closure_module
from analysis.paper.closure import TooMany, closure
from analysis.paper.consistency import grim, grimmer
from analysis.paper.rounding import Interval, Rule, rounds_to

VECTORS = json.loads((Path(__file__).parent / "consistency_vectors.json").read_text())
ROUNDING = {Rule.half_up: (ROUND_HALF_UP,), Rule.half_even: (ROUND_HALF_EVEN,)}
ROUNDING[Rule.either] = (ROUND_HALF_UP, ROUND_HALF_EVEN)


@pytest.mark.parametrize(("mean", "n", "published", "computed"), VECTORS["grim"])
def test_grim_vectors(mean: str, n: int, published: bool, computed: bool) -> None:
    assert grim(mean, n).grim is published is computed


@pytest.mark.parametrize(("mean", "sd", "n", "published", "computed"), VECTORS["grimmer"])
def test_grimmer_vectors(mean: str, sd: str, n: int, published: bool | None, computed: list[bool]) -> None:
    found = grimmer(mean, sd, n)
    assert [found.grim, found.grimmer] == computed
    assert published in (None, found.grimmer)
    assert (found.reason == "") is found.grimmer


@pytest.mark.parametrize("vector", VECTORS["closure_counts"], ids=lambda vector: f"{vector['mean']}-{vector['sd']}")
def test_closure_counts(vector: dict[str, object]) -> None:
    low, high = vector["scale"]  # type: ignore[misc]
    rows = closure(str(vector["mean"]), str(vector["sd"]), int(str(vector["n"])), (low, high))
    assert rows.shape == (vector["count"], high - low + 1)
    assert len({tuple(row) for row in rows.tolist()}) == vector["count"]
    assert (rows >= 0).all()
    assert set(rows.sum(axis=1)) == {vector["n"]}


def test_the_largest_published_cell_takes_less_than_a_fifth_of_a_second() -> None:
    start = time.process_time()  # not the clock on the wall: other programs may run beside
    assert len(closure("2.7", "1.9", 130)) == 5359
    assert time.process_time() - start < 0.2


@pytest.mark.parametrize("vector", VECTORS["paper_n32"], ids=lambda v: f"{v['mean']}-{v['sd']}-ddof{v['ddof']}")
def test_the_cells_of_table_5(vector: dict[str, object]) -> None:
    rows = closure(str(vector["mean"]), str(vector["sd"]), 32, ddof=int(str(vector["ddof"])))
    assert rows.tolist() == vector["solutions"]


SMALL = [
    (5, (1, 3), 1),
    (6, (0, 1), 1),
    (5, (1, 5), 1),
    (4, (-2, 2), 1),
    (4, (1, 7), 1),
    (4, (1, 5), 0),
    (7, (2, 4), 1),
]


@pytest.mark.parametrize(("n", "scale", "ddof"), SMALL)
@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("digits", [1, 2])
def test_closure_lists_what_trying_every_data_set_finds(
    n: int, scale: tuple[int, int], ddof: int, rule: Rule, digits: int
) -> None:
    """Every data set, printed by ``decimal``'s own rounding, and grouped by what is printed."""
    points = range(scale[0], scale[1] + 1)
    expected: dict[tuple[str, str], set[tuple[int, ...]]] = {}
    for values in itertools.combinations_with_replacement(points, n):
        counts = tuple(Counter(values)[point] for point in points)
        for mean, sd in itertools.product(*printed(values, ddof, rule, digits)):
            expected.setdefault((mean, sd), set()).add(counts)
    assert len(expected) >= 5
    for (mean, sd), distributions in expected.items():
        rows = closure(mean, sd, n, scale, ddof=ddof, rule=rule)
        assert {tuple(row) for row in rows.tolist()} == distributions
        assert len(rows) == len(distributions)
        assert rows.tolist() == sorted(rows.tolist())
        assert grimmer(mean, sd, n, scale, ddof=ddof, rule=rule).grimmer


def printed(values: tuple[int, ...], ddof: int, rule: Rule, digits: int) -> tuple[set[str], set[str]]:
    """What the rule prints for mean and SD; the variance is exact, the root has 40 digits."""
    n = len(values)
    mean = Fraction(sum(values), n)
    variance = sum((value - mean) ** 2 for value in values) / Fraction(n - ddof)
    scaled = variance.numerator * variance.denominator * 10**80
    root = Decimal(math.isqrt(scaled)) / variance.denominator / Decimal(10) ** 40
    exact_mean = Decimal(mean.numerator) / Decimal(mean.denominator)
    step = Decimal(1).scaleb(-digits)
    return tuple(  # type: ignore[return-value]
        {f"{value.quantize(step, rounding=mode):f}".replace("-0.00", "0.00") for mode in ROUNDING[rule]}
        for value in (exact_mean, root)
    )


def test_an_impossible_cell_has_no_distribution_and_a_reason() -> None:
    assert closure("4.17", "0.63", 32).shape == (0, 5)
    assert grimmer("4.17", "0.63", 32).reason == "no sum of 32 whole ratings gives a mean printed as 4.17"
    assert closure("4.16", "2.00", 32).shape == (0, 5)
    assert "out of the scale's reach" in grimmer("4.16", "2.00", 32, (1, 5)).reason
    assert not grim("5.50", 32, (1, 5)).grim
    assert grim("5.50", 32).grim


def test_the_rule_decides_ties() -> None:
    """100 / 32 = 3.125: half up prints 3.13, half even 3.12."""
    assert [grim("3.13", 32, rule=rule).sums for rule in (Rule.half_up, Rule.half_even)] == [(100,), ()]
    assert [grim("3.12", 32, rule=rule).sums for rule in (Rule.half_up, Rule.half_even)] == [(), (100,)]
    assert grim("3.12", 32).sums == grim("3.13", 32).sums == (100,)


def test_half_up_is_away_from_zero() -> None:
    assert Fraction(-5, 2) in rounds_to("-3", Rule.half_up)
    assert Fraction(-5, 2) not in rounds_to("-2", Rule.half_up)
    assert Fraction(1, 2) not in rounds_to("0", Rule.half_up)
    assert Fraction(-1, 2) in rounds_to("−1", Rule.half_up)


def test_intervals() -> None:
    tenth = Interval(Fraction(1), Fraction(2), True, False)
    assert list(tenth.integers()) == [1]
    assert list(tenth.times(3).plus(1).integers()) == [4, 5, 6]
    assert not tenth.overlaps(Interval(Fraction(2), Fraction(3)))
    assert tenth.overlaps(Interval(Fraction(0), Fraction(1)))
    assert Interval(Fraction(-1), Fraction(2)).squared() == Interval(Fraction(0), Fraction(4))


@pytest.mark.parametrize("text", ["", "four", "1/3", "nan", "1e3", "inf"])
def test_what_is_no_printed_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a printed decimal number"):
        grim(text, 10)


def test_arguments_without_an_answer_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        grim("3.0", 0)
    with pytest.raises(ValueError, match="no SD with ddof = 1"):
        grimmer("3.0", "0.0", 1)
    with pytest.raises(ValueError, match="no two points"):
        closure("3.0", "0.0", 5, (3, 3))


def test_a_list_too_long_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closure_module, "MOST", 5_358)
    with pytest.raises(TooMany, match="5,359 distributions fit; at most 5,358"):
        closure("2.7", "1.9", 130)
