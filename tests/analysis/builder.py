"""A study database made by hand: plain tables with the names and columns of Contract 3's views.

Nothing here comes from the study app: the analysis knows the columns only.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

HASH = "d1" * 32
CONDITIONS = {"text": "SkinGPT (text)", "cases": "SkinGPT + cases", "generated": "SkinGEN"}
REPEATED = {
    "trust": ("I can trust the system.", "Perceived Trust"),
    "ease": ("The conversation with the system is easy to understand.", "Ease of Understanding"),
    "effort": ("I easily found the information I was asking for.", "Cognitive Effort"),
}
ONCE = {
    "correct": "SkinGEN's diagnosis is correct or relevant.",
    "informative": "The description provided by SkinGEN is informative.",
    "useful": "I find SkinGEN to be a useful system.",
}
COLUMNS = {
    "ratings": "study definition_hash run_kind participant sequence period condition item construct value "
    "answered_at duration_s",
    "participants": "study definition_hash run_kind participant sequence outcome arrived_at completed_at "
    "demographics exclusion_reason",
    "flow": "study definition_hash run_kind participant sequence arrived_at consented_at allocated_at "
    "periods_finished completed_at outcome exclusion_reason withdrawn_at",
    "items": "definition_hash study position item wording construct scale_min scale_max repeated",
    "conditions": "definition_hash study position condition label",
    "questions": "definition_hash study step position item kind wording options unit",
    "meta": "key value",
}
Row = dict[str, Any]


@dataclass
class Book:
    """Rows by table, changed freely by a test before it is written."""

    ratings: list[Row] = field(default_factory=list)
    participants: list[Row] = field(default_factory=list)
    flow: list[Row] = field(default_factory=list)
    items: list[Row] = field(default_factory=list)
    conditions: list[Row] = field(default_factory=list)
    questions: list[Row] = field(default_factory=list)
    meta: list[Row] = field(default_factory=list)

    def define(self, definition: str = HASH) -> None:
        about = {"definition_hash": definition, "study": "skingen", "scale_min": 1, "scale_max": 5}
        texts = {**REPEATED, **{key: (wording, "") for key, wording in ONCE.items()}}
        for position, (key, (wording, construct)) in enumerate(texts.items()):
            row = {"position": position, "item": key, "wording": wording, "construct": construct}
            self.items.append(about | row | {"repeated": int(key in REPEATED)})
        for position, (key, label) in enumerate(CONDITIONS.items()):
            self.conditions.append(about | {"position": position, "condition": key, "label": label})

    def ask(self, item: str, kind: str, options: dict[Any, str] | None = None, unit: str = "") -> None:
        """A question about the participants, after those there are."""
        listed = json.dumps([{"value": value, "label": label} for value, label in options.items()]) if options else None
        about = {"definition_hash": HASH, "study": "skingen", "step": "demographics", "position": len(self.questions)}
        self.questions.append(about | {"item": item, "kind": kind, "wording": item, "options": listed, "unit": unit})

    def person(self, name: str, outcome: str = "completed", **more: Any) -> Row:
        row = {
            "study": "skingen",
            "definition_hash": HASH,
            "run_kind": "live",
            "participant": name,
            "outcome": outcome,
            "arrived_at": "2026-11-20T10:00:00Z",
            "consented_at": "2026-11-20T10:01:00Z",
            "allocated_at": "2026-11-20T10:02:00Z",
            "demographics": json.dumps({"gender": "female", "medical_background": "no"}),
        } | more
        self.participants.append(row)
        self.flow.append(row)
        return row

    def rate(self, person: Row, item: str, value: Any, condition: str | None = None) -> None:
        kept = ("study", "definition_hash", "run_kind", "participant")
        construct = REPEATED[item][1] if item in REPEATED else ""
        stamp = f"2026-11-20T11:{len(self.ratings) % 60:02d}:00Z"
        row = {"item": item, "value": value, "condition": condition, "construct": construct}
        self.ratings.append({key: person[key] for key in kept} | row | {"answered_at": stamp})

    def write(self, path: Path) -> Path:
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as connection, connection:
            for name, columns in COLUMNS.items():
                names = columns.split()
                connection.execute(f"CREATE TABLE {name} ({', '.join(names)})")
                marks = ", ".join("?" * len(names))
                rows = [[row.get(column) for column in names] for row in getattr(self, name)]
                connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
        return path


def answered(n: int = 40, seed: int = 7) -> Book:
    """``n`` completed participants with balanced sequences and a system that is liked more and more."""
    rng = np.random.default_rng(seed)
    orders = list(permutations(CONDITIONS))
    book = Book()
    book.define()
    for number in range(n):
        given = {"gender": "male" if rng.random() < 0.6 else "female", "medical_background": "no"}
        order = orders[number % len(orders)]
        person = book.person(f"P{number + 1:04d}", demographics=json.dumps(given), sequence=">".join(order))
        for condition in order:
            shift = list(CONDITIONS).index(condition) * 0.45
            for item in REPEATED:
                book.rate(person, item, int(np.clip(round(rng.normal(3.1 + shift, 0.9)), 1, 5)), condition)
        for item in ONCE:
            book.rate(person, item, int(np.clip(round(rng.normal(4.2, 0.7)), 1, 5)))
    return book
