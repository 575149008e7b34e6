"""Our figures under the names of R's reference: what ``tests/reference/statistics/oracle.json`` is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import combinations
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from analysis.between import mann_whitney
from analysis.clmm import clmm
from analysis.describe import describe
from analysis.friedman import friedman
from analysis.holm import holm
from analysis.mixed import Effect, dummies, effects
from analysis.order import order_effects
from analysis.reliability import one_factor, reliability
from analysis.result_items import mean_interval
from analysis.rm_anova import paired_t, rm_anova
from analysis.times_figure import times
from analysis.wilcoxon import signed_rank
from tests.analysis.oracle import CONDITIONS, DATA, ITEMS, PAIRS, R, long, ratings

Figures = dict[str, Any]


def ours() -> Figures:
    """path in the reference -> our figure."""
    found: Figures = {}
    for which in DATA:
        for item in (*ITEMS, "SCALE_MEAN"):
            at = f"{which}/items/{item}"
            found |= _under(at, _item(which, item))
        for condition in CONDITIONS:
            found |= _under(f"{which}/alpha/{condition}", _alpha(which, condition))
        p_values = [friedman(ratings(which, item).dropna()).p_asymptotic for item in ITEMS]
        found |= _under(f"{which}/holm_across_items_friedman", _listed(holm(p_values)))
    for name, vector in R["vectors"].items():
        zeros = np.zeros(len(vector["d"]))
        found |= _under(f"vectors/{name}", _pair(np.array(vector["d"], dtype=float), zeros))
    return found


def _under(path: str, figures: Figures) -> Figures:
    return {f"{path}/{name}": value for name, value in figures.items()}


def _listed(values: Sequence[Any]) -> Figures:
    return {str(place): value for place, value in enumerate(values)}


def _item(which: str, item: str) -> Figures:
    frame, rows = ratings(which, item), model_rows(which, item)
    found = _under("friedman", _friedman(frame))
    with _rounding_errors_ranked() if item == "SCALE_MEAN" else nullcontext():
        found |= _under("wilcoxon", _pairs(frame))
    found |= _under("rm_anova", _anova(frame)) | _under("lmm", _mixed(rows))
    if item == "SCALE_MEAN":
        return found
    for condition in CONDITIONS:
        found |= _under(f"desc/{condition}", _describe(frame[condition].dropna().tolist()))
    return found | _under("clmm/agq10", _clmm(frame)) | _under("order", _order(rows))


@contextmanager
def _rounding_errors_ranked() -> Iterator[None]:
    """As R does with the means of three items; ours count 11/3 − 10/3 and 4/3 − 1 as equal."""
    with ExitStack() as stack:
        for module in ("wilcoxon", "friedman", "between"):
            stack.enter_context(patch(f"analysis.{module}.DECIMALS", 17))
        yield


def _describe(values: list[float]) -> Figures:
    cell, quartiles = describe(values, 1, 5), times("", np.array(values))
    found: Figures = {"n": cell.n, "mean": cell.mean, "sd": cell.sd, "median": cell.median}
    found |= {"q1_type7": quartiles.q1, "q3_type7": quartiles.q3} | _under(
        "counts", _listed(list(cell.counts.values()))
    )
    return found | _under("t_ci", _listed(mean_interval(cell) or ()))


def _friedman(frame: pd.DataFrame) -> Figures:
    test = friedman(frame.dropna().to_numpy(float))
    found: Figures = {"n": test.n, "chi2": test.chi2, "df": test.df, "p": test.p_asymptotic}
    found |= {"kendall_W": test.kendall_w, "rstatix_W": test.kendall_w, "coin_asymptotic_p": test.p_asymptotic}
    found |= _under("mean_ranks", _listed(test.mean_ranks))
    found |= _under("rank_sums", _listed([rank * test.n for rank in test.mean_ranks]))
    ranked = test.iman_davenport
    assert ranked is not None
    found |= _under("iman_davenport", {"F": ranked.f, "df1": ranked.df1, "df2": ranked.df2, "p": ranked.p})
    return found | {"iman_davenport/check_F": ranked.f}


def _pairs(frame: pd.DataFrame) -> Figures:
    found: Figures = {}
    tests, ts = [], []
    for name, (first, second) in zip(PAIRS, combinations(CONDITIONS, 2), strict=True):
        both = frame[[first, second]].dropna()
        a, b = both[first].to_numpy(float), both[second].to_numpy(float)
        found |= _under(f"pairs/{name}", _pair(a, b))
        tests.append(signed_rank(a - b))
        ts.append(paired_t(a - b))
    families = {
        "base_asym_nocorr": [test.p_asymptotic for test in tests],
        "coin_wilcoxon_asym": [test.p_asymptotic for test in tests],
        "coin_wilcoxon_exact": [test.p_exact for test in tests],
        "coin_pratt_exact": [test.p_pratt_exact for test in tests],
        "t_paired": [test.p for test in ts],
    }
    for name, p_values in families.items():
        found |= _under(f"adjusted/{name}/raw", _listed(p_values))
        found |= _under(f"adjusted/{name}/holm", _listed(holm(p_values)))
    return found


def _pair(first: Any, second: Any) -> Figures:
    d = first - second
    test, t = signed_rank(d), paired_t(d)
    sign = friedman(np.column_stack([first, second])).p_exact  # with two conditions it is the sign test
    found: Figures = {"n": test.n, "n_zero": test.n_zero, "n_pos": test.n_positive, "n_neg": test.n_negative}
    found |= {"mean_diff": t.mean_difference, "ps_paired": test.probability, "sign_test_p": sign}
    found |= {"cliffs_delta_unpaired": mann_whitney(first, second).rank_biserial, "cohen_dz": t.cohen_dz}
    for name in ("base_asym_nocorr", "exactRankTests_wilcox_exact"):
        found[f"{name}/V"] = test.w_plus
    found |= {"base_asym_nocorr/p": test.p_asymptotic, "coin_wilcoxon_asym/p": test.p_asymptotic}
    found |= {"coin_wilcoxon_exact/p": test.p_exact, "exactRankTests_wilcox_exact/p": test.p_exact}
    found |= {"coin_pratt_exact/p": test.p_pratt_exact, "effectsize_rank_biserial/r": test.rank_biserial}
    found |= {"rank_biserial/W_plus": test.w_plus, "rank_biserial/W_minus": test.w_minus}
    found |= {"rank_biserial/n_nonzero": test.n - test.n_zero, "rank_biserial/r_rb": test.rank_biserial}
    found |= {"t_paired/t": t.t, "t_paired/df": t.df, "t_paired/p": t.p}
    found |= _under("t_paired/ci", _listed(t.ci or ()))
    return {name: value for name, value in found.items() if value is not None}


def _anova(frame: pd.DataFrame) -> Figures:
    complete = frame.dropna()
    test = rm_anova(complete)
    found: Figures = {"n": test.n}
    for source in ("base", "afex"):
        found |= _under(source, {"F": test.f, "df1": test.df1, "df2": test.df2, "p": test.p, "ges": test.eta2_g})
        found |= _under(source, {"GG_eps": test.epsilon_gg, "p_GG": test.p_gg})
    ts = [paired_t(complete[a] - complete[b]) for a, b in combinations(CONDITIONS, 2)]
    figures = {"estimate": [t.mean_difference for t in ts], "df": [t.df for t in ts], "t": [t.t for t in ts]}
    for name, values in {**figures, "p_holm": holm([t.p for t in ts])}.items():
        found |= _under(f"emmeans_multivariate_pairs/{name}", _listed(values))
    return {path: value for path, value in found.items() if value is not None}


def model_rows(which: str, item: str) -> pd.DataFrame:
    """participant, condition, period and value, one row an answer."""
    if item == "SCALE_MEAN":
        groups = long(which).groupby(["participant", "condition", "order_position"])["rating"]
        rows = groups.mean()[groups.count() == 3].reset_index()
    else:
        rows = long(which).query("item == @item").dropna(subset=["rating"])
    return rows.rename(columns={"order_position": "period", "rating": "value"})


def _mixed(rows: pd.DataFrame) -> Figures:
    terms = {"condition": dummies(list(rows["condition"]))}
    test = effects(rows["value"], list(rows["participant"]), terms)["condition"]
    return {"F": test.f, "df1": test.df1, "df2": test.df2, "p": test.p}


def _clmm(frame: pd.DataFrame) -> Figures:
    model = clmm(frame)
    found: Figures = {"LR_chi2": model.lr, "LR_df": model.df, "LR_p": model.p, "logLik": model.log_likelihood}
    found |= {"sd_participant": model.sigma} | _under("thresholds", _listed(model.thresholds))
    return found | _under("beta", _listed(model.beta)) | _under("se", _listed(model.se))


def _order(rows: pd.DataFrame) -> Figures:
    rows = rows.sort_values(["participant", "period"])
    met = rows.groupby("participant")["condition"].agg(">".join).to_dict()  # R drops what was not answered before
    test = order_effects(rows, met)
    found: Figures = _under("sequence_counts", {order.replace(">", ""): n for order, n in test.sequences.items()})
    found |= _under("lmm_condition_position", _effects([test.condition, test.period]))
    by, kruskal = test.by_period, test.by_sequence
    found |= _under("friedman_by_position", {"n": by.n, "chi2": by.chi2, "p": by.p_asymptotic})
    figures = {"chi2": kruskal.chi2, "df": kruskal.df, "p": kruskal.p}
    found |= _under("kruskal_participant_mean_by_sequence", figures)
    period, condition = test.fixed_period, test.fixed_condition
    fixed = {"F_position": period.f, "p_position": period.p, "F_condition": condition.f, "p_condition": condition.p}
    found |= _under("fixed_effects_lm", {**fixed, "df_resid": condition.df2})
    return found | dict(_with_sequence(rows, met)) | dict(_carry_over(rows))


def _with_sequence(rows: pd.DataFrame, met: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """A factor between people beside two within: the same model that a mixed design uses."""
    sequences = [met[who] for who in rows["participant"]]
    terms = {"condition": list(rows["condition"]), "period": list(rows["period"]), "sequence": sequences}
    found = effects(rows["value"], list(rows["participant"]), {name: dummies(of) for name, of in terms.items()})
    yield from _under("lmm_with_sequence", _effects(list(found.values()))).items()


def _carry_over(rows: pd.DataFrame) -> Iterator[tuple[str, Any]]:
    before = rows.groupby("participant")["condition"].shift()
    later, previous = rows[before.notna()], before.dropna()
    terms = {"condition": list(later["condition"]), "period": list(later["period"]), "previous": list(previous)}
    found = effects(later["value"], list(later["participant"]), {name: dummies(of) for name, of in terms.items()})
    yield from _under("carryover_lmm_periods_2_3", _effects(list(found.values()))).items()


def _effects(found: list[Effect]) -> Figures:
    named = {"F": [e.f for e in found], "df1": [e.df1 for e in found], "df2": [e.df2 for e in found]}
    lists = {**named, "p": [e.p for e in found]}
    return {f"{name}/{place}": value for name, values in lists.items() for place, value in enumerate(values)}


def _alpha(which: str, condition: str) -> Figures:
    rows = long(which).query("condition == @condition")
    wide = rows.pivot(index="participant", columns="item", values="rating").dropna()
    scale = reliability(wide)
    low, high = scale.alpha_ci or (None, None)
    found: Figures = {"n": scale.n, "k": scale.k, "raw_alpha": scale.alpha}
    found |= _under("feldt", {"lower.ci": low, "alpha": scale.alpha, "upper.ci": high})
    loadings = one_factor(np.corrcoef(wide, rowvar=False))
    found |= _under("factanal_omega", {"omega_std": scale.omega, **_under("std_loadings", _listed(list(loadings)))})
    return found
