"""How often each test rejects: under no effect (its size) and under one (its power).

``python -m tests.analysis.size [STUDIES] [STUDIES_OF_MODELS] [--out FILE]`` writes the table of docs/size-and-power.md.
Ratings are drawn as ``python -m analysis power`` draws them: 1 to 5, three conditions, with differences between
people. What is drawn is in `Kind`: each family of tests gets the effect that it is for.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.between import kruskal_wallis, mann_whitney
from analysis.clmm import clmm
from analysis.friedman import Floats, Ints, friedman
from analysis.holm import holm
from analysis.order import order_effects
from analysis.power import NOISE_SD, PERSON_SD
from analysis.rm_anova import paired_t, rm_anova
from analysis.subgroups import interaction
from analysis.wilcoxon import signed_rank

ALPHA, SHIFT = 0.05, 0.6
SIZES = (12, 32)
CONDITIONS = ("a", "b", "c")
ORDERS = np.array(list(permutations(range(3))))
DOC = Path(__file__).parents[2] / "docs" / "size-and-power.md"
PValues = dict[str, float | None]


@dataclass(frozen=True)
class Drawn:
    """One simulated study.

    Attributes:
        ratings: (n, 3) by condition; orders: (n, 3) the condition met in each period.
        groups: (n,) 0 or 1, two kinds of people.
    """

    ratings: Floats
    orders: Ints
    groups: Ints


@dataclass(frozen=True)
class Kind:
    """A family of tests and the effect that it is for.

    Attributes:
        effect: which ratings are SHIFT points higher under the effect, in words.
        higher: (drawn order, groups) -> (n, 3) of 0 and 1, by condition.
        tests: study -> test -> p.
        model: slow; fewer studies are drawn.
    """

    effect: str
    higher: Callable[[Ints, Ints], Floats]
    tests: Callable[[Drawn], PValues]
    model: bool = False


def draw(kind: Kind, n: int, shift: float, generator: np.random.Generator) -> Drawn:
    """One study of ``n`` people, orders balanced, every other person in the second group."""
    orders = ORDERS[np.arange(n) % len(ORDERS)]
    groups = np.arange(n) // len(ORDERS) % 2 if n > len(ORDERS) else np.arange(n) % 2
    person = generator.normal(0, PERSON_SD, (n, 1))
    noise = generator.normal(0, NOISE_SD, (n, 3))
    latent = 3 + shift * kind.higher(orders, groups) + person + noise
    return Drawn(np.clip(np.floor(latent + 0.5), 1, 5), orders, groups)


def _third(orders: Ints, groups: Ints) -> Floats:
    return np.tile([0.0, 0.0, 1.0], (len(orders), 1))


def _third_period(orders: Ints, groups: Ints) -> Floats:
    return (np.argsort(orders, axis=1) == 2).astype(float)


def _after_third(orders: Ints, groups: Ints) -> Floats:
    """1 where the condition was met right after the third one."""
    found = np.zeros(orders.shape)
    people, periods = np.nonzero(orders[:, :-1] == 2)
    found[people, orders[people, periods + 1]] = 1
    return found


def _third_of_group(orders: Ints, groups: Ints) -> Floats:
    return _third(orders, groups) * groups[:, None]


def _first_order(orders: Ints, groups: Ints) -> Floats:
    """1 for everybody who met the third condition first."""
    return np.repeat((orders[:, :1] == 2).astype(float), 3, axis=1)


def _ranks(study: Drawn) -> PValues:
    omnibus, pair = friedman(study.ratings), study.ratings[:, 0] - study.ratings[:, 2]
    signed, ranked = signed_rank(pair), omnibus.iman_davenport
    pairs = [signed_rank(study.ratings[:, a] - study.ratings[:, b]).p for a, b in combinations(range(3), 2)]
    family = [p for p in holm(pairs) if p is not None]
    return {
        "Friedman, exact": omnibus.p_exact,
        "Friedman, chi-square": omnibus.p_asymptotic,
        "Iman–Davenport": ranked.p if ranked else None,
        "RM-ANOVA, Greenhouse–Geisser": rm_anova(study.ratings).p_gg,
        "Wilcoxon, exact": signed.p_exact,
        "Wilcoxon, exact, Holm: any of the three pairs": min(family, default=None),
        "Wilcoxon, asymptotic": signed.p_asymptotic,
        "Wilcoxon, Pratt, exact": signed.p_pratt_exact,
        "paired t": paired_t(pair).p,
    }


def _between(study: Drawn) -> PValues:
    """Everybody's first condition only: groups of different people."""
    met = study.orders[:, 0]
    given = [study.ratings[met == condition, condition] for condition in range(3)]
    whole = kruskal_wallis(given, exact=len(met) <= SIZES[0])
    return {
        "Mann–Whitney, exact (between)": mann_whitney(given[0], given[2]).p_exact,
        "Mann–Whitney, asymptotic (between)": mann_whitney(given[0], given[2]).p_asymptotic,
        "Kruskal–Wallis, exact (between)": whole.p_exact if len(met) <= SIZES[0] else math.nan,
        "Kruskal–Wallis, chi-square (between)": whole.p,
    }


def _clmm(study: Drawn) -> PValues:
    model = clmm(study.ratings)
    return {"cumulative link mixed model, chi-square": model.p, "cumulative link mixed model, F": model.p_f}


def _order(study: Drawn, *names: str) -> PValues:
    people = np.repeat(np.arange(len(study.orders)), 3)
    rows = pd.DataFrame({
        "participant": [f"P{who:04d}" for who in people],
        "condition": np.array(CONDITIONS)[study.orders.ravel()],
        "period": np.tile([1, 2, 3], len(study.orders)),
        "value": study.ratings[people, study.orders.ravel()],
    })  # fmt: skip
    met = {f"P{who:04d}": ">".join(CONDITIONS[c] for c in order) for who, order in enumerate(study.orders)}
    found = order_effects(rows, met)
    every: PValues = {
        "condition given period, mixed model": found.condition.p,
        "condition given period, people fixed": found.fixed_condition.p,
        "period, mixed model": found.period.p,
        "period, people fixed": found.fixed_period.p,
        "period, Friedman": found.by_period.p_exact,
        "carry-over, mixed model": found.carry_over.p,
        "carry-over, people fixed": found.fixed_carry_over.p,
        "sequence, Kruskal–Wallis": found.by_sequence.p,
    }
    return {name: every[name] for name in names}


def _condition_given_period(study: Drawn) -> PValues:
    return _order(study, "condition given period, mixed model", "condition given period, people fixed")


def _period(study: Drawn) -> PValues:
    return _order(study, "period, mixed model", "period, people fixed", "period, Friedman")


def _carry_over(study: Drawn) -> PValues:
    return _order(study, "carry-over, mixed model", "carry-over, people fixed")


def _sequence(study: Drawn) -> PValues:
    return _order(study, "sequence, Kruskal–Wallis")


def _group(study: Drawn) -> PValues:
    """Do two kinds of people differ in how they rate the conditions?"""
    parts = [study.ratings[study.groups == group] for group in (0, 1)]
    names = [f"P{who}" for who in range(len(study.ratings))]
    frame = pd.DataFrame(study.ratings, index=names, columns=list(CONDITIONS))
    both = interaction({str(group): frame[study.groups == group] for group in (0, 1)})
    differences = mann_whitney(*(part[:, 0] - part[:, 2] for part in parts))
    return {"group x condition, mixed model": both.p, "group, Mann–Whitney of the differences": differences.p}


KINDS = (
    Kind("third condition", _third, _ranks),
    Kind("third condition", _third, _between),
    Kind("third condition", _third, _clmm, model=True),
    Kind("third condition", _third, _condition_given_period, model=True),
    Kind("third period", _third_period, _period, model=True),
    Kind("after the third condition", _after_third, _carry_over, model=True),
    Kind("people who met the third condition first", _first_order, _sequence, model=True),
    Kind("third condition, second group", _third_of_group, _group, model=True),
)


def rejections(kind: Kind, n: int, shift: float, studies: int, seed: int = 1) -> dict[str, float]:
    """test -> share of studies with p <= ALPHA; a test without a p does not reject, NaN: it was not run."""
    generator = np.random.default_rng([seed, n, KINDS.index(kind), round(100 * shift)])
    counts: dict[str, float] = {}
    for _ in range(studies):
        for name, p in kind.tests(draw(kind, n, shift, generator)).items():
            rejected = False if p is None else math.nan if math.isnan(p) else p <= ALPHA + 1e-12
            counts[name] = counts.get(name, 0.0) + rejected
    return {name: count / studies for name, count in counts.items()}


def error(studies: int) -> float:
    """Standard error of a share of ALPHA."""
    return math.sqrt(ALPHA * (1 - ALPHA) / studies)


def rows(kind: Kind, studies: int) -> Iterator[str]:
    """Markdown, one row a test; a size above its level by more than the Monte Carlo error (two errors) is bold."""
    cells = [rejections(kind, n, shift, studies) for n in SIZES for shift in (0.0, SHIFT)]
    for name in cells[0]:
        shown = [_cell(cell[name], studies, place % 2 == 0) for place, cell in enumerate(cells)]
        yield f"| {name} | {kind.effect} | {studies} | {' | '.join(shown)} |"


def _cell(share: float, studies: int, is_size: bool) -> str:
    if math.isnan(share):
        return "–"
    return f"**{share:.3f}**" if is_size and share > ALPHA + 2 * error(studies) else f"{share:.3f}"


def page(found: list[str], studies: tuple[int, ...]) -> str:
    """docs/size-and-power.md as far as it is known."""
    heads = [f"n = {n}, {what}" for n in SIZES for what in ("size", "power")]
    errors = " and ".join(f"{error(number):.3f} with {number} studies" for number in sorted(set(studies)))
    return "\n".join([
        "# How often the tests reject",
        "",
        "Simulated studies on a five-point scale with three conditions, balanced orders and differences between people "
        f"(the model of `python -m analysis power`), each test at a level of {ALPHA}.",
        "**Size**: the share of studies without any effect in which the test rejects; it should not be above "
        f"{ALPHA}. **Power**: the share in which it rejects when the ratings named under *effect* are {SHIFT} points "
        "higher before rounding. In the rows marked *between* n counts the people of all conditions together, a third "
        "in each, as `python -m analysis power` counts them for a between-subjects study.",
        "",
        f"Monte Carlo standard error of a size of {ALPHA}: {errors}. A size more than two errors above "
        f"{ALPHA} is **bold**. An exact test of few, tied answers is below its level: it has few possible p-values.",
        "",
        "Two readings of R's are kept in results.json to be compared and stated in no report: the cumulative link "
        "mixed model's chi-square and carry-over by the mixed model. The report states the row below each of them.",
        "",
        "Written by `python -m tests.analysis.size`; a row depends on its number of studies alone. "
        "The names and formulas are in [results.json](results-json.md).",
        "",
        f"| test | effect | studies | {' | '.join(heads)} |",
        "|---|---|---:" + "|---:" * len(heads) + "|",
        *found,
        "",
    ])  # fmt: skip


def main() -> None:
    """Write the page anew after every family, so that an interrupted run leaves what it has."""
    options = argparse.ArgumentParser(prog="python -m tests.analysis.size", description="Size and power of every test.")
    options.add_argument("studies", nargs="?", type=int, default=2000, help="studies a cell")
    options.add_argument("models", nargs="?", type=int, default=2000, help="studies a cell of the slow models")
    options.add_argument("--out", type=Path, default=DOC, help="the page that is written")
    given = options.parse_args()
    found: list[str] = []
    for kind in KINDS:
        found += rows(kind, given.models if kind.model else given.studies)
        given.out.write_text(page(found, (given.studies, given.models)), encoding="utf-8")
        print(f"{found[-1]}", flush=True)


if __name__ == "__main__":
    main()
