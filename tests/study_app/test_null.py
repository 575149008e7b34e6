"""A small run of `tests.study_app.null`: no effect is found where there is none, and a known one is."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import fmean, stdev

import pytest
from scipy import stats

from study_app.study.definition import Study
from tests.study_app import null
from tests.study_app.null import ALPHA, SHIFTED, Found


def test_without_an_effect_the_analysis_rejects_as_rarely_as_it_says() -> None:
    found = list(null.studies(range(1, 11), people=6, effect=0.0))
    p = [value for each in found for value in each.p.values()]
    assert len(p) == 30
    assert len(set(p)) > 10
    rejected = sum(value <= ALPHA for value in p)
    assert rejected <= stats.binom.ppf(0.999, len(p), ALPHA), "more than Monte Carlo error allows"


def test_a_known_effect_is_recovered(study: Study) -> None:
    found = list(null.studies(range(1, 6), people=12, effect=1.5))
    expected = null.expected_difference(study, 1.5)
    assert 0.9 < expected < 1.3, "the scale's end cuts a part of it off"
    differences = [each.difference for each in found]
    assert abs(fmean(differences) - expected) < 4 * stdev(differences) / math.sqrt(len(found))
    assert null.rejections(found)[SHIFTED] >= 0.6
    assert all(each.p[SHIFTED] < each.p[item] for each in found for item in each.p if item != SHIFTED)


def test_the_expected_difference_is_that_of_a_normal_variable_cut_off(study: Study) -> None:
    """Against 1..5 by scipy: middle 3.4, standard deviation 1."""
    edges = [1.5, 2.5, 3.5, 4.5]
    means = []
    for centre in (3.4, 4.0):
        below = [0.0, *stats.norm.cdf(edges, centre, 1.0), 1.0]
        means.append(sum(point * (below[point] - below[point - 1]) for point in range(1, 6)))
    assert null.expected_difference(study, 0.6) == pytest.approx(means[1] - means[0], abs=1e-12)
    assert null.expected_difference(study, 0.0) == 0.0


def test_a_run_goes_on_where_it_was_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def one_study(_: Study, people: int, effect: float, seed: int) -> Found:
        asked.append(seed)
        return Found(seed, people, effect, {SHIFTED: 0.01 * seed}, {SHIFTED: 0.02 * seed}, float(seed))

    monkeypatch.setattr(null, "one_study", one_study)
    file = tmp_path / "null.jsonl"
    null.run(range(1, 4), 6, 0.0, file)
    file.write_text(file.read_text()[:-20])  # cut off in the middle of the third line
    again = null.run(range(1, 6), 6, 0.0, file)
    assert asked == [1, 2, 3, 3, 4, 5]
    assert sorted(each.seed for each in again) == [1, 2, 3, 4, 5]
    assert {each.seed for each in null.kept(file, 6, 0.0)} == {1, 2, 3, 4, 5}
    assert null.kept(file, 6, 0.6) == null.kept(file, 12, 0.0) == [], "another effect or size is another run"
    assert null.rejections(again) == {SHIFTED: 1.0, "any item, Holm": 0.4}
    assert "5 studies of 6 people" in null.said(again)
