"""Every check over every paper, and the tables of an audit."""

from __future__ import annotations

import pandas as pd

from analysis.describe import half_up
from analysis.export import Table
from analysis.paper import audit_others, audit_skingen, undetermined
from analysis.paper.checks import Check
from analysis.paper.closure import closure
from analysis.paper.consistency import grim, grimmer
from analysis.paper.published import TITLES, Cell, Published


def audit(facts: Published) -> tuple[Check, ...]:
    """All checks: SkinGEN first, then SkinGPT-4 and DermDiT."""
    return (*audit_skingen.audit(facts), *undetermined.audit(facts), *audit_others.audit(facts))


def checks_table(checks: tuple[Check, ...]) -> Table:
    """One row a check; the CSV names every cell it was computed from."""
    frame = pd.DataFrame(
        {
            "key": check.key,
            "paper": TITLES[check.paper],
            "claim": check.claim,
            "published": check.published,
            "computed": check.computed,
            "verdict": check.verdict.value,
            "sentence": check.sentence,
            "origin": check.origins,
            "cells": "; ".join(f"{cell.table}, {cell.row}, {cell.column}: {cell.value or '?'}" for cell in check.cells),
        }
        for check in checks
    )
    display = frame[["claim", "published", "computed", "verdict"]].rename(columns=str.capitalize)
    return Table("audit", f"Audit of the published numbers: {len(checks)} checks", frame, display, words=4)


def consistency_table(facts: Published) -> Table:
    """GRIM and GRIMMER of every published mean (and SD, with both formulas) of the SkinGEN study."""
    rows = [_tested(facts, mean, ddof) for mean in facts.select("skingen", "table5", column="mean") for ddof in (1, 0)]
    rows += [_tested(facts, mean, None) for mean in facts.select("skingen", "text of section 5.3", column="mean")]
    frame = pd.DataFrame(rows)
    frame[["ddof", "distributions"]] = frame[["ddof", "distributions"]].astype("Int64")
    shown = frame.drop(columns="reason").astype(object)
    return Table(
        name="consistency",
        title=f"GRIM and GRIMMER at n = {facts.participants.value}",
        frame=frame,
        display=shown.where(shown.notna(), "").astype(str).rename(columns=_HEADS),
        note="ddof 1: sample SD (n − 1); ddof 0: population SD (n).",
        words=2,
    )


_HEADS = {
    "origin": "Origin",
    "question": "Statement",
    "mean": "Mean",
    "sd": "SD",
    "grim": "GRIM",
    "grimmer": "GRIMMER",
    "distributions": "Distributions",
    "sums": "Possible sums",
}


def _tested(facts: Published, mean: Cell, ddof: int | None) -> dict[str, object]:
    """One row: with an SD (Table 5) GRIMMER and CLOSURE as well, without one (``ddof`` None) GRIM alone."""
    n, scale = facts.participants.whole, facts.scale
    row: dict[str, object] = {"origin": mean.origin, "question": mean.row, "mean": mean.value, "sd": "", "ddof": ddof}
    if ddof is None:
        found = grim(mean.value, n, scale)
        row |= {"grim": found.grim, "grimmer": None, "distributions": None}
    else:
        sd = facts.cell("skingen", "table5", mean.row, "sd").value
        found = grimmer(mean.value, sd, n, scale, ddof=ddof)
        row |= {"sd": sd, "grim": found.grim, "grimmer": found.grimmer}
        row["distributions"] = len(closure(mean.value, sd, n, scale, ddof=ddof))
    return row | {"sums": " ".join(str(total) for total in found.sums), "reason": found.reason}


def closure_table(facts: Published) -> Table:
    """Every distribution of ratings behind each row of Table 5."""
    n, (low, high) = facts.participants.whole, facts.scale
    rows = []
    for mean in facts.select("skingen", "table5", column="mean"):
        sd = facts.cell("skingen", "table5", mean.row, "sd")
        found = closure(mean.value, sd.value, n, (low, high))
        rows += [(mean.row, mean.value, sd.value, *counts) for counts in found.tolist()]
    frame = pd.DataFrame(rows, columns=["question", "mean", "sd", *(f"count_{p}" for p in range(low, high + 1))])
    title = f"All distributions of ratings that give Table 5 (CLOSURE, n = {n})"
    heads = {"question": "Statement", "mean": "Mean", "sd": "SD"}
    heads |= {f"count_{point}": f"Ratings of {point}" for point in range(low, high + 1)}
    return Table("closure", title, frame, frame.astype(str).rename(columns=heads))


def figure4a_table(facts: Published) -> Table:
    """SkinGPT-4's Figure 4a in percent, from its published counts."""
    answers = [cell.column for cell in facts.select("skingpt4", "figure4a", facts.rows("skingpt4", "figure4a")[0])]
    rows = []
    for item in facts.rows("skingpt4", "figure4a"):
        counts = [facts.cell("skingpt4", "figure4a", item, answer).whole for answer in answers]
        rows.append((item, *counts, sum(counts), counts[0] + counts[1], 100 * (counts[0] + counts[1]) / sum(counts)))
    columns = ["statement", *(answer.replace(" ", "_") for answer in answers), "ratings", "agreeing", "percent_agree"]
    frame = pd.DataFrame(rows, columns=columns)
    display = frame.assign(percent_agree=frame["percent_agree"].map(half_up)).astype(str)
    display.columns = [name.replace("_", " ").capitalize() for name in columns]
    return Table("skingpt4_figure4a", "SkinGPT-4, Figure 4a: agreement, from the published counts", frame, display)


def figure4bc_table(facts: Published) -> Table:
    """SkinGPT-4's Figures 4b (response times) and 4c (agreement over repeats), as published, in one unit each."""
    rows: list[tuple[object, ...]] = []
    for cell in facts.select("skingpt4", "figure4b"):
        what, _, unit = cell.column.partition(", ")
        seconds = None if not unit else float(cell.number) * {"seconds": 1, "minutes": 60}[unit]
        rows.append(("4b", cell.row, what, cell.value, seconds, None))
    answers = facts.cell("skingpt4", "figure4c", "answers", "count")
    for cell in facts.select("skingpt4", "figure4c", column="count"):
        rows.append(("4c", cell.row, "count", cell.value, None, 100 * cell.whole / answers.whole))
    frame = pd.DataFrame(rows, columns=["figure", "row", "what", "published", "seconds", "percent"])
    display = frame.assign(
        seconds=[_or_empty(value) for value in frame["seconds"]],
        percent=[_or_empty(value) for value in frame["percent"]],
    )
    title = "SkinGPT-4, Figures 4b and 4c: the published numbers"
    return Table("skingpt4_figure4bc", title, frame, display.rename(columns=str.capitalize), words=3)


def _or_empty(value: float) -> str:
    return "" if pd.isna(value) else half_up(value)
