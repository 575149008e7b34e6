"""No test rejects more often than its level when there is no effect, within the Monte Carlo error."""

from __future__ import annotations

from tests.analysis.size import ALPHA, error, rejections

EXACT = (
    "Friedman, exact",
    "Wilcoxon, exact",
    "Wilcoxon, Pratt, exact",
    "Mann–Whitney, exact (between)",
)


def test_exact_tests_keep_their_level_and_see_an_effect() -> None:
    size = rejections(12, 0.0, 300, seed=2, with_clmm=False)
    assert len(size) == 10
    assert all(size[name] <= ALPHA + 3 * error(300) for name in EXACT)
    power = rejections(12, 1.2, 60, seed=2, with_clmm=False)
    assert all(power[name] > 0.4 for name in power if "between" not in name)
