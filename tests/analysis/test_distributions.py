"""Our distributions and midranks are scipy.stats' own, to the last bit; the tests that use them, to rounding."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis import distributions as ours
from analysis.between import kruskal_wallis, mann_whitney
from analysis.rm_anova import paired_t


@pytest.mark.parametrize("x", [0.0, 0.3, 1.0, 2.718, 17.0, 400.0])
@pytest.mark.parametrize("df", [1, 2, 3.7, 31, 10_000])
def test_tails_and_quantiles(x: float, df: float) -> None:
    assert ours.normal_tail(x) == stats.norm.sf(x)
    assert ours.chi2_tail(x, df) == stats.chi2.sf(x, df)
    assert ours.f_tail(x, 2, df) == stats.f.sf(x, 2, df)
    assert ours.f_tail(-x, 2, df) == stats.f.sf(-x, 2, df) == 1
    assert ours.t_tail(x, df) == stats.t.sf(x, df)
    p = x / (x + 1)
    assert ours.f_quantile(p, df, 7) == stats.f.ppf(p, df, 7)
    assert p == 0 or ours.t_quantile(p, df) == stats.t.ppf(p, df)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 5), min_size=3, max_size=3), min_size=1, max_size=20))
def test_midranks(rows: list[list[int]]) -> None:
    assert (ours.midranks(rows) == stats.rankdata(rows, axis=1)).all()
    flat = np.ravel(rows)
    assert (ours.midranks(flat) == stats.rankdata(flat)).all()
    assert ours.midranks(np.empty((0, 3))).shape == (0, 3)


def close(figures: Any) -> Any:
    """Sums of squares are added up in another order."""
    return pytest.approx(figures, rel=1e-9, abs=1e-12)


answers = st.lists(st.integers(1, 7), min_size=2, max_size=40)


@settings(deadline=None)
@given(answers, answers, answers)
def test_tests_that_use_them(first: list[int], second: list[int], third: list[int]) -> None:
    if len({*first, *second}) > 1:
        normal = stats.mannwhitneyu(first, second, use_continuity=False, method="asymptotic")
        assert mann_whitney(first, second).p_asymptotic == close(normal.pvalue)
    if len({*first, *second, *third}) > 1:
        groups = [np.array(group, dtype=float) for group in (first, second, third)]
        found, theirs = kruskal_wallis(groups, exact=False), stats.kruskal(*groups)
        assert (found.chi2, found.p) == close((theirs.statistic, theirs.pvalue))
    if len(set(first)) > 1:
        found_t, theirs_t = paired_t(first), stats.ttest_1samp(np.array(first, dtype=float), 0.0)
        assert (found_t.t, found_t.p) == close((theirs_t.statistic, theirs_t.pvalue))
        assert found_t.ci == close(tuple(theirs_t.confidence_interval(0.95)))


def test_the_command_does_not_import_what_it_does_not_need() -> None:
    """Half a second of every report."""
    loaded = "import sys, analysis.__main__; print([m for m in ('scipy.stats', 'seaborn') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True).stdout
    assert said.strip() == "[]"
