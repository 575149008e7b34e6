"""results.json: every number of a study, machine-readable, under stable names (docs/results-json.md)."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict
from importlib.metadata import version

import pandas as pd

from analysis.agreement import shown
from analysis.bootstrap import DRAWS, LEVEL
from analysis.compare import Comparison
from analysis.durations import page_times
from analysis.exclusions import exclusions
from analysis.facts import Facts, with_notes
from analysis.manifests import models
from analysis.mixed_design import groups_of
from analysis.model import ONCE, StudyData, pivoted
from analysis.pairs import pairs
from analysis.reliability import reliability
from analysis.reliance import reliance
from analysis.result_items import item_facts
from analysis.subgroups import subgroups

FORMAT = 2
"""Raised when a name changes its meaning or goes away."""
LIBRARIES = ("numpy", "scipy", "pandas", "matplotlib")


def results(data: StudyData, comparisons: tuple[Comparison, ...], seed: int) -> Facts:
    """Everything that is known about one study, run kind and definition.

    Args:
        comparisons: of the repeated items (``compare.compare_items``).
        seed: of the bootstrap intervals.
    """
    by_item = {} if data.between else {found.item: found for found in comparisons}
    return {
        "format": FORMAT,
        "provenance": provenance(data, seed),
        "flow": flow(data),
        "exclusions": exclusions(data, comparisons),
        "design": "between" if data.between else "mixed" if groups_of(data) else "within",
        "conditions": {condition.key: condition.label for condition in data.conditions},
        "items": {item.key: item_facts(data, item, by_item.get(item.key), seed) for item in data.items},
        "scales": scales(data),
        **with_notes({"page_times": page_times(data)}, "no answer was timed"),
        **with_notes({"subgroups": subgroups(data) or None}, "no characteristic divides the participants into groups"),
        **shown(data),
        **with_notes({"reliance": reliance(data, seed)}, "the study asks for no decision before and after an advice"),
        **with_notes({"pairs": pairs(data)}, "the study compares nothing in pairs"),
    }


def provenance(data: StudyData, seed: int) -> Facts:
    """What was analysed with what. No clock and no path: the same rows give the same bytes."""
    facts = {
        "source": data.source.name,
        "rows_sha256": hashlib.sha256(data.ratings.to_csv(index=False).encode()).hexdigest(),
        "study": data.study,
        "definitions": list(data.definitions),
        "run_kind": data.run_kind,
        "simulated": data.simulated,
        "cases_per_condition": data.cases,
        "models": [asdict(model) for model in models(data.exposures)],
        "last_answer": data.last_answer,
        "notes": list(data.notes),
        "bootstrap": {"seed": seed, "draws": DRAWS, "level": LEVEL, "interval": "percentile, participants drawn"},
        "versions": versions(),
    }
    return with_notes(facts, "the rows carry no time")


def versions() -> dict[str, str]:
    """Versions that the figures depend on."""
    return {"Python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


def flow(data: StudyData) -> Facts:
    """How many reached each stage, and why the others are not analysed."""
    facts = {
        "arrived": data.flow.arrived,
        "consented": data.flow.consented,
        "allocated": data.flow.allocated,
        "completed": data.flow.completed,
        "analysed": data.n,
        "left_out": data.left_out,
    }
    return with_notes(facts, "the input has no flow (a CSV without flow.csv)")


def scales(data: StudyData) -> Facts:
    """scale (a construct with two items or more) -> condition -> {n, alpha, alpha_ci, omega}."""
    found: Facts = {}
    for construct in dict.fromkeys(item.construct for item in data.items if item.construct):
        items = [item for item in data.items if item.construct == construct]
        for repeated in (True, False):
            keys = [item.key for item in items if item.repeated == repeated]
            if len(keys) > 1:
                found.setdefault(construct, {}).update(_reliabilities(data, keys, repeated))
    return found


def _reliabilities(data: StudyData, keys: list[str], repeated: bool) -> Facts:
    rows = data.ratings[data.ratings["item"].isin(keys)]
    cells = {c.key: rows[rows["condition"] == c.key] for c in data.conditions} if repeated else {ONCE: rows}
    return {name: _reliability(cell, keys) for name, cell in cells.items()}


def _reliability(rows: pd.DataFrame, keys: list[str]) -> Facts:
    wide = pivoted(rows, "item", "value").reindex(columns=keys).dropna()
    found = reliability(wide.to_numpy(float))
    facts = {"n": found.n, "alpha": found.alpha, "alpha_ci": found.alpha_ci, "omega": found.omega}
    return {**with_notes(facts, {"omega": found.note or found.omega_note, "": found.note}), "items": keys}
