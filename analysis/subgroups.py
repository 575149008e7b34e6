"""Does it differ between kinds of people? Description by subgroup and interaction with the condition.

A look at the data that the study did not plan for: nothing here is corrected for the number of looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.between import Kruskal, MannWhitney, kruskal_wallis, mann_whitney
from analysis.demographics import TEXTS
from analysis.describe import describe
from analysis.facts import Facts, with_notes
from analysis.friedman import Floats
from analysis.measures import Item
from analysis.mixed import Effect, dummies, effects
from analysis.model import StudyData

MOST_GROUPS = 6
"""A characteristic with more answers than this is free text or a number, not a grouping."""


def subgroups(data: StudyData) -> Facts:
    """characteristic -> its groups and, by item, their figures; a characteristic with one answer is left out."""
    found: Facts = {}
    for key, group_of in characteristics(data).items():
        counts = pd.Series(group_of).value_counts()
        found[key] = {
            "groups": {name: int(counts[name]) for name in sorted(counts.index)},
            "items": {item.key: _item(data, item, group_of) for item in data.tested_items},
        }
    return found


def characteristics(data: StudyData) -> dict[str, dict[str, str]]:
    """characteristic -> participant -> group, of those that divide the participants into 2 to 6 groups; what people
    wrote is none."""
    written = {question.key for question in data.questions or () if question.kind in TEXTS}
    people = dict(zip(data.participants["participant"], data.participants["demographics"], strict=True))
    keys = sorted({key for given in people.values() for key in given} - written)
    found = {key: {who: str(given[key]) for who, given in people.items() if given.get(key)} for key in keys}
    return {key: groups for key, groups in found.items() if 2 <= len(set(groups.values())) <= MOST_GROUPS}


def _item(data: StudyData, item: Item, group_of: Mapping[str, str]) -> Facts:
    frame = data.by_condition(item)
    names = sorted(set(group_of.values()))
    frames = {name: frame[[group_of.get(str(who)) == name for who in frame.index]] for name in names}
    return {
        "describe": {
            name: {str(condition): _cell(of_group[condition], item) for condition in of_group}
            for name, of_group in frames.items()
        },
        "interaction": effect_facts(interaction(frames)),
        "pairs": {
            f"{first}-{second}": _difference([(g[first] - g[second]).dropna().to_numpy(float) for g in frames.values()])
            for first, second in combinations(map(str, frame.columns), 2)
        },
    }


def _cell(column: pd.Series, item: Item) -> Facts:
    cell = describe(column.dropna().tolist(), item.scale_min, item.scale_max)
    return with_notes({"n": cell.n, "mean": cell.mean, "sd": cell.sd, "median": cell.median}, "too few answers")


def interaction(frames: Mapping[str, pd.DataFrame]) -> Effect:
    """Condition x group in a mixed model (R: lmer(y ~ condition * group + (1 | participant)), type III).

    Args:
        frames: group -> (participants, conditions) ratings, NaN where nothing was answered.
    """
    rows = pd.concat([frame.assign(group=name) for name, frame in frames.items()])
    rows = rows.reset_index(names="participant").melt(["participant", "group"], var_name="condition").dropna()
    if rows["condition"].nunique() < 2 or rows["group"].nunique() < 2:
        return Effect(note="fewer than two conditions or groups with answers")
    condition, group = dummies(list(rows["condition"])), dummies(list(rows["group"]))
    both = np.column_stack([a * b for a in condition.T for b in group.T])
    terms = {"condition": condition, "group": group, "both": both}
    return effects(rows["value"].to_numpy(float), list(rows["participant"]), terms, ["both"])["both"]


def _difference(groups: list[Floats]) -> Facts:
    """Do the groups differ in how they rate one condition against another? On the differences."""
    if len(groups) == 2:
        return mann_whitney_facts(mann_whitney(*groups))
    return kruskal_facts(kruskal_wallis(groups))


def effect_facts(effect: Effect) -> Facts:
    """{f, df1, df2, p}."""
    return with_notes({"f": effect.f, "df1": effect.df1, "df2": effect.df2, "p": effect.p}, effect.note)


def mann_whitney_facts(test: MannWhitney) -> Facts:
    """{n1, n2, u, p_exact, p_asymptotic, rank_biserial}."""
    names = ("n1", "n2", "u", "p_exact", "p_asymptotic", "rank_biserial")
    why = test.note or "too many people to count every choice: the asymptotic p is used"
    return with_notes({name: getattr(test, name) for name in names}, why)


def kruskal_facts(test: Kruskal) -> Facts:
    """{n, chi2, df, p, p_exact}."""
    facts = {"n": test.n, "chi2": test.chi2, "df": test.df, "p": test.p, "p_exact": test.p_exact}
    return with_notes(facts, test.note or test.exact_note or "not asked for")
