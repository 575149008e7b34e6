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
from analysis.model import StudyData
from analysis.pairs import pairs
from analysis.reliance import reliance
from analysis.result_items import item_facts
from analysis.scales import scales
from analysis.subgroups import subgroups

FORMAT = 2
"""Raised when a name changes its meaning or goes away."""
LIBRARIES = ("numpy", "scipy", "pandas", "matplotlib")


def results(data: StudyData, comparisons: tuple[Comparison, ...], seed: int) -> Facts:
    """Everything that is known about one study, run kind and definition.

    Args:
        comparisons: of the tested items (``compare.compare_items``).
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
        "rows_sha256": hashlib.sha256(_given(data).to_csv(index=False).encode()).hexdigest(),
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


def _given(data: StudyData) -> pd.DataFrame:
    """What participants answered: the ratings without the scores made of them."""
    made = [score.key for score in data.scores]
    return data.ratings[~data.ratings["item"].isin(made)] if made else data.ratings


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
