"""The multinomial draws give the intervals that drawing participants one by one gives."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.bootstrap import kendall_w_interval, rank_biserial_interval, stream
from analysis.friedman import friedman
from analysis.wilcoxon import signed_rank
from tests.analysis.oracle import R, ratings


def one_by_one(figures: np.ndarray, statistic: object, draws: int) -> list[float]:
    rng = np.random.default_rng(5)
    found = [statistic(figures[rng.integers(0, len(figures), len(figures))]) for _ in range(draws)]  # type: ignore[operator]
    return [float(value) for value in np.quantile(found, [0.025, 0.975])]


def test_rank_biserial() -> None:
    frame = ratings("complete", "Q1")
    differences = (frame["A"] - frame["C"]).to_numpy(float)
    found = rank_biserial_interval(differences, stream(1, "Q1", "A", "C"))
    expected = one_by_one(differences, lambda d: signed_rank(d).rank_biserial or 0.0, 1500)
    assert found == pytest.approx(expected, abs=0.03)
    assert found[0] < R["complete"]["items"]["Q1"]["wilcoxon"]["pairs"]["A-C"]["rank_biserial"]["r_rb"] < found[1]


def test_kendall_w() -> None:
    values = ratings("complete", "Q1").to_numpy(float)
    found = kendall_w_interval(values, stream(1, "Q1"))
    assert found == pytest.approx(one_by_one(values, lambda v: friedman(v).kendall_w or 0.0, 800), abs=0.03)


def test_the_same_seed_gives_the_same_interval_and_another_name_another_stream() -> None:
    d = [1, 2, -1, 0, 3, -2, 1]
    assert rank_biserial_interval(d, stream(1, "a")) == rank_biserial_interval(d, stream(1, "a"))
    assert stream(1, "a").random() != stream(1, "b").random()
    assert stream(1, "a").random() != stream(2, "a").random()


def test_degenerate_answers_are_plain() -> None:
    assert rank_biserial_interval([1.0], stream(1)) is None
    assert rank_biserial_interval([0.0, 0.0], stream(1)) == (0.0, 0.0)
    assert rank_biserial_interval([-1.0] * 8, stream(1)) == (-1.0, -1.0)
    assert kendall_w_interval([[1, 2, 3]], stream(1)) is None
    assert kendall_w_interval([[3, 3, 3]] * 4, stream(1)) == (0.0, 0.0)
    assert kendall_w_interval([[1], [2]], stream(1)) is None
