"""Who took part, who is counted, and who is not, by which rule."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from analysis.errors import InputError, NoData
from analysis.model import Arm, Flow
from analysis.sources import RawTables

RUN_KINDS = ("live", "pilot", "reconstruction")
"""``reconstruction``: sessions written from published figures, answered by nobody."""

REASONS = {
    "active": "still taking part",
    "abandoned": "abandoned",
    "screened_out": "screened out",
    "excluded": "excluded",
    "withdrawn": "withdrawn",
}

FAILED_CHECKS = "failed attention checks"
"""The one reason for which the study app itself excludes; a researcher typed the others."""


def people_of(raw: RawTables) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Participants, or everybody who rated something where a CSV came alone."""
    if raw.participants is not None:
        return raw.participants, ()
    columns = ["study", "definition_hash", "run_kind", "participant", "sequence"]
    people = raw.ratings[[name for name in columns if name in raw.ratings]].drop_duplicates("participant")
    people = people.assign(outcome="completed")
    note = "No participants.csv beside the ratings: everyone with a rating counts as completed."
    return people, (note,)


def one_study(raw: RawTables, people: pd.DataFrame, study: str | None) -> str:
    known = sorted({str(name) for frame in (people, raw.ratings) for name in frame["study"].dropna().unique()})
    if not known:
        raise NoData(f"{raw.source}: nobody has taken part yet, so there is nothing to report.")
    if study is None and len(known) == 1:
        return known[0]
    if study is None:
        raise InputError(f"{raw.source}: holds the studies {', '.join(known)}. Name one with --study.")
    if study not in known:
        raise InputError(f"{raw.source}: no study '{study}'. It holds {', '.join(known)}.")
    return study


def of_kind(people: pd.DataFrame, run_kind: str, source: Path) -> pd.DataFrame:
    unknown = sorted({str(kind) for kind in people["run_kind"]} - set(RUN_KINDS))
    if unknown:
        raise InputError(f"{source}: unknown run kind {', '.join(unknown)}; it is {' or '.join(RUN_KINDS)}.")
    chosen = people[people["run_kind"] == run_kind]
    if chosen.empty:
        other = next((kind for kind in RUN_KINDS if kind in set(people["run_kind"])), run_kind)
        raise NoData(
            f"{source}: no participant of a {run_kind} run, so there is nothing to report. "
            f"It holds {len(people)} of a {other} run: use --run-kind {other}."
        )
    return chosen


def of_definition(people: pd.DataFrame, definition: str, source: Path) -> pd.DataFrame:
    chosen = people[people["definition_hash"].astype(str).str.startswith(definition)]
    if chosen.empty:
        known = ", ".join(sorted({str(value)[:12] for value in people["definition_hash"]}))
        raise InputError(f"{source}: no participant under definition '{definition}'. It holds {known}.")
    return chosen


def left_out_of(people: pd.DataFrame) -> dict[str, int]:
    """Reason -> number of those who are not analysed."""
    counts: dict[str, int] = {}
    reasons = people["exclusion_reason"] if "exclusion_reason" in people else [None] * len(people)
    for outcome, reason in zip(people["outcome"], reasons, strict=True):
        if outcome == "completed":
            continue
        words = REASONS.get(str(outcome), str(outcome))
        words = f"{words}: {reason}" if reason else words
        counts[words] = counts.get(words, 0) + 1
    return dict(sorted(counts.items()))


def by_rule(left_out: Mapping[str, int]) -> dict[str, int]:
    """The counts of `left_out_of` for texts that are made to be published. What was typed about somebody may tell who
    they are: it stands in the account of the participants alone (the flow chart, its table, results.json). What the app
    says by itself stays: why it screened out, and failed checks."""
    counts: dict[str, int] = {}
    for words, number in left_out.items():
        outcome, _, reason = words.partition(": ")
        if reason and outcome != REASONS["screened_out"] and reason != FAILED_CHECKS:
            words = f"{outcome} by a researcher" if outcome == REASONS["excluded"] else outcome
        counts[words] = counts.get(words, 0) + number
    return dict(sorted(counts.items()))


def nobody(source: Path, run_kind: str, arrived: int, left_out: dict[str, int]) -> str:
    account = "; ".join(f"{number} {reason}" for reason, number in left_out.items())
    return (
        f"{source}: no participant of the {run_kind} run has completed the study "
        f"({arrived} arrived: {account}). There is nothing to report yet."
    )


def check_people(ratings: pd.DataFrame, people: pd.DataFrame, source: Path) -> None:
    doubled = people["participant"][people["participant"].duplicated()]
    if not doubled.empty:
        raise InputError(f"{source}: participant {doubled.iloc[0]} is listed twice among the participants.")
    strangers = sorted({str(p) for p in ratings["participant"].unique()} - {str(p) for p in people["participant"]})
    if strangers:
        raise InputError(f"{source}: ratings of {', '.join(strangers)}, who is not among the participants.")


def described(completed: pd.DataFrame, source: Path) -> pd.DataFrame:
    """Participants with their demographics as dicts."""
    texts = completed["demographics"] if "demographics" in completed else [None] * len(completed)
    demographics = []
    for participant, text in zip(completed["participant"], texts, strict=True):
        try:
            parsed = json.loads(text) if text else {}
        except (TypeError, ValueError) as error:
            raise InputError(f"{source}: demographics of {participant} are not JSON: {text!r}.") from error
        demographics.append(parsed if isinstance(parsed, dict) else {})
    return sequences_of(completed).assign(demographics=pd.Series(demographics, dtype=object))


def sequences_of(people: pd.DataFrame) -> pd.DataFrame:
    """participant and sequence (None where the input does not say it)."""
    sequences = people.get("sequence", pd.Series([None] * len(people), dtype=object))
    return pd.DataFrame(
        {
            "participant": pd.Series(list(people["participant"]), dtype=object),
            "sequence": pd.Series(list(sequences), dtype=object),
        }
    )


def flow_of(raw: RawTables, study: str, people: pd.DataFrame, cases: int = 1) -> Flow:
    """``cases``: that a participant rates in each condition; a condition is finished with the last of them."""
    completed = int((people["outcome"] == "completed").sum())
    if raw.flow is None:
        return Flow(len(people), None, None, completed)
    stages = [name for name in ("consented_at", "allocated_at", "periods_finished") if name in raw.flow]
    rows = raw.flow[raw.flow["study"] == study].drop_duplicates("participant").set_index("participant")[stages]
    reached = people.drop(columns=stages, errors="ignore").join(rows, on="participant")
    consented, allocated = reached["consented_at"].notna(), reached["allocated_at"].notna()
    return Flow(
        arrived=len(people),
        consented=int(consented.sum()),
        allocated=int(allocated.sum()),
        completed=completed,
        not_consented=left_out_of(reached[~consented & ~allocated]),
        not_allocated=left_out_of(reached[consented & ~allocated]),
        arms=_arms(reached[allocated], cases),
    )


def _arms(allocated: pd.DataFrame, cases: int) -> tuple[Arm, ...]:
    if "sequence" not in allocated or allocated["sequence"].isna().all():
        return ()
    return tuple(_arm(str(sequence), rows, cases) for sequence, rows in allocated.groupby("sequence", sort=True))


def _arm(sequence: str, rows: pd.DataFrame, cases: int) -> Arm:
    finished: tuple[int, ...] = ()
    if "periods_finished" in rows and rows["periods_finished"].notna().all():
        reached = rows["periods_finished"].astype(int)
        finished = tuple(int((reached >= place * cases).sum()) for place in range(1, sequence.count(">") + 2))
    completed = int((rows["outcome"] == "completed").sum())
    return Arm(sequence, len(rows), finished, completed, left_out_of(rows))
