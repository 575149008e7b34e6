"""How numbers are printed."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from analysis.describe import bounded, describe, half_up, p_value


def test_every_mean_of_32_answers_is_rounded_half_up() -> None:
    differs = 0
    for total in range(32, 161):
        exact = Fraction(total, 32)
        expected = math.floor(exact * 100 + Fraction(1, 2))
        assert half_up(total / 32) == f"{expected // 100}.{expected % 100:02d}"
        differs += half_up(total / 32) != f"{total / 32:.2f}"
    assert differs == 8  # those that Python's half-even rounding gets wrong


@pytest.mark.parametrize(
    ("value", "text"), [(1.005, "1.01"), (2.675, "2.68"), (-0.125, "−0.13"), (None, "–"), (math.nan, "–")]
)
def test_half_up(value: float | None, text: str) -> None:
    assert half_up(value) == text


def test_apa_forms() -> None:
    assert [p_value(p) for p in (0.0004, 0.004, 0.0415, 1.0, None)] == [
        "< .001",
        ".004",
        ".042",
        "1.000",
        "–",
    ]
    assert [bounded(r) for r in (0.17, -0.709, 1.0, -1.0, 0.0)] == [".17", "−.71", "1.00", "−1.00", ".00"]


def test_cells_too_small_for_a_figure() -> None:
    assert describe([], 1, 5).mean_sd == "– ± –"
    assert describe([4], 1, 5).mean_sd == "4.00 ± –"


def test_answers_between_the_points_are_not_counted_as_points() -> None:
    cell = describe([3.5, 4.0], 1, 5)
    assert cell.counts == {}
    assert cell.mean == 3.75
