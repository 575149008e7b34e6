"""A reconstruction as the CSV files that the report reads: the columns of the study's views (Contract 3).

They say that nobody answered (``meta``: simulated), and hold no stamp and no order of the systems: none was published.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence

from analysis.paper.published import fingerprint, published
from analysis.paper.reconstruction import ITEM_KEYS, STUDY, Person, Reconstruction

CONDITIONS = {"text": "SkinGPT (text)", "cases": "SkinGPT + cases", "generated": "SkinGEN"}
"""The three systems (paper, section 5.1), in the order of Figure 9."""
PERFORMANCE = "System Performance"
"""What section 5.3 calls the six statements together."""
Row = Mapping[str, object]


def csv_files(drawn: Reconstruction) -> dict[str, bytes]:
    """File name -> UTF-8 bytes: ratings, participants, items, conditions and meta."""
    people = [(f"P{number:04d}", person) for number, person in enumerate(drawn.people, 1)]
    return {
        "ratings.csv": _csv(_ratings(people)),
        "participants.csv": _csv(_participants(people)),
        "items.csv": _csv(_items()),
        "conditions.csv": _csv(
            {**_about(), "position": place, "condition": key, "label": label}
            for place, (key, label) in enumerate(CONDITIONS.items(), 1)
        ),
        "meta.csv": _csv([{"key": "simulated", "value": "1"}, {"key": "reconstruction", "value": str(drawn.seed)}]),
    }


def _about() -> dict[str, object]:
    return {"study": STUDY, "definition_hash": fingerprint()}


def _ratings(people: Sequence[tuple[str, Person]]) -> Iterable[Row]:
    for name, person in people:
        for item, value in person.ratings.items():
            row = {"participant": name, "condition": "", "item": item, "construct": PERFORMANCE, "value": value}
            yield {**_about(), "run_kind": "reconstruction", "sequence": "", "period": "", **row}


def _participants(people: Sequence[tuple[str, Person]]) -> Iterable[Row]:
    for name, person in people:
        row = {"participant": name, "sequence": "", "outcome": "completed"}
        yield {**_about(), "run_kind": "reconstruction", **row, "demographics": json.dumps(dict(person.answers))}


def _items() -> Iterable[Row]:
    low, high = published().scale
    for place, (wording, key) in enumerate(ITEM_KEYS.items(), 1):
        row = {"position": place, "item": key, "wording": wording, "construct": PERFORMANCE}
        yield {**_about(), **row, "scale_min": low, "scale_max": high, "repeated": 0}


def _csv(rows: Iterable[Row]) -> bytes:
    listed = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(listed[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    return text.getvalue().encode()
