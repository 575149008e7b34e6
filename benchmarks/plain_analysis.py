"""The peer of `python -m benchmarks.analysis`: what a researcher writes with pingouin and seaborn for the same study.

The same tests and figures as the report has, as far as those libraries have them (their Friedman and Wilcoxon have no
exact p for ties, and nothing here replaces the cumulative link mixed model), written as tables and pictures of the same
kinds. pingouin is under the GPL: this script is a measurement, never part of the product, and needs
requirements-bench.txt.

    python -m benchmarks.plain_analysis STUDY.db FOLDER [BOOTSTRAP_DRAWS]
"""

from __future__ import annotations

import base64
import json
import sqlite3
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pingouin as pg
import seaborn as sns
import statsmodels.formula.api as smf

DPI = 300
KINDS = ("png", "svg", "pdf")


def read(database: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ratings and participants who completed."""
    connection = sqlite3.connect(database)
    ratings = pd.read_sql("SELECT * FROM ratings", connection)
    people = pd.read_sql("SELECT * FROM participants WHERE outcome = 'completed'", connection)
    ratings["value"] = ratings["value"].astype(float)
    return ratings[ratings["participant"].isin(people["participant"])], people


def tables(ratings: pd.DataFrame, people: pd.DataFrame, draws: int) -> Iterator[tuple[str, pd.DataFrame]]:
    """Name -> table: who took part, descriptions, tests, sensitivity, order, reliability, subgroups, times."""
    groups = people["demographics"].map(json.loads).apply(pd.Series)
    yield "participants", pd.concat([groups[key].value_counts() for key in groups], keys=list(groups)).reset_index()
    yield "description", ratings.groupby(["item", "condition"], dropna=False)["value"].describe().reset_index()
    repeated = ratings[ratings["condition"].notna()]
    by_person = pd.concat([people["participant"], groups], axis=1)
    yield "friedman", _each(repeated, lambda rows: pg.friedman(rows, "value", "condition", "participant"))
    yield "pairs", _each(repeated, lambda rows: _pairs(rows, draws))
    yield "anova", _each(repeated, lambda rows: pg.rm_anova(rows, "value", "condition", "participant", correction=True))
    yield "order", _each(repeated, _order)
    yield "times", pg.friedman(_pages(repeated), "duration_s", "condition", "participant")
    yield "subgroups", _each(repeated.merge(by_person, on="participant"), lambda rows: _subgroups(rows, list(groups)))
    yield "reliability", _reliability(ratings)


def _pages(repeated: pd.DataFrame) -> pd.DataFrame:
    """Seconds to the last answer of each rating page."""
    return repeated.groupby(["participant", "condition"])["duration_s"].max().reset_index()


def _each(rows: pd.DataFrame, test: Any) -> pd.DataFrame:
    return pd.concat([test(part).assign(item=item) for item, part in rows.groupby("item")])


def _pairs(rows: pd.DataFrame, draws: int) -> pd.DataFrame:
    wide = rows.pivot(index="participant", columns="condition", values="value")
    found = []
    for first, second in combinations(wide.columns, 2):
        a, b = wide[first].to_numpy(), wide[second].to_numpy()
        signed, t = pg.wilcoxon(a, b), pg.ttest(a, b, paired=True)
        pratt = pg.wilcoxon(a, b, zero_method="pratt")
        ends = _interval(a - b, draws) if draws else (np.nan, np.nan)
        row = pd.concat([signed.reset_index(), pratt.add_prefix("pratt_").reset_index(), t.reset_index()], axis=1)
        found.append(row.assign(pair=f"{first}-{second}", low=ends[0], high=ends[1]))
    table = pd.concat(found)
    column = next(name for name in table.columns if str(name).lower().replace("_", "-") in ("p-val", "pval"))
    p_values = table[column].to_numpy(float)
    p_values = p_values[:, 0] if p_values.ndim == 2 else p_values
    return table.loc[:, ~table.columns.duplicated()].assign(p_holm=pg.multicomp(p_values, method="holm")[1])


def _interval(differences: Any, draws: int) -> tuple[float, float]:
    """Percentile interval of the rank-biserial correlation, participants drawn."""

    def rank_biserial(d: Any) -> float:
        used = d[d != 0]
        ranks = pd.Series(np.abs(used)).rank().to_numpy()
        return float((ranks * np.sign(used)).sum() / max(ranks.sum(), 1))

    low, high = pg.compute_bootci(differences, func=rank_biserial, method="per", n_boot=draws, seed=1)
    return float(low), float(high)


def _order(rows: pd.DataFrame) -> pd.DataFrame:
    later = rows.sort_values(["participant", "period"])
    later = later.assign(before=later.groupby("participant")["condition"].shift())
    whole = smf.mixedlm("value ~ C(condition) + C(period)", rows, groups=rows["participant"]).fit()
    carried = later.dropna(subset=["before"])
    carry = smf.mixedlm("value ~ C(condition) + C(period) + C(before)", carried, groups=carried["participant"]).fit()
    sequences = rows.groupby(["participant", "sequence"])["value"].mean().reset_index()
    by_sequence = pg.kruskal(sequences, "value", "sequence")
    by_period = pg.friedman(rows, "value", "period", "participant")
    effects = pd.concat([whole.wald_test_terms(scalar=True).table, carry.wald_test_terms(scalar=True).table])
    return pd.concat([effects.reset_index(), by_sequence.reset_index(), by_period.reset_index()])


def _subgroups(rows: pd.DataFrame, characteristics: list[str]) -> pd.DataFrame:
    found = []
    for key in characteristics:
        known = rows.dropna(subset=[key])
        names = sorted(known[key].unique())
        if not 2 <= len(names) <= 6:
            continue
        found.append(pg.mixed_anova(known, "value", "condition", "participant", key).assign(by=key))
        wide = known.pivot(index="participant", columns="condition", values="value")
        of = known.drop_duplicates("participant").set_index("participant")[key]
        for first, second in combinations(wide.columns, 2):
            difference = (wide[first] - wide[second]).rename("value").to_frame().join(of)
            parts = [difference["value"][difference[key] == name].to_numpy() for name in names]
            test = pg.mwu(*parts) if len(names) == 2 else pg.kruskal(difference, "value", key)
            found.append(test.assign(by=key, pair=f"{first}-{second}"))
    return pd.concat(found) if found else pd.DataFrame({"by": []})


def _reliability(ratings: pd.DataFrame) -> pd.DataFrame:
    """Cronbach's alpha of all repeated items in each condition."""
    found = []
    for condition, rows in ratings.dropna(subset=["condition"]).groupby("condition"):
        alpha, ends = pg.cronbach_alpha(rows.pivot(index="participant", columns="item", values="value"))
        found.append((condition, alpha, *ends))
    return pd.DataFrame(found, columns=["condition", "alpha", "low", "high"])


def figures(ratings: pd.DataFrame, people: pd.DataFrame) -> Iterator[tuple[str, Any]]:
    """Name -> figure: mean and SD, counts, paired differences, times, flow."""
    repeated = ratings[ratings["condition"].notna()]
    grid = sns.catplot(repeated, kind="bar", x="item", y="value", hue="condition", errorbar="sd", capsize=0.1)
    yield "figure9", grid.figure
    counts = repeated.groupby(["item", "condition"])["value"].value_counts(normalize=True).unstack(fill_value=0)
    figure, axes = plt.subplots(figsize=(7.2, 5), layout="constrained")
    counts.plot(kind="barh", stacked=True, ax=axes, colormap="PuOr")
    yield "counts", figure
    yield "differences", _differences(repeated)
    grid = sns.catplot(_pages(repeated), kind="box", x="duration_s", y="condition", log_scale=True)
    yield "page_times", grid.figure
    yield "flow", _flow(people)


def _differences(repeated: pd.DataFrame) -> Any:
    items = sorted(repeated["item"].unique())
    pairs = list(combinations(sorted(repeated["condition"].unique()), 2))
    figure, grid = plt.subplots(len(items), len(pairs), figsize=(7.2, 2.2 * len(items)), squeeze=False)
    for row, item in zip(grid, items, strict=True):
        rows = repeated[repeated["item"] == item]
        wide = rows.pivot(index="participant", columns="condition", values="value")
        for axes, (first, second) in zip(row, pairs, strict=True):
            sns.histplot(wide[first] - wide[second], discrete=True, ax=axes).set_title(f"{item}: {first} - {second}")
    figure.tight_layout()
    return figure


def _flow(people: pd.DataFrame) -> Any:
    figure, axes = plt.subplots(figsize=(7.2, 4))
    axes.set_axis_off()
    box = {"boxstyle": "square", "facecolor": "white"}
    axes.text(0.5, 0.9, f"Completed: {len(people)}", ha="center", bbox=box)
    for place, (sequence, n) in enumerate(people["sequence"].value_counts().items()):
        axes.text((place + 0.5) / 6, 0.5, f"{sequence}\n{n}".replace(">", "\n"), ha="center", bbox=box, fontsize=6)
    return figure


def main(database: Path, folder: Path, draws: int) -> None:
    """Write tables (CSV, Markdown, LaTeX), figures (PNG, SVG, PDF) and one HTML page."""
    folder.mkdir(parents=True, exist_ok=True)
    ratings, people = read(database)
    page = ["<!doctype html><title>Report</title>"]
    for name, table in tables(ratings, people, draws):
        table.to_csv(folder / f"{name}.csv", index=False)
        (folder / f"{name}.md").write_text(table.to_markdown(index=False))
        (folder / f"{name}.tex").write_text(table.to_latex(index=False))
        page.append(table.to_html(index=False))
    for name, figure in figures(ratings, people):
        for kind in KINDS:
            figure.savefig(folder / f"{name}.{kind}", dpi=DPI)
        plt.close(figure)
        picture = base64.b64encode((folder / f"{name}.svg").read_bytes()).decode()
        page.append(f'<img alt="{name}" src="data:image/svg+xml;base64,{picture}">')
    (folder / "report.html").write_text("\n".join(page))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
