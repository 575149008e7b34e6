"""How many agree, how fast a system answers, and whether it says the same again: SkinGPT-4's Figures 4a, 4b and 4c.

Zhou et al. (2024), doi 10.1038/s41467-024-50043-3. The counts of Figure 4a are ``items.<item>.describe``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.describe import NOTHING, half_up
from analysis.durations import over_conditions
from analysis.export import Table
from analysis.facts import Facts, with_notes
from analysis.measures import LIKERT, Item
from analysis.model import ONCE, StudyData, pivoted


def shown(data: StudyData) -> Facts:
    """``agreement``, ``answer_times`` and ``consistency``, each null with its reason where there is nothing."""
    agreed = {item.key: _agreement(data, item) for item in data.items if item.kind == LIKERT}
    return {
        **with_notes({"agreement": agreed or None}, "no statement is rated on a scale"),
        **with_notes(
            {"answer_times": _answer_times(data)}, "the input does not say how long the systems took to answer"
        ),
        **with_notes({"consistency": _consistency(data)}, "no photo was diagnosed more than once in a condition"),
    }


def _agreement(data: StudyData, item: Item) -> Facts:
    cells = {c.key: data.values(item, c) for c in data.conditions} if item.repeated else {ONCE: data.values(item)}
    return {name: _share_above(values, item) for name, values in cells.items()}


def _share_above(values: list[float], item: Item) -> Facts:
    """{n, agree, percent}: answers above the middle of the scale (agree and strongly agree of five points)."""
    agree = int(np.count_nonzero(np.asarray(values) > (item.scale_min + item.scale_max) / 2))
    percent = 100 * agree / len(values) if values else None
    return with_notes({"n": len(values), "agree": agree, "percent": percent}, "nobody answered")


def _answer_times(data: StudyData) -> Facts | None:
    """condition -> {n, median, q1, q3, low, high} seconds (quartiles of R's type 7), and Friedman's test."""
    if data.replies is None or data.replies.empty:
        return None
    rows = data.replies.assign(response_s=pd.to_numeric(data.replies["response_s"], errors="coerce"))
    rows = rows.dropna(subset=["response_s"])
    found: Facts = {}
    for condition in data.conditions:
        seconds = rows["response_s"][rows["condition"] == condition.key].to_numpy(float)
        if seconds.size:
            low, q1, median, q3, high = map(float, np.quantile(seconds, [0, 0.25, 0.5, 0.75, 1]))
            found[condition.key] = {
                **{"n": int(seconds.size), "median": median, "q1": q1, "q3": q3},
                **{"low": low, "high": high},
            }
    wide = pivoted(rows, "condition", "response_s").reindex(columns=list(found))  # systems that answered anybody
    return {**found, **over_conditions(data, wide)}


def _consistency(data: StudyData) -> Facts | None:
    """condition -> how often a photo that was diagnosed again got its most frequent diagnosis, and the true one."""
    if data.exposures is None or not {"photo", "diagnosis"} <= set(data.exposures):
        return None
    rows = data.exposures.dropna(subset=["photo", "diagnosis"])
    found = {c.key: _repeats(rows[rows["condition"] == c.key]) for c in data.conditions}
    return {name: facts for name, facts in found.items() if facts["runs"]} or None


def _repeats(rows: pd.DataFrame) -> Facts:
    cases = runs = majority = labelled = right = 0
    for _, of_photo in rows.groupby("photo", sort=True):
        if len(of_photo) < 2:
            continue
        said = [str(diagnosis).casefold() for diagnosis in of_photo["diagnosis"]]
        true = [_truth(row) for row in of_photo.to_dict("records")]
        cases, runs = cases + 1, runs + len(said)
        majority += Counter(said).most_common(1)[0][1]
        labelled += sum(bool(label) for label in true)
        right += sum(label == word for label, word in zip(true, said, strict=True) if label)
    facts = {"cases": cases, "runs": runs, "majority": majority, "labelled": labelled, "right": right}
    shares = {
        "majority_percent": 100 * majority / runs if runs else None,
        "right_percent": 100 * right / labelled if labelled else None,
    }
    return {**facts, **with_notes(shares, "the true diagnosis of these photos is not known")}


def _truth(row: Mapping[object, object]) -> str:
    return next((str(row[name]).casefold() for name in ("truth", "known_label") if row.get(name)), "")


def agreement_table(data: StudyData, facts: Facts) -> Table:
    """Percent agreement, one row an item and system."""
    labels = {**facts["conditions"], ONCE: "rated once"}
    rows = (
        [
            {"item": item.key, "condition": condition, **{name: cell[name] for name in ("n", "agree", "percent")}}
            for item in data.items
            if item.kind == LIKERT
            for condition, cell in facts["agreement"][item.key].items()
        ]
        if facts["agreement"]
        else []
    )
    wordings = {item.key: item.wording for item in data.items}
    display = pd.DataFrame(
        [
            (
                wordings[row["item"]],
                labels[row["condition"]],
                str(row["n"]),
                str(row["agree"]),
                _percent(row["percent"]),
            )
            for row in rows
        ],
        columns=["Statement", "System", "n", "Agree", "Percent"],
    )
    frame = pd.DataFrame(rows, columns=["item", "condition", "n", "agree", "percent"])
    note = "Agree: answers above the middle of the scale. n: answers."
    return Table("agreement", "Agreement with every statement", frame, display, note, words=2)


def systems_table(facts: Facts) -> Table:
    """Answer times and consistency, one row a system; no rows where neither is known."""
    times, again = facts["answer_times"] or {}, facts["consistency"] or {}
    names = ["n", "median", "q1", "q3", "low", "high"]
    runs = ["cases", "runs", "majority_percent", "right_percent"]
    rows, cells = [], []
    for key, label in facts["conditions"].items():
        time, run = times.get(key, {}), again.get(key, {})
        if time or run:
            rows.append({"condition": key, **{n: time.get(n) for n in names}, **{n: run.get(n) for n in runs}})
            quartiles = f"{half_up(time['q1'])} to {half_up(time['q3'])}" if time else NOTHING
            cells.append(
                (
                    *(label, str(time.get("n", 0)), half_up(time.get("median")), quartiles),
                    *(f"{run['runs']} of {run['cases']} photos" if run else NOTHING,),
                    *(_percent(run.get("majority_percent")), _percent(run.get("right_percent"))),
                )
            )
    head = ["System", "Answers", "Median (s)", "Quartiles (s)", "Repeated", "Same diagnosis", "True diagnosis"]
    display = pd.DataFrame(cells, columns=head)
    note = (
        "Seconds from question to answer. Repeated: diagnoses of photos that were shown more than once; same: equal to "
        "that photo's most frequent diagnosis; true: equal to its known one."
    )
    frame = pd.DataFrame(rows, columns=["condition", *names, *runs])
    return Table("systems", "Answer times and consistency of the systems", frame, display, note)


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{half_up(share)}%"
