"""Who and what is out, by which rule, and the omnibus tests with the excluded participants put back in."""

from __future__ import annotations

import numpy as np

from analysis.between import kruskal_wallis
from analysis.compare import Comparison, compare_items
from analysis.facts import Facts, with_notes
from analysis.friedman import Friedman
from analysis.measures import Item
from analysis.mixed_design import groups_of, mixed_design
from analysis.model import StudyData
from analysis.subgroups import effect_facts

SIDES = {"without": False, "with": True}


def exclusions(data: StudyData, comparisons: tuple[Comparison, ...]) -> Facts:
    """{participants, rows, missing_answers, with_and_without}.

    Args:
        comparisons: of the tested items, without the excluded participants.
    """
    facts = {
        "participants": data.left_out,
        "rows": list(data.bad_rows),
        "missing_answers": data.absent,
        "with_and_without": None if data.excluded_ratings.empty else _sides(data, comparisons),
    }
    return with_notes(facts, "no excluded participant has answers")


def _sides(data: StudyData, comparisons: tuple[Comparison, ...]) -> Facts:
    """item -> {without, with} -> the omnibus test that the design has."""
    if data.between or groups_of(data):
        test = _kruskal if data.between else _mixed
        return {item.key: {side: test(data, item, back) for side, back in SIDES.items()} for item in data.tested_items}
    again = compare_items({item.key: data.by_condition(item, with_excluded=True) for item in data.tested_items})
    return {
        without.item: {"without": _friedman(without.friedman), "with": _friedman(with_them.friedman)}
        for without, with_them in zip(comparisons, again, strict=True)
    }


def _friedman(test: Friedman) -> Facts:
    return with_notes({"n": test.n, "chi2": test.chi2, "p": test.p, "kendall_w": test.kendall_w}, test.note)


def _kruskal(data: StudyData, item: Item, with_excluded: bool) -> Facts:
    frame = data.by_condition(item, with_excluded)
    test = kruskal_wallis([np.asarray(frame[key].dropna(), dtype=float) for key in frame])
    p = test.p if test.p_exact is None else test.p_exact
    return with_notes({"n": test.n, "chi2": test.chi2, "p": p}, test.note)


def _mixed(data: StudyData, item: Item, with_excluded: bool) -> Facts:
    found = mixed_design(data, item, with_excluded)
    assert found is not None  # asked for where there are groups
    return {"n": found.n, **effect_facts(found.condition)}
