"""Mixed designs: each group of participants was allocated its own conditions.

Pairs of conditions that one group met are compared within participants (`compare`); this is what remains: do the
conditions differ over all groups, do the groups differ, does their difference depend on the condition, and how do two
conditions compare that nobody met both of? (R: lmer(y ~ condition + group + (1 | participant)), type III,
Satterthwaite; condition x group on the conditions that every group met.) A linear model of ordinal answers: the honest
minimum, not more.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import cast

import pandas as pd

from analysis.between import mann_whitney
from analysis.facts import Facts
from analysis.holm import holm
from analysis.mixed import Effect, dummies, effects
from analysis.model import Item, StudyData
from analysis.subgroups import effect_facts, interaction, mann_whitney_facts

NO_GROUPS = "every participant was allocated the same conditions"


def groups_of(data: StudyData) -> dict[str, str]:
    """participant -> its group, named by its conditions (``text + cases``); empty where all were allocated the same.

    As allocated, not as answered: somebody who lacks an answer does not make a group.
    """
    if data.between:
        return {}
    places = {condition.key: place for place, condition in enumerate(data.conditions)}

    def named(sequence: str) -> str:
        return " + ".join(sorted(set(sequence.split(">")), key=lambda key: places.get(key, 0)))

    sequences = list(data.participants["sequence"])
    names = {sequence: named(str(sequence)) for sequence in set(sequences) if sequence}
    people = zip(data.participants["participant"], sequences, strict=True)
    found = {str(who): names[sequence] for who, sequence in people if sequence}
    return found if len(set(found.values())) > 1 else {}


def mixed_design(data: StudyData, item: Item) -> Facts | None:
    """{groups, condition, group, interaction, mann_whitney} of one repeated item; None without groups."""
    group_of = groups_of(data)
    if not group_of:
        return None
    frame = data.by_condition(item)
    frame = frame[[str(who) in group_of for who in frame.index]]
    groups = pd.Series({who: group_of[str(who)] for who in frame.index})
    both = _main_effects(frame, groups)
    shared = [key for key in frame if bool(frame[key].notna().groupby(groups).any().all())]
    parts = {str(name): frame.loc[groups == name, shared] for name in sorted(set(groups))}
    crossed = interaction(parts) if len(shared) > 1 else Effect(note="the groups share fewer than two conditions")
    return {
        "groups": dict(sorted(Counter(groups).items())),
        "condition": effect_facts(both["condition"]),
        "group": effect_facts(both["group"]),
        "interaction": effect_facts(crossed),
        "mann_whitney": _across(frame),
    }


def _main_effects(frame: pd.DataFrame, groups: pd.Series) -> dict[str, Effect]:
    cells = cast("pd.Series[float]", frame.rename_axis(index="participant", columns="condition").stack().dropna())
    rows = cells.rename("value").reset_index()
    if rows["condition"].nunique() < 2 or rows["participant"].map(groups).nunique() < 2:
        return dict.fromkeys(("condition", "group"), Effect(note="fewer than two conditions or groups with answers"))
    terms = {"condition": dummies(list(rows["condition"])), "group": dummies(list(rows["participant"].map(groups)))}
    return effects(rows["value"].to_numpy(float), list(rows["participant"]), terms)


def _across(frame: pd.DataFrame) -> Facts:
    """Pairs of conditions that nobody met both of: different people, Holm-corrected over these pairs."""
    apart = [pair for pair in combinations(frame.columns, 2) if not frame[list(pair)].notna().all(axis=1).any()]
    tests = [mann_whitney(frame[a].dropna(), frame[b].dropna()) for a, b in apart]
    corrected = holm([test.p for test in tests])
    return {
        f"{a}-{b}": {**mann_whitney_facts(test), "p_holm": p, **({} if p is not None else {"p_holm_note": test.note})}
        for (a, b), test, p in zip(apart, tests, corrected, strict=True)
    }
