"""How many participants does a study need, within or between subjects? By simulation, with the study's own tests.

A simulated rating is the middle of the scale, plus the person (normal, PERSON_SD), plus noise (normal,
NOISE_SD), plus the planned effect, rounded to a point of the scale. ``python -m study_app simulate`` tries a planned
study as a whole, with the same spread of people and noise; its answers lie higher, around 0.6 of the scale's range in
the place of its middle, so that more of them meet the upper end. Between subjects a participant rates one condition,
and n counts the participants of all conditions together. Of several cases in a condition the mean is tested.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from analysis.between import kruskal_wallis, mann_whitney
from analysis.errors import InputError
from analysis.friedman import Floats, friedman
from analysis.holm import holm
from analysis.wilcoxon import signed_rank

PERSON_SD, NOISE_SD = 0.6, 0.8
LARGEST_N = 1000
EFFECT = re.compile(r"(?P<item>[\w-]+):(?P<condition>[\w-]+)=(?P<size>[+-]?\d+(\.\d+)?)\Z")
ALL = "all"
"""The omnibus test; pairs are named by their conditions, ``text-generated``."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Plan:
    """What a study file says about one repeated item, and the planned effect on it.

    Attributes:
        conditions: keys in the study's order.
        shifts: (k,) planned effect of each condition in scale points, before rounding.
        planned_n: the study's own number; 0 where it names none.
        between: every participant meets one condition only.
        cases: how many cases a participant rates in a condition.
        block: participants with whom every sequence is met equally often (between: every condition).
    """

    item: str
    conditions: tuple[str, ...]
    shifts: tuple[float, ...]
    low: int
    high: int
    planned_n: int
    between: bool
    cases: int
    block: int

    @property
    def tests(self) -> tuple[str, ...]:
        """``all`` and the pairs."""
        return (ALL, *(f"{a}-{b}" for a, b in combinations(self.conditions, 2)))


@dataclass(frozen=True)
class Power:
    """Share of ``simulations`` studies of ``n`` participants in which the test rejects, with its 95 % error."""

    n: int
    simulations: int
    power: float

    @property
    def error(self) -> float:
        """Half the width of the 95 % Monte Carlo interval (Agresti & Coull 1998)."""
        size = self.simulations + 4
        share = (self.power * self.simulations + 2) / size
        return 1.96 * math.sqrt(share * (1 - share) / size)


def read_plan(path: Path, effects: list[str]) -> Plan:
    """Read a study file and the planned effects (``trust:generated=+0.6``), all on one item.

    Raises:
        InputError: the file is no study file, its design is mixed, or an effect names what the study does not have or
            tests as part of a score.
    """
    study = _yaml(path)
    try:
        _refuse_parts(study, path.parent / "instruments", effects)
        plan, kind = _planned(study, effects), str((study.get("design") or {}).get("kind", "within"))
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise InputError(f"{path}: not a study file. Check it with python -m study_app check.") from error
    if kind not in ("within", "between"):
        raise InputError(
            f"{path}: the design is {kind}; the power is that of within and between designs. Try a mixed study as a "
            "whole: python -m study_app simulate with --effect, then python -m analysis report."
        )
    return plan


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read as YAML ({error}).") from error


def _refuse_parts(study: Mapping[str, Any], folder: Path, effects: list[str]) -> None:
    """Of an item that is part of a score the report has no test: its power would be that of a test nobody sees.

    Args:
        folder: where the study's instruments are looked for; the app's own ones may lie elsewhere.
    """
    files = [folder / f"{row['instrument']}.yaml" for row in study["items"] if "instrument" in row]
    scores = [score for source in (study, *(_yaml(f) for f in files if f.is_file())) for score in _scores(source)]
    score_of = {str(item): str(score["name"]) for score in reversed(scores) for item in score["items"]}
    score_of |= {str(score["id"]): str(score["name"]) for score in scores}
    plain = {str(row["id"]) for row in study["items"] if "id" in row}
    elsewhere = ", ".join(file.stem for file in files if not file.is_file())
    for item in (text.partition(":")[0] for text in effects):
        if item in score_of:
            what = f"belongs to the score '{score_of[item]}', which is tested in place of its items"
        elif elsewhere and item not in plain:
            what = f"is no item of the study file, and items of an instrument ({elsewhere}) are tested as scores"
        else:
            continue
        raise InputError(
            f"effect on '{item}': it {what}. The power is that of single items. Try the study as a whole: python -m "
            "study_app simulate, then python -m analysis report."
        )


def _scores(source: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(source.get("scores") or ())


def _planned(study: Mapping[str, Any], effects: list[str]) -> Plan:
    """What the file says. Raises InputError, and KeyError and the like where it is no study file."""
    conditions = tuple(str(condition["key"]) for condition in study["conditions"])
    items = {str(item["id"]): item for item in study["items"] if _is_rated(item)}
    sizes = _sizes(effects, items, conditions)
    name = next(iter(sizes))[0]
    scale, design = study["scales"][items[name]["scale"]], study.get("design") or {}
    low, between = int(scale.get("minimum", 1)), design.get("kind") == "between"
    return Plan(
        item=name,
        conditions=conditions,
        shifts=tuple(sizes.get((name, condition), 0.0) for condition in conditions),
        low=low,
        high=low + len(scale["labels"]) - 1,
        planned_n=int(study.get("planned_n", 0)),
        between=between,
        cases=int(study["photo"].get("cases_per_condition", 1)),
        block=len(conditions) if between else _sequences(design, len(conditions)),
    )


def _is_rated(item: Mapping[str, Any]) -> bool:
    """Asked after every condition on a scale, and no attention check."""
    return bool(item.get("repeated") and item.get("scale")) and item.get("attention_check") is None


def _sequences(design: Mapping[str, Any], conditions: int) -> int:
    """How many sequences a within design has; of all orders of many conditions only as many as conditions count,
    since nobody recruits by the hundred and twenty."""
    match design.get("sequences", "all_orders"):
        case "fixed":
            return len(design["orders"])
        case "latin_square":
            return conditions
        case "williams":
            return conditions * (1 + conditions % 2)
    return math.factorial(conditions) if conditions <= 4 else conditions


def _sizes(effects: list[str], items: Mapping[str, Any], conditions: tuple[str, ...]) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for text in effects:
        match = EFFECT.match(text)
        if match is None:
            raise InputError(f"effect '{text}': write ITEM:CONDITION=SIZE, for instance trust:generated=+0.6.")
        if match["item"] not in items:
            raise InputError(f"effect '{text}': the items rated after every condition are {', '.join(items)}.")
        if match["condition"] not in conditions:
            raise InputError(f"effect '{text}': the conditions are {', '.join(conditions)}.")
        found[match["item"], match["condition"]] = float(match["size"])
    if len({item for item, _ in found}) != 1:
        raise InputError("Give one effect or several, all on the same item: the power is that of one item's tests.")
    return found


def draw(plan: Plan, n: int, generator: np.random.Generator) -> Floats:
    """(n, k) ratings of one simulated study, of several cases the mean. Between subjects NaN where the participant did
    not meet the condition: they are dealt in turn, so that groups differ by one at most."""
    conditions = len(plan.conditions)
    person = generator.normal(0, PERSON_SD, (n, 1, 1))
    noise = generator.normal(0, NOISE_SD, (n, conditions, plan.cases))
    latent = (plan.low + plan.high) / 2 + np.array(plan.shifts)[:, None] + person + noise
    ratings: Floats = np.clip(np.floor(latent + 0.5), plan.low, plan.high).mean(axis=2)
    if plan.between:
        ratings[np.arange(n)[:, None] % conditions != np.arange(conditions)] = np.nan
    return ratings


def p_value(ratings: Floats, plan: Plan, test: str) -> float:
    """The p that the report would give, 1 without a difference: Friedman's or between subjects Kruskal and Wallis's; of
    a pair Wilcoxon's or Mann and Whitney's, after Holm over the pairs."""
    groups = [column[~np.isnan(column)] for column in ratings.T]
    if test == ALL:
        p = _of_all(groups) if plan.between else friedman(ratings).p
    else:
        pairs = combinations(groups, 2)
        found = [mann_whitney(a, b).p if plan.between else signed_rank(a - b).p for a, b in pairs]
        p = holm(found)[plan.tests.index(test) - 1]
    return 1.0 if p is None else p


def _of_all(groups: list[Floats]) -> float | None:
    whole = kruskal_wallis(groups)
    return whole.p if whole.p_exact is None else whole.p_exact


def power_at(
    plan: Plan, n: int, test: str, alpha: float, simulations: int, seed: int, step: Callable[[], None] = lambda: None
) -> Power:
    """Share of simulated studies with p <= alpha. The same seed and n give the same studies."""
    generator = np.random.default_rng([seed, n])
    rejected = 0
    for _ in range(simulations):
        rejected += p_value(draw(plan, n, generator), plan, test) <= alpha
        step()
    return Power(n, simulations, rejected / simulations)


def sample_size(plan: Plan, target: float, at: Callable[[int], Power]) -> tuple[int | None, list[Power]]:
    """The smallest multiple of ``plan.block`` with that power, and all sizes that were tried, by n.

    Doubles until the target is reached, at most to the last multiple up to LARGEST_N, then halves the interval: power
    grows with n but for the Monte Carlo error. None where that last one does not reach it.

    Args:
        at: n -> its power.
    """
    tried: dict[int, Power] = {}

    def reached(blocks: int) -> bool:
        tried[blocks] = at(blocks * plan.block)
        return tried[blocks].power >= target

    most = max(1, LARGEST_N // plan.block)
    low, high = 0, min(most, math.ceil(12 / plan.block))
    while not reached(high):
        if high == most:
            return None, [tried[blocks] for blocks in sorted(tried)]
        low, high = high, min(most, high * 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high * plan.block, [tried[blocks] for blocks in sorted(tried)]
