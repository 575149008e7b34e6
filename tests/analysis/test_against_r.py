"""Every figure of R's reference is equal to ours, or has its reason; see against_r."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.analysis import against_r
from tests.analysis.against_r import CARRY_OVER, EXACT, WIDER, Leaf, account, leaves, summary
from tests.analysis.oracle import R
from tests.analysis.test_sensitivity import LMER


@pytest.fixture(scope="module")
def every() -> list[Leaf]:
    return account()


def test_every_entry_of_the_reference_is_accounted_for(every: list[Leaf]) -> None:
    assert [leaf.path for leaf in every] == [path for path, _ in leaves(R)]
    counts = Counter(leaf.standing for leaf in every)
    assert counts == {"equal": 1743, "wider": 189, "different": 294, "not ours": 2290}
    bounds = {leaf.path: LMER if leaf.why == CARRY_OVER else EXACT for leaf in every if leaf.standing != "wider"}
    assert all((leaf.apart or 0) <= bounds[leaf.path] for leaf in every if leaf.path in bounds)
    assert f"{counts['equal']} figures equal to 1e-09 relative" in summary(every)


def test_what_is_not_behind_an_optimiser_is_equal(every: list[Leaf]) -> None:
    wide = [leaf.path for leaf in every if leaf.standing == "wider"]
    assert not [path for path in wide if not re.search(r"/lmm|carryover_lmm|/clmm/|factanal", path)]
    assert all(any(leaf.why == why for _, _, why in WIDER) for leaf in every if leaf.standing == "wider")


def test_a_wrong_figure_and_one_without_a_reason_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {"vectors/likert32/n": 33, "no/such/figure": 1}
    monkeypatch.setattr(against_r, "ours", lambda: figures)
    with pytest.raises(AssertionError) as failure:
        account()
    said = str(failure.value)
    assert "vectors/likert32/n: 33, R has 32" in said
    assert "no/such/figure: R's reference has no such figure" in said
    assert "missing/items/Q1/friedman/chi2: neither compared nor explained" in said
