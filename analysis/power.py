"""How many participants does a within-subject study need? By simulation, with the study's own tests.

A simulated rating is the middle of the scale, plus the person (normal, PERSON_SD), plus noise (normal,
NOISE_SD), plus the planned effect, rounded to a point of the scale: what ``python -m study_app simulate``
draws, so that a planned study can be tried as a whole as well.
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
    """

    item: str
    conditions: tuple[str, ...]
    shifts: tuple[float, ...]
    low: int
    high: int
    planned_n: int

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
        InputError: the file is no study file, or an effect names what the study does not have.
    """
    try:
        study = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read as YAML ({error}).") from error
    try:
        conditions = tuple(str(condition["key"]) for condition in study["conditions"])
        items = {str(item["id"]): item for item in study["items"] if item.get("repeated") and item.get("scale")}
        sizes = _sizes(effects, items, conditions)
        name = next(iter(sizes))[0]
        scale = study["scales"][items[name]["scale"]]
        low = int(scale.get("minimum", 1))
        planned = int(study.get("planned_n", 0))
        high = low + len(scale["labels"]) - 1
    except (TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: not a study file. Check it with python -m study_app check.") from error
    shifts = tuple(sizes.get((name, condition), 0.0) for condition in conditions)
    return Plan(name, conditions, shifts, low, high, planned)


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
    """(n, k) ratings of one simulated study."""
    person = generator.normal(0, PERSON_SD, (n, 1))
    noise = generator.normal(0, NOISE_SD, (n, len(plan.conditions)))
    latent = (plan.low + plan.high) / 2 + np.array(plan.shifts) + person + noise
    return np.clip(np.floor(latent + 0.5), plan.low, plan.high)


def p_value(ratings: Floats, plan: Plan, test: str) -> float:
    """The p that the report would give: Friedman's, or the pair's after Holm over the pairs; 1 without a difference."""
    if test == ALL:
        p = friedman(ratings).p
    else:
        pairs = list(combinations(range(len(plan.conditions)), 2))
        corrected = holm([signed_rank(ratings[:, a] - ratings[:, b]).p for a, b in pairs])
        p = corrected[plan.tests.index(test) - 1]
    return 1.0 if p is None else p


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
    """The smallest multiple of the number of orders with that power, and all sizes that were tried, by n.

    Doubles until the target is reached, then halves the interval: power grows with n but for the Monte
    Carlo error. None where LARGEST_N does not reach it.

    Args:
        at: n -> its power.
    """
    unit = math.factorial(len(plan.conditions)) if len(plan.conditions) <= 4 else len(plan.conditions)
    tried: dict[int, Power] = {}

    def reached(blocks: int) -> bool:
        tried[blocks] = at(blocks * unit)
        return tried[blocks].power >= target

    low, high = 0, max(1, math.ceil(12 / unit))
    while not reached(high):
        low, high = high, high * 2
        if high * unit > LARGEST_N:
            return None, [tried[blocks] for blocks in sorted(tried)]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high * unit, [tried[blocks] for blocks in sorted(tried)]
