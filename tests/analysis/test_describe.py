"""How cells are described, numbers printed and ratings laid out as participants by conditions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.describe import bounded, describe, half_up, p_value
from analysis.model import pivoted


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


cells = st.lists(st.tuples(st.integers(1, 30), st.sampled_from("abc")), unique=True, min_size=1)


@settings(deadline=None)
@given(cells, st.booleans())
def test_pivoted_is_pandas_own_or_the_mean_of_several_cases(places: list[tuple[int, str]], twice: bool) -> None:
    rows = pd.DataFrame({"participant": [f"P{who}" for who, _ in places], "condition": [key for _, key in places],
                         "value": np.arange(len(places), dtype=float)})  # fmt: skip
    rows = rows.astype({"participant": object, "condition": object})
    expected = rows.pivot(index="participant", columns="condition", values="value")
    given_rows = pd.concat([rows, rows.assign(value=rows["value"] + 1)]) if twice else rows
    found = pivoted(given_rows, "condition", "value").sort_index().sort_index(axis=1)
    assert list(found.index) == list(expected.index)
    assert list(found.columns) == list(expected.columns)
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy() + (0.5 if twice else 0))
