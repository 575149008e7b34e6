"""Every figure of R's reference accounted for: equal to ours, equal within a wider bound and why, or not ours and why.

``python -m tests.analysis.against_r`` prints the account; ``--all`` prints every figure with its relative difference.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.analysis.from_r import ours
from tests.analysis.oracle import R

EXACT = 1e-9
NEAR_ZERO = 1e-15
"""Two figures this near to each other are equal: 1e-17 beside 0 has no relative difference."""

WIDER = (
    (r"/lmm/|/lmm_condition_position/|/lmm_with_sequence/|/carryover_lmm", 1e-6,
     "lmer stops its search for the variances some 1e-7 before their optimum; on complete data ours is the ANOVA's F"),
    (r"/clmm/agq10/(LR_p)$", 2e-8, "clmm finds the modes of the random effects to 1e-4 only"),
    (r"/clmm/agq10/(thresholds|beta|se|sd_participant)", 1e-4, "clmm stops its search early"),
    (r"/factanal_omega/", 1e-4, "factanal stops its search early; three items have a closed form, which ours is"),
)  # fmt: skip
"""Pattern of the path -> relative bound and why it is not 1e-9."""

SCALE_MEAN = (
    "scale means: R ranks the rounding errors of 11/3 − 10/3; ours are ties, as the sums of the items are. Compared "
    "here without our rounding, and equal to 1e-9 then"
)
CARRY_OVER = (
    "carry-over: R was given no missing answers, so that the condition answered before stands for the one met before; "
    "ours looks into the sequence. Compared here with R's reading, and equal then"
)
AS_R_READS = (SCALE_MEAN, CARRY_OVER)
ELSEWHERE = (
    (r"hodges_lehmann/est$", "R takes any root between the two middle Walsh averages, to 1e-4; ours is their midpoint "
     "(test_wilcoxon checks that R's lies between them)"),
    (r"^missing/.*/carryover_lmm_periods_2_3/(F|df1|df2|p)/", CARRY_OVER),
    (r"coin_mc_p", "Monte Carlo; test_friedman checks our exact p within five standard errors"),
    (r"SCALE_MEAN/wilcoxon/(pairs/.*/(n_|base_asym_nocorr|coin_wilcoxon_asym/p|coin_\w+_exact/p|exactRankTests|sign_test"
     r"|rank_biserial/|effectsize_rank_biserial/r|ps_paired|cliffs)|adjusted/(base_asym_nocorr|coin_wilcoxon|coin_pratt_"
     r"exact)\w*/(raw|holm))", SCALE_MEAN),
    (r"vectors/(all_zero|constant_plus1)/(t_paired|cohen_dz)|t_paired/error|vectors/all_zero/(coin|exactRankTests|sign_test|"
     r"rank_biserial/|r_Z|base_asym|hodges)|/error$", "R has no answer; ours says why there is none"),
    (r"vectors/(all_zero|constant_plus1)/(effectsize_rank_biserial/r|cohen_dz|cohen_dav|rank_biserial_pratt)",
     "R divides by zero (effectsize gives 1); ours says why there is no figure"),
    (r"/Q3/(wilcoxon/(pairs/A-B/cohen_dz|adjusted/t_paired/(raw/0|holm/))|rm_anova/emmeans_multivariate_pairs/(df|t)/0|"
     r"rm_anova/emmeans_multivariate_pairs/p_holm/)", "a constant difference has no t: R's p.adjust then corrects for "
     "two pairs, ours for the three that were planned (test_compare: an untestable pair stays in its family)"),
    (r"/Q3/wilcoxon/pairs/A-B/effectsize_rank_biserial/r$", "effectsize 0.8.3 gives +1 for a constant negative "
     "difference: it is wrong; R's rank sums give −1, as ours"),
)  # fmt: skip
"""Deliberate differences, each checked by the test that is named."""

NOT_OURS = (
    (r"^meta/|/terms/|/pair$|/contrast/|/levels/|/beta_names/|/singular$|/d/\d+$", "names and input, no figures"),
    (r"/conover/", "Conover's pairs: the plan has Wilcoxon's"),
    (r"BayesFactor|ARTool|rank_transform_anova", "other methods, not in the plan (ART is rank-transform ANOVA here)"),
    (r"clm_no_random|/clmm/laplace/|emm_pairs_holm|/clmm/agq10/(z|p)/", "other models: ours is clmm with 10 nodes"),
    (r"base_asym_corr|/(bonferroni|BH)/|coin_pratt_asym|/Z$|r_Z_over_sqrtN|rank_biserial_pratt|sd_pop|cohen_dav|"
     r"effectsize_rank_biserial/ci|hodges_lehmann/ci", "other conventions; the report has one of each"),
    (r"/(HF_eps|p_HF|pes|SS_\w+|mauchly_\w+)$|emmeans_multivariate_pairs/SE|sd_diff", "not reported"),
    (r"/lmm/(var_|icc|emm|REML|fixef)", "not reported: the model is there for its F tests"),
    (r"^(complete|missing)/alpha/./(std_alpha|ase|alpha_drop|item_total|feldt/r.bar)", "not reported"),
)  # fmt: skip


@dataclass(frozen=True)
class Leaf:
    """One figure of the reference.

    Attributes:
        standing: ``equal``, ``wider``, ``different`` (deliberately) or ``not ours``.
        why: the reason, empty where the figures are equal to 1e-9.
        apart: relative difference; None where nothing was compared.
    """

    path: str
    standing: str
    why: str = ""
    apart: float | None = None


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, figure) of everything in the reference."""
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            yield from leaves(part, f"{path}/{key}" if path else str(key))
    else:
        yield path, value


def account() -> list[Leaf]:
    """Every leaf of the reference with its standing.

    Raises:
        AssertionError: a figure is not R's, or has neither a counterpart nor a reason.
    """
    found = ours()
    every: list[Leaf] = []
    there = {path for path, _ in leaves(R)}
    failed = {path.removesuffix("/error") for path in there if path.endswith("/error")}
    extra = sorted(path for path in set(found) - there if path.rpartition("/")[0] not in failed)
    wrong = [f"{path}: R's reference has no such figure" for path in extra]
    for path, theirs in leaves(R):
        try:
            every.append(_stand(path, theirs, found))
        except AssertionError as error:
            wrong.append(str(error))
    assert not wrong, "\n".join(wrong)
    return every


def _stand(path: str, theirs: Any, found: dict[str, Any]) -> Leaf:
    for pattern, why in ELSEWHERE:
        if re.search(pattern, path):
            apart = _compared(path, theirs, found.get(path)).apart if why in AS_R_READS else None
            return Leaf(path, "different", why, apart)
    if path in found:
        return _compared(path, theirs, found[path])
    for pattern, why in NOT_OURS:
        if re.search(pattern, path):
            return Leaf(path, "not ours", why)
    raise AssertionError(f"{path}: neither compared nor explained")


def _compared(path: str, theirs: Any, figure: Any) -> Leaf:
    assert theirs is not None, f"{path}: R has no figure, ours is {figure!r}"
    assert figure is not None, f"{path}: R has {theirs!r}, ours is missing"
    apart = abs(float(figure) - float(theirs))
    relative = 0.0 if apart <= NEAR_ZERO else apart / max(abs(float(figure)), abs(float(theirs)))
    if relative <= EXACT:
        return Leaf(path, "equal", "", relative)
    for pattern, bound, why in WIDER:
        if re.search(pattern, path):
            assert relative <= bound, f"{path}: {figure!r}, R has {theirs!r} ({relative:.1e} apart, bound {bound:.0e})"
            return Leaf(path, "wider", why, relative)
    raise AssertionError(f"{path}: {figure!r}, R has {theirs!r} ({relative:.1e} apart)")


def summary(every: list[Leaf]) -> str:
    """The account in a few lines a reviewer can read."""
    of = {
        name: [leaf for leaf in every if leaf.standing == name] for name in ("equal", "wider", "different", "not ours")
    }
    largest = max(leaf.apart or 0 for leaf in of["equal"])
    lines = [
        f"{len(every)} entries in R's reference",
        f"  {len(of['equal'])} figures equal to {EXACT:.0e} relative (largest difference {largest:.1e})",
    ]
    for name, words in (("wider", "figures equal within a wider bound"), ("different", "entries different on purpose"),
                        ("not ours", "entries that the analysis does not compute")):  # fmt: skip
        lines.append(f"  {len(of[name])} {words}")
        for why in dict.fromkeys(leaf.why for leaf in of[name]):
            same = [leaf for leaf in of[name] if leaf.why == why]
            most = max((leaf.apart or 0 for leaf in same), default=0.0)
            far = f", largest {most:.1e}" if most else ""
            lines.append(f"    {len(same):4d}  {why}{far}")
    lines += ["Equal figures by part of the reference:", *_by_part(of["equal"])]
    return "\n".join(lines)


def _by_part(equal: list[Leaf]) -> Iterator[str]:
    parts: dict[str, list[float]] = {}
    for leaf in equal:
        names = leaf.path.split("/")
        part = names[0] if names[0] == "vectors" else f"{names[0]}/{names[3] if names[1] == 'items' else names[1]}"
        parts.setdefault(part, []).append(leaf.apart or 0.0)
    for part, apart in parts.items():
        yield f"  {part:30s} {len(apart):5d}  largest {max(apart):.1e}"


if __name__ == "__main__":
    found = account()
    if "--all" in sys.argv[1:]:
        for leaf in found:
            print(f"{leaf.standing:9s} {'' if leaf.apart is None else f'{leaf.apart:.1e}':8s} {leaf.path}  {leaf.why}")
    print(summary(found))
