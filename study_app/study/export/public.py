"""What of the tables may be published: no words that people typed, nothing by which their photo can be recognised.

What may be published is listed, so that a kind of question that comes later is left out until somebody lists it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from study_app.study.export.tables import SCHEMA, columns_of
from study_app.study.outcomes import FAILED_CHECKS

BY_A_RESEARCHER = "by a researcher"
"""Stands for the reason that a researcher typed."""
CLOSED = ("likert", "single", "multiple", "yes_no", "number", "slider", "ranking", "pairwise")
"""Kinds of questions whose answers the study declares."""
PHOTO_NUMBERS = "photo_numbers"
"""Hash and number of each photo, in the attached file; in no export."""

_SHOWN = """json_object('profile', manifest ->> '$.profile', 'seed', manifest -> '$.seed',
    'models', manifest -> '$.models', 'adapters', manifest -> '$.adapters', 'settings', manifest -> '$.settings',
    'latency_s', manifest -> '$.latency_s', 'fallbacks', manifest -> '$.fallbacks',
    'versions', manifest -> '$.versions')"""
_CHOSEN = f"""iif(demographics IS NULL, NULL,
    (SELECT json_group_object(given.key, given.value) FROM json_each(demographics) given
     JOIN {SCHEMA}.questions q ON q.definition_hash = held.definition_hash AND q.item = given.key
     WHERE q.step = 'demographics' AND q.kind IN ({", ".join(f"'{kind}'" for kind in CLOSED)})))"""


def _number_of(column: str) -> str:
    return f"(SELECT number FROM {SCHEMA}.{PHOTO_NUMBERS} p WHERE p.photo = held.{column})"


@dataclass(frozen=True)
class Masked:
    """A column that is published in part: how, in SQL, and the sentence that says so."""

    select: str
    said: str


MASKED: Mapping[str, Masked] = {
    "manifest": Masked(_SHOWN, "what may repeat a participant's words is left out"),
    "demographics": Masked(_CHOSEN, "answers in the participant's own words are left out"),
    "exclusion_reason": Masked(
        "published_reason(outcome, exclusion_reason)", f"what a researcher typed is '{BY_A_RESEARCHER}'"
    ),
    "photo": Masked(_number_of("photo"), "here a number instead, in this export the same for the same photo"),
    "new_photo": Masked(_number_of("new_photo"), "here a number instead, as in photo"),
}


def published_reason(outcome: str, reason: str | None) -> str | None:
    """Why somebody does not count, if the app wrote it: it screens out by itself, and excludes by attention checks."""
    if reason is None or outcome == "screened_out" or reason == FAILED_CHECKS:
        return reason
    return BY_A_RESEARCHER


def prepare(conn: sqlite3.Connection) -> None:
    """Once before `public_select`: numbers the photos of the tables in the order of the exposures. A hash would tell
    whoever has a picture, or finds it, that it is there."""
    conn.create_function("published_reason", 2, published_reason, deterministic=True)
    conn.execute(f"CREATE TABLE {SCHEMA}.{PHOTO_NUMBERS} (photo TEXT PRIMARY KEY, number INTEGER)")
    conn.execute(f"""
        INSERT INTO {SCHEMA}.{PHOTO_NUMBERS}
        SELECT photo, row_number() OVER (ORDER BY min(place)) AS number
        FROM (SELECT photo, rowid AS place FROM {SCHEMA}.exposures
              UNION ALL SELECT photo, 1e9 + rowid FROM {SCHEMA}.photo_exchanges
              UNION ALL SELECT new_photo, 1e9 + rowid FROM {SCHEMA}.photo_exchanges)
        WHERE photo IS NOT NULL GROUP BY photo""")


def all_public(conn: sqlite3.Connection, table: str) -> bool:
    """Whether `public_select` is the whole table as it is."""
    return MASKED.keys().isdisjoint(columns_of(conn, table))


def public_select(conn: sqlite3.Connection, table: str) -> str:
    """The table as a SELECT of what may be published, after `prepare`."""
    columns = [
        f'{MASKED[name].select} AS "{name}"' if name in MASKED else f'"{name}"' for name in columns_of(conn, table)
    ]
    return f"SELECT {', '.join(columns)} FROM {SCHEMA}.{table} held ORDER BY held.rowid"
