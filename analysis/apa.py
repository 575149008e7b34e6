"""Every test as a string in the style of the American Psychological Association, ready to paste.

Made from the facts of results.json alone, so that text and file cannot differ. ``p_exact`` counted every
permutation given the ties; ``p_asymptotic`` is the chi-square or normal approximation, used where counting is
not feasible; a bare ``p`` comes from an F, t or chi-square distribution that has no exact counterpart here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup, escape

from analysis.describe import bounded, half_up, p_value
from analysis.export import Table
from analysis.facts import Facts

ALL = "all systems"
MAIN, SENSITIVITY, ORDER, OTHER = "Tests", "Sensitivity", "Order", "Further"
NOTE = (
    "Differences are the first system minus the second. p_exact: counted over all permutations, given the ties; "
    "p_asymptotic: approximated, because counting was not feasible; p_Holm: corrected; n₀: equal ratings, dropped. "
    "Intervals of W and r_rb: bootstrap over participants."
)
SYMBOL = re.compile(r"(?<![\w.])(χ²|η²|W⁺|[FtHUWprdMNnεαω])(₀)?(?:_(\w+))?(?=[ (])")


@dataclass(frozen=True)
class Said:
    """One test of one item: ``text`` is what is pasted, or why there is no test."""

    section: str
    item: str
    test: str
    comparison: str
    text: str


def sentences(facts: Facts, names: Mapping[str, str]) -> tuple[Said, ...]:
    """Every test of a study.

    Args:
        facts: of ``results.results``.
        names: item key -> what readers call it.
    """
    found: list[Said] = []
    for key, item in facts["items"].items():
        found += _of_item(names[key], item, facts["conditions"])
    found += _times(facts)
    found += _subgroups(facts, names)
    found += _reliabilities(facts, names)
    return tuple(found)


def table(said: Sequence[Said]) -> Table:
    """One row a test; the last column is the string."""
    rows = [(one.section, one.item, one.test, one.comparison, one.text) for one in said]
    frame = pd.DataFrame(rows, columns=["section", "item", "test", "comparison", "apa"])
    display = frame.rename(columns={"apa": "APA"}).rename(columns=str.capitalize).rename(columns={"Apa": "APA"})
    return Table("apa", "Tests in APA style, ready to paste", frame, display, NOTE if said else "", words=5)


def text_file(said: Sequence[Said]) -> str:
    """UTF-8 text, one string a line under the name of its item and test."""
    lines = ["Tests in APA style", "", NOTE]
    before = ("", "")
    for one in said:
        if (one.section, one.item) != before:
            lines += ["", f"{one.item} ({one.section.lower()})"]
            before = (one.section, one.item)
        lines.append(f"  {one.test}, {one.comparison}: {one.text}")
    return "\n".join(lines) + "\n"


def rich(text: str) -> Markup:
    """HTML with italic symbols and real subscripts, which a word processor keeps when it is pasted."""
    out, end = Markup(), 0
    for found in SYMBOL.finditer(text):
        symbol, zero, below = found.groups()
        sub = Markup("<sub>{}</sub>").format("0" if zero else below) if zero or below else ""
        out += escape(text[end : found.start()]) + Markup("<i>{}</i>").format(symbol) + sub
        end = found.end()
    return out + escape(text[end:])


def equation(symbol: str, p: float | None) -> str:
    """``p_exact = .004`` or ``p_exact < .001``."""
    shown = p_value(p)
    return f"{symbol} {shown}" if shown.startswith("<") else f"{symbol} = {shown}"


def _p(facts: Facts, asymptotic: str = "p") -> str:
    """The exact p where there is one, else the approximation; each says which it is."""
    if facts.get("p_exact") is not None:
        return equation("p_exact", facts["p_exact"])
    return equation("p_asymptotic", facts[asymptotic])


def _interval(ends: Sequence[float] | None, unit: bool = True) -> str:
    """``, 95% CI [.05, .40]``; nothing where there is none. ``unit``: a figure between −1 and 1."""
    if ends is None:
        return ""
    low, high = (bounded(end) if unit else half_up(end) for end in ends)
    return f", 95% CI [{low}, {high}]"


def _absent(facts: Facts, key: str) -> str:
    return f"not computed: {facts.get(f'{key}_note') or 'no answers'}"


def _of_item(name: str, item: Facts, labels: Mapping[str, str]) -> Iterator[Said]:
    if item.get("kruskal_wallis") is not None:
        yield Said(MAIN, name, "Kruskal–Wallis", ALL, _kruskal(item["kruskal_wallis"]))
        for pair, test in item["mann_whitney"].items():
            yield Said(MAIN, name, "Mann–Whitney", _versus(pair, labels), _mann_whitney(test))
    if item.get("pairs") is None:
        return
    friedman, mixed = item.get("friedman"), item.get("mixed_design")
    apart = mixed["mann_whitney"] if mixed else ()
    pairs = {pair: _versus(pair, labels) for pair in item["pairs"] if pair not in apart}
    if mixed:
        yield from _mixed_design(name, mixed, labels)
    if friedman:
        yield Said(MAIN, name, "Friedman", ALL, _friedman(friedman, item.get("kendall_w_ci")))
    for pair, versus in pairs.items():
        yield Said(MAIN, name, "Wilcoxon signed-rank", versus, _wilcoxon(item["pairs"][pair]))
    if friedman and friedman.get("iman_davenport") is not None:
        yield Said(SENSITIVITY, name, "Iman–Davenport", ALL, _f(friedman["iman_davenport"]))
    if item.get("rm_anova"):
        yield Said(SENSITIVITY, name, "RM-ANOVA", ALL, _anova(item["rm_anova"]))
    clmm = _absent(item, "clmm") if item["clmm"] is None else _clmm(item["clmm"])
    yield Said(SENSITIVITY, name, "Cumulative link mixed model", ALL, clmm)
    for pair, versus in pairs.items():
        yield Said(SENSITIVITY, name, "Wilcoxon–Pratt", versus, _pratt(item["pairs"][pair]))
    for pair, versus in pairs.items():
        yield Said(SENSITIVITY, name, "Paired t", versus, _paired_t(item["paired_t"][pair]))
    yield from _order(name, item)


def _mixed_design(name: str, found: Facts, labels: Mapping[str, str]) -> Iterator[Said]:
    for key, what in (("condition", "System"), ("group", "Group"), ("interaction", "System × group")):
        yield Said(MAIN, name, f"{what}, mixed model", "all groups", _f(found[key]))
    for pair, test in found["mann_whitney"].items():
        yield Said(MAIN, name, "Mann–Whitney, different people", _versus(pair, labels), _mann_whitney(test))


def _versus(pair: str, labels: Mapping[str, str]) -> str:
    """``text-cases`` -> ``SkinGPT (text) vs SkinGPT + cases``; a key may itself hold a hyphen."""
    for first in labels:
        second = pair.removeprefix(f"{first}-")
        if pair.startswith(f"{first}-") and second in labels:
            return f"{labels[first]} vs {labels[second]}"
    return pair


def _friedman(test: Facts, interval: Sequence[float] | None) -> str:
    if test["chi2"] is None:
        return _absent(test, "chi2")
    holm = f", {equation('p_Holm', test['p_holm'])}" if test.get("p_holm") is not None else ""
    effect = f", W = {bounded(test['kendall_w'])}" if "kendall_w" in test else ""
    return f"χ²({test['df']}, N = {test['n']}) = {half_up(test['chi2'])}, {_p(test)}{holm}{effect}{_interval(interval)}"


def _wilcoxon(test: Facts) -> str:
    if test["p_asymptotic"] is None and test["p_exact"] is None:
        return _absent(test, "p_exact")
    return (
        f"W⁺ = {_sum(test['w_plus'])}, n = {test['n']}, n₀ = {test['n_zero']}, {_p(test, 'p_asymptotic')}, "
        f"{equation('p_Holm', test['p_holm'])}, r_rb = {bounded(test['rank_biserial'])}"
        f"{_interval(test['rank_biserial_ci'])}"
    )


def _pratt(test: Facts) -> str:
    if test["p_pratt_exact"] is None:
        return _absent(test, "p_pratt_exact")
    return f"n = {test['n']}, n₀ = {test['n_zero']}, {equation('p_exact', test['p_pratt_exact'])}"


def _sum(ranks: float) -> str:
    return half_up(ranks, 0 if float(ranks).is_integer() else 1)


def _f(test: Facts) -> str:
    if test["f"] is None:
        return _absent(test, "f")
    return f"F({_df(test['df1'])}, {_df(test['df2'])}) = {half_up(test['f'])}, {equation('p', test['p'])}"


def _df(freedom: float) -> str:
    return half_up(freedom, 0 if float(freedom).is_integer() else 2)


def _anova(test: Facts) -> str:
    """Greenhouse–Geisser degrees of freedom and p, as R's afex prints them."""
    if test["f"] is None or test["epsilon_gg"] is None:
        return _absent(test, "f" if test["f"] is None else "epsilon_gg")
    df1, df2 = (half_up(test[name] * test["epsilon_gg"]) for name in ("df1", "df2"))
    effects = f"η²_G = {bounded(test['eta2_g'])}, ε_GG = {bounded(test['epsilon_gg'])}"
    return f"F({df1}, {df2}) = {half_up(test['f'])}, {equation('p', test['p_gg'])}, {effects}"


def _clmm(test: Facts) -> str:
    """By F, which keeps its level with few people; by chi-square where no degrees of freedom are left for that."""
    if test["lr"] is None:
        return _absent(test, "lr")
    if test["p_f"] is None:
        return f"χ²({test['df']}, N = {test['n']}) = {half_up(test['lr'])}, {equation('p', test['p'])}"
    return f"F({test['df']}, {test['df2']}) = {half_up(test['lr'] / test['df'])}, {equation('p', test['p_f'])}"


def _paired_t(test: Facts) -> str:
    if test["t"] is None:
        return _absent(test, "t")
    difference = f"M_diff = {half_up(test['mean_difference'])}{_interval(test['ci'], unit=False)}"
    t = f"t({_df(test['df'])}) = {half_up(test['t'])}, {equation('p', test['p'])}"
    return f"{t}, {equation('p_Holm', test['p_holm'])}, {difference}, d_z = {half_up(test['cohen_dz'])}"


def _order(name: str, item: Facts) -> Iterator[Said]:
    order = item.get("order")
    if order is None:
        return
    for key, what in (("period", "Period"), ("condition", "System, given the period")):
        yield Said(ORDER, name, what, "mixed model", _f(order[key]))
    for key, what in (("period", "Period"), ("carry_over", "Carry-over"), ("condition", "System, given the period")):
        yield Said(ORDER, name, what, "participants as fixed effects", _f(order["fixed_effects"][key]))
    yield Said(ORDER, name, "Friedman", "all periods", _friedman(order["friedman_by_period"], None))
    yield Said(ORDER, name, "Kruskal–Wallis", "all sequences", _kruskal(order["kruskal_by_sequence"]))


def _kruskal(test: Facts) -> str:
    if test["chi2"] is None:
        return _absent(test, "chi2")
    return f"H({test['df']}, N = {test['n']}) = {half_up(test['chi2'])}, {_p(test)}"


def _mann_whitney(test: Facts) -> str:
    if test["u"] is None:
        return _absent(test, "u")
    holm = f"{equation('p_Holm', test['p_holm'])}, " if test.get("p_holm") is not None else ""
    people = f"n_1 = {test['n1']}, n_2 = {test['n2']}"
    return f"U = {_sum(test['u'])}, {people}, {_p(test, 'p_asymptotic')}, {holm}r_rb = {bounded(test['rank_biserial'])}"


def _times(facts: Facts) -> Iterator[Said]:
    """Of the systems, and of the participants on the rating pages."""
    if (facts.get("answer_times") or {}).get("friedman"):
        answered = _friedman(facts["answer_times"]["friedman"], None)
        yield Said(OTHER, "Answers of the systems", "Friedman, answer times", ALL, answered)
    if (facts["page_times"] or {}).get("friedman"):
        opened = _friedman(facts["page_times"]["friedman"], None)
        yield Said(OTHER, "Rating pages", "Friedman, time to the last rating", ALL, opened)


def _subgroups(facts: Facts, names: Mapping[str, str]) -> Iterator[Said]:
    for group, found in (facts["subgroups"] or {}).items():
        about = group.replace("_", " ")
        for key, item in found["items"].items():
            yield Said(OTHER, names[key], f"System × {about}", ALL, _f(item["interaction"]))
            for pair, test in item["pairs"].items():
                text = _mann_whitney(test) if "u" in test else _kruskal(test)
                yield Said(OTHER, names[key], f"Groups of {about}", _versus(pair, facts["conditions"]), text)


def _reliabilities(facts: Facts, names: Mapping[str, str]) -> Iterator[Said]:
    for scale, cells in facts["scales"].items():
        for condition, cell in cells.items():
            text = _absent(cell, "alpha")
            if cell["alpha"] is not None:
                text = f"α = {bounded(cell['alpha'])}{_interval(cell['alpha_ci'])}, N = {cell['n']}"
                text += f", ω = {bounded(cell['omega'])}" if cell["omega"] is not None else ""
            yield Said(
                OTHER, names.get(scale, scale), "Reliability", facts["conditions"].get(condition, condition), text
            )
