"""No test rejects more often than its level when there is no effect, within the Monte Carlo error."""

from __future__ import annotations

import numpy as np
import pytest

from tests.analysis.size import ALPHA, DOC, KINDS, SHIFT, Kind, draw, error, rejections

RANKS, BETWEEN = KINDS[:2]
EXACT = (
    "Friedman, exact",
    "Wilcoxon, exact",
    "Wilcoxon, Pratt, exact",
    "Wilcoxon, exact, Holm: any of the three pairs",
)


def test_exact_tests_keep_their_level_and_see_an_effect() -> None:
    size = rejections(RANKS, 12, 0.0, 300, seed=2)
    assert len(size) == 9
    assert all(size[name] <= ALPHA + 3 * error(300) for name in EXACT)
    power = rejections(RANKS, 12, 2 * SHIFT, 60, seed=2)
    assert all(share > 0.4 for share in power.values())
    different_people = rejections(BETWEEN, 12, 0.0, 200, seed=2)
    assert different_people["Mann–Whitney, exact (between)"] <= ALPHA + 3 * error(200)
    assert different_people["Kruskal–Wallis, exact (between)"] <= ALPHA + 3 * error(200)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.tests.__name__)
def test_every_family_gets_its_own_effect(kind: Kind) -> None:
    generator = np.random.default_rng(1)
    study = draw(kind, 12, 4.0, generator)
    higher = kind.higher(study.orders, study.groups)
    assert 0 < higher.mean() < 1
    assert study.ratings[higher == 1].mean() > study.ratings[higher == 0].mean() + 1
    assert all(p is None or np.isnan(p) or 0 <= p <= 1 for p in kind.tests(study).values())


def test_the_page_has_every_test() -> None:
    generator = np.random.default_rng(1)
    names = {name for kind in KINDS for name in kind.tests(draw(kind, 12, SHIFT, generator))}
    shown = {line.split(" | ")[0].removeprefix("| ") for line in DOC.read_text("utf-8").splitlines() if "| " in line}
    assert names <= shown
