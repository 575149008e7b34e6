"""How often each test rejects: under no effect (its size) and under one (its power).

``python -m tests.analysis.size [SIMULATIONS]`` prints a table of both. Ratings are drawn as
``python -m analysis power`` draws them: 1 to 5, three conditions, with differences between people.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np

from analysis.between import kruskal_wallis, mann_whitney
from analysis.clmm import clmm
from analysis.friedman import Floats, friedman
from analysis.power import Plan, draw
from analysis.rm_anova import paired_t, rm_anova
from analysis.wilcoxon import signed_rank

ALPHA = 0.05
EFFECTS = {"size": 0.0, "power": 0.6}
Rejections = dict[str, float]


def p_values(ratings: Floats, people: Floats, with_clmm: bool) -> dict[str, float | None]:
    """The p of every test of one study. ``people``: the same kind of ratings from different people."""
    pair = ratings[:, 0] - ratings[:, 2]
    omnibus, signed = friedman(ratings), signed_rank(pair)
    groups = np.array_split(np.arange(len(people)), 3)
    first, second, third = (people[rows, column] for column, rows in enumerate(groups))
    ranked = omnibus.iman_davenport
    found = {
        "Friedman, exact": omnibus.p_exact,
        "Friedman, chi-square": omnibus.p_asymptotic,
        "Iman–Davenport": ranked.p if ranked else None,
        "RM-ANOVA, Greenhouse–Geisser": rm_anova(ratings).p_gg,
        "Wilcoxon, exact": signed.p_exact,
        "Wilcoxon, asymptotic": signed.p_asymptotic,
        "Wilcoxon, Pratt, exact": signed.p_pratt_exact,
        "paired t": paired_t(pair).p,
        "Mann–Whitney, exact (between)": mann_whitney(first, third).p_exact,
        "Kruskal–Wallis, chi-square (between)": kruskal_wallis([first, second, third], exact=False).p,
    }
    return found | ({"cumulative link mixed model": clmm(ratings).p} if with_clmm else {})


def rejections(n: int, shift: float, simulations: int, seed: int, with_clmm: bool = True) -> Rejections:
    """test -> share of studies with p <= ALPHA; the third condition is ``shift`` points higher."""
    plan = Plan("item", ("a", "b", "c"), (0.0, 0.0, shift), 1, 5, 0)
    generator = np.random.default_rng([seed, n])
    counts: dict[str, int] = {}
    for _ in range(simulations):
        for name, p in p_values(draw(plan, n, generator), draw(plan, n, generator), with_clmm).items():
            counts[name] = counts.get(name, 0) + (p is not None and p <= ALPHA)
    return {name: count / simulations for name, count in counts.items()}


def table(sizes: tuple[int, ...], simulations: int, seed: int = 1) -> str:
    """Markdown, one row a test."""
    cells = {(n, what): rejections(n, shift, simulations, seed) for n in sizes for what, shift in EFFECTS.items()}
    head = [f"n = {n}, {what}" for n, what in cells]
    names = list(next(iter(cells.values())))
    lines = ["| test | " + " | ".join(head) + " |", "|---" + "|---:" * len(head) + "|"]
    lines += [f"| {name} | " + " | ".join(f"{cell[name]:.3f}" for cell in cells.values()) + " |" for name in names]
    return "\n".join(lines)


def error(simulations: int) -> float:
    """Standard error of a share of ALPHA."""
    return math.sqrt(ALPHA * (1 - ALPHA) / simulations)


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"{Path(__file__).name}: {number} studies a cell, standard error of .05: {error(number):.4f}")
    print(table((12, 32), number))
