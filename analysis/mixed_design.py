"""Mixed designs: each group of participants was allocated its own conditions.

Pairs of conditions that one group met are compared within participants (`compare`); this is what remains: do the
conditions differ over all groups, do the groups differ, does their difference depend on the condition, and how do two
conditions compare that nobody met both of? (R: lmer(y ~ condition + group + (1 | participant)), type III,
Satterthwaite; condition x group on the conditions that every group met.) A linear model of ordinal answers: the honest
minimum, not more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import cast

import pandas as pd

from analysis.between import MannWhitney, mann_whitney
from analysis.facts import Facts
from analysis.holm import holm
from analysis.measures import Item
from analysis.mixed import Effect, dummies, effects
from analysis.model import StudyData
from analysis.subgroups import effect_facts, interaction, mann_whitney_facts

NO_GROUPS = "every participant was allocated the same conditions"
GROUPS = "groups of participants met different conditions: see mixed_design"


@dataclass(frozen=True)
class MixedDesign:
    """Figures of one item.

    Attributes:
        n: participants with an answer.
        groups: group -> how many of them.
        condition, group: each given the other and the participant (random intercept).
        interaction: on the conditions that every group met.
        across: pairs of conditions that nobody met both of, with p Holm-corrected over these pairs.
    """

    n: int
    groups: dict[str, int]
    condition: Effect
    group: Effect
    interaction: Effect
    across: dict[tuple[str, str], tuple[MannWhitney, float | None]]


def groups_of(data: StudyData, with_excluded: bool = False) -> dict[str, str]:
    """participant -> its group, named by its conditions (``text + cases``); empty where all were allocated the same.

    As allocated, not as answered: somebody who lacks an answer does not make a group.
    """
    if data.between:
        return {}
    places = {condition.key: place for place, condition in enumerate(data.conditions)}

    def named(sequence: str) -> str:
        return " + ".join(sorted(set(sequence.split(">")), key=lambda key: places.get(key, 0)))

    sequences = data.allocated | (data.allocated_of_excluded if with_excluded else {})
    found = {who: named(sequence) for who, sequence in sequences.items()}
    return found if len(set(found.values())) > 1 else {}


def mixed_design(data: StudyData, item: Item, with_excluded: bool = False) -> MixedDesign | None:
    """One repeated item, also with the excluded participants' answers; None without groups."""
    group_of = groups_of(data, with_excluded)
    if not group_of:
        return None
    frame = data.by_condition(item, with_excluded).dropna(how="all")
    frame = frame[[str(who) in group_of for who in frame.index]]
    groups = pd.Series({who: group_of[str(who)] for who in frame.index}, dtype=object)
    both = _main_effects(frame, groups)
    shared = [key for key in frame if len(frame) and bool(frame[key].notna().groupby(groups).any().all())]
    parts = {str(name): frame.loc[groups == name, shared] for name in sorted(set(groups))}
    crossed = interaction(parts) if len(shared) > 1 else Effect(note="the groups share fewer than two conditions")
    counts = dict(sorted(Counter(groups).items()))
    return MixedDesign(len(frame), counts, both["condition"], both["group"], crossed, _across(frame))


def mixed_facts(found: MixedDesign | None) -> Facts | None:
    """{n, groups, condition, group, interaction, mann_whitney}."""
    if found is None:
        return None
    return {
        "n": found.n,
        "groups": found.groups,
        "condition": effect_facts(found.condition),
        "group": effect_facts(found.group),
        "interaction": effect_facts(found.interaction),
        "mann_whitney": {
            f"{a}-{b}": {
                **mann_whitney_facts(test),
                "p_holm": p,
                **({} if p is not None else {"p_holm_note": test.note}),
            }
            for (a, b), (test, p) in found.across.items()
        },
    }


def _main_effects(frame: pd.DataFrame, groups: pd.Series) -> dict[str, Effect]:
    cells = cast("pd.Series[float]", frame.rename_axis(index="participant", columns="condition").stack().dropna())
    rows = cells.rename("value").reset_index()
    if rows["condition"].nunique() < 2 or rows["participant"].map(groups).nunique() < 2:
        return dict.fromkeys(("condition", "group"), Effect(note="fewer than two conditions or groups with answers"))
    terms = {"condition": dummies(list(rows["condition"])), "group": dummies(list(rows["participant"].map(groups)))}
    return effects(rows["value"].to_numpy(float), list(rows["participant"]), terms)


def _across(frame: pd.DataFrame) -> dict[tuple[str, str], tuple[MannWhitney, float | None]]:
    apart = [pair for pair in combinations(frame.columns, 2) if not frame[list(pair)].notna().all(axis=1).any()]
    tests = [mann_whitney(frame[a].dropna(), frame[b].dropna()) for a, b in apart]
    corrected = holm([test.p for test in tests])
    return {(str(a), str(b)): (test, p) for (a, b), test, p in zip(apart, tests, corrected, strict=True)}
