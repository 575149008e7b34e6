"""A file of ratings -> the study as it is analysed: who counts, who does not and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis.checks import checked_ratings
from analysis.errors import InputError, NoData
from analysis.model import Condition, Flow, Item, StudyData
from analysis.sources import RawTables, read_tables

RUN_KINDS = ("live", "pilot")
PAPER_CONDITIONS = {"text": "SkinGPT (text)", "cases": "SkinGPT + cases", "generated": "SkinGEN"}
"""Order and labels of a CSV that comes without conditions.csv (paper, section 5.1)."""

REASONS = {
    "active": "still taking part",
    "abandoned": "abandoned",
    "screened_out": "screened out",
    "excluded": "excluded",
    "withdrawn": "withdrawn",
}


def load(
    path: Path | str,
    run_kind: str = "live",
    *,
    study: str | None = None,
    definition: str | None = None,
    pool_versions: bool = False,
    scale: tuple[int, int] = (1, 5),
) -> StudyData:
    """Read and check a study; keep completed participants of one run kind and one definition.

    Args:
        path: study database (views ratings, participants, items, conditions, flow) or a CSV of
            ratings; participants.csv, items.csv and conditions.csv beside it are used.
        run_kind: ``live`` or ``pilot``; the two are never mixed.
        study: needed only where the file holds several studies.
        definition: keep this version only (definition hash, or its first characters).
        pool_versions: analyse several versions of the definition together.
        scale: lowest and highest point, used only where no items are described (a bare CSV).

    Raises:
        InputError: the file cannot be analysed as it is.
        NoData: nobody has completed the study yet.
    """
    if run_kind not in RUN_KINDS:
        raise InputError(f"run kind '{run_kind}': it is {' or '.join(RUN_KINDS)}.")
    raw = read_tables(Path(path))
    people, notes = _people(raw)
    study = _one_study(raw, people, study)
    people = _of_kind(people[people["study"] == study], run_kind, raw.source)
    if definition is not None:
        people = _of_definition(people, definition, raw.source)
    completed = people[people["outcome"] == "completed"]
    left_out = _left_out(people)
    if completed.empty:
        raise NoData(_nobody(raw.source, run_kind, len(people), left_out))
    hashes = _versions(completed, pool_versions, raw.source)
    rows = _rows(raw, study, run_kind, hashes)
    items, wording_notes = _items(raw, study, hashes, rows, scale)
    conditions = _conditions(raw, study, hashes, rows)
    ratings = checked_ratings(rows, {item.key: item for item in items}, {c.key: c for c in conditions}, raw.source.name)
    _check_people(ratings, people, raw.source)
    ratings = ratings[ratings["participant"].isin(completed["participant"])]
    return StudyData(
        source=raw.source,
        study=study,
        run_kind=run_kind,
        definitions=hashes,
        items=items,
        conditions=conditions,
        participants=_described(completed, raw.source),
        ratings=ratings[["participant", "condition", "item", "value"]].reset_index(drop=True),
        flow=_flow(raw, study, people),
        left_out=left_out,
        notes=notes + wording_notes,
        simulated=raw.simulated,
        last_answer=_last_answer(ratings),
    )


def _people(raw: RawTables) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Participants, or everybody who rated something where a CSV came alone."""
    if raw.participants is not None:
        return raw.participants, ()
    columns = ["study", "definition_hash", "run_kind", "participant"]
    people = raw.ratings[columns].drop_duplicates("participant").assign(outcome="completed")
    note = "No participants.csv beside the ratings: everyone with a rating counts as completed."
    return people, (note,)


def _one_study(raw: RawTables, people: pd.DataFrame, study: str | None) -> str:
    known = sorted({str(name) for frame in (people, raw.ratings) for name in frame["study"].dropna()})
    if not known:
        raise NoData(f"{raw.source}: nobody has taken part yet, so there is nothing to report.")
    if study is None and len(known) == 1:
        return known[0]
    if study is None:
        raise InputError(f"{raw.source}: holds the studies {', '.join(known)}. Name one with --study.")
    if study not in known:
        raise InputError(f"{raw.source}: no study '{study}'. It holds {', '.join(known)}.")
    return study


def _of_kind(people: pd.DataFrame, run_kind: str, source: Path) -> pd.DataFrame:
    unknown = sorted({str(kind) for kind in people["run_kind"]} - set(RUN_KINDS))
    if unknown:
        raise InputError(f"{source}: unknown run kind {', '.join(unknown)}; it is {' or '.join(RUN_KINDS)}.")
    chosen = people[people["run_kind"] == run_kind]
    if chosen.empty:
        other = next(kind for kind in RUN_KINDS if kind != run_kind)
        raise NoData(
            f"{source}: no participant of a {run_kind} run, so there is nothing to report. "
            f"It holds {len(people)} of a {other} run: use --run-kind {other}."
        )
    return chosen


def _of_definition(people: pd.DataFrame, definition: str, source: Path) -> pd.DataFrame:
    chosen = people[people["definition_hash"].astype(str).str.startswith(definition)]
    if chosen.empty:
        known = ", ".join(sorted({str(value)[:12] for value in people["definition_hash"]}))
        raise InputError(f"{source}: no participant under definition '{definition}'. It holds {known}.")
    return chosen


def _left_out(people: pd.DataFrame) -> dict[str, int]:
    counts: dict[str, int] = {}
    reasons = people["exclusion_reason"] if "exclusion_reason" in people else [None] * len(people)
    for outcome, reason in zip(people["outcome"], reasons, strict=True):
        if outcome == "completed":
            continue
        words = REASONS.get(str(outcome), str(outcome))
        words = f"{words}: {reason}" if reason else words
        counts[words] = counts.get(words, 0) + 1
    return dict(sorted(counts.items()))


def _nobody(source: Path, run_kind: str, arrived: int, left_out: dict[str, int]) -> str:
    account = "; ".join(f"{number} {reason}" for reason, number in left_out.items())
    return (
        f"{source}: no participant of the {run_kind} run has completed the study "
        f"({arrived} arrived: {account}). There is nothing to report yet."
    )


def _versions(completed: pd.DataFrame, pool: bool, source: Path) -> tuple[str, ...]:
    counts = completed["definition_hash"].astype(str).value_counts(sort=False)
    hashes = tuple(str(value) for value in counts.index)
    if len(hashes) > 1 and not pool:
        listed = ", ".join(f"{value[:12]} ({counts[value]} completed)" for value in hashes)
        raise InputError(
            f"{source}: participants answered different versions of the study: {listed}. "
            "Choose one with --definition, or analyse them together with --pool-versions."
        )
    return hashes


def _rows(raw: RawTables, study: str, run_kind: str, hashes: tuple[str, ...]) -> pd.DataFrame:
    frame = raw.ratings
    chosen = (frame["study"] == study) & (frame["run_kind"] == run_kind)
    return frame[chosen & frame["definition_hash"].astype(str).isin(hashes)]


def _defined(frame: pd.DataFrame, study: str, hashes: tuple[str, ...], what: str) -> pd.DataFrame:
    rows = frame[(frame["study"] == study) & frame["definition_hash"].astype(str).isin(hashes)]
    if rows.empty:
        raise InputError(f"no {what} for study '{study}', definition {hashes[0][:12]}. Export them again.")
    if "position" in rows:
        rows = rows.sort_values("position", key=lambda column: column.astype(float), kind="stable")
    return rows


def _items(
    raw: RawTables, study: str, hashes: tuple[str, ...], ratings: pd.DataFrame, scale: tuple[int, int]
) -> tuple[tuple[Item, ...], tuple[str, ...]]:
    if raw.items is None:
        return _items_from_ratings(ratings, scale), ()
    items: dict[str, Item] = {}
    notes: list[str] = []
    for row in _defined(raw.items, study, hashes, "items").to_dict("records"):
        item = Item(
            key=str(row["item"]),
            name=str(row["construct"] or row["item"]),
            wording=str(row["wording"]),
            construct=str(row["construct"] or ""),
            scale_min=int(row["scale_min"]),
            scale_max=int(row["scale_max"]),
            repeated=bool(int(row["repeated"])),
        )
        before = items.setdefault(item.key, item)
        if (before.scale_min, before.scale_max, before.repeated) != (
            item.scale_min,
            item.scale_max,
            item.repeated,
        ):
            raise InputError(f"item '{item.key}' has different scales in the pooled versions. Choose one version.")
        if before.wording != item.wording:
            notes.append(f"The wording of '{item.key}' differs between the pooled versions.")
    return _named_apart(items.values()), tuple(notes)


def _named_apart(items: Iterable[Item]) -> tuple[Item, ...]:
    """Items of one construct get their key added to the name: an axis needs to tell them apart."""
    found = tuple(items)
    uses = Counter(item.name for item in found)
    return tuple(replace(item, name=f"{item.name} ({item.key})") if uses[item.name] > 1 else item for item in found)


def _items_from_ratings(ratings: pd.DataFrame, scale: tuple[int, int]) -> tuple[Item, ...]:
    items = []
    for key, rows in ratings.groupby("item", sort=False):
        named = [str(name) for name in rows.get("construct", pd.Series(dtype=object)).dropna()]
        repeated = bool(rows["condition"].notna().any())
        construct = named[0] if named else ""
        items.append(Item(str(key), construct or str(key), str(key), construct, *scale, repeated))
    return _named_apart(items)


def _conditions(raw: RawTables, study: str, hashes: tuple[str, ...], ratings: pd.DataFrame) -> tuple[Condition, ...]:
    if raw.conditions is not None:
        rows = _defined(raw.conditions, study, hashes, "conditions").drop_duplicates("condition")
        return tuple(Condition(str(r["condition"]), str(r["label"])) for r in rows.to_dict("records"))
    found = {str(key) for key in ratings["condition"].dropna()}
    order = [key for key in PAPER_CONDITIONS if key in found] + sorted(found - set(PAPER_CONDITIONS))
    return tuple(Condition(key, PAPER_CONDITIONS.get(key, key)) for key in order)


def _check_people(ratings: pd.DataFrame, people: pd.DataFrame, source: Path) -> None:
    doubled = people["participant"][people["participant"].duplicated()]
    if not doubled.empty:
        raise InputError(f"{source}: participant {doubled.iloc[0]} is listed twice among the participants.")
    strangers = sorted({str(p) for p in ratings["participant"]} - {str(p) for p in people["participant"]})
    if strangers:
        raise InputError(f"{source}: ratings of {', '.join(strangers)}, who is not among the participants.")


def _described(completed: pd.DataFrame, source: Path) -> pd.DataFrame:
    """Participants with their demographics as dicts."""
    texts = completed["demographics"] if "demographics" in completed else [None] * len(completed)
    demographics = []
    for participant, text in zip(completed["participant"], texts, strict=True):
        try:
            parsed = json.loads(text) if text else {}
        except (TypeError, ValueError) as error:
            raise InputError(f"{source}: demographics of {participant} are not JSON: {text!r}.") from error
        demographics.append(parsed if isinstance(parsed, dict) else {})
    sequences = completed.get("sequence", pd.Series([None] * len(completed), dtype=object))
    return pd.DataFrame(
        {
            "participant": list(completed["participant"]),
            "sequence": list(sequences),
            "demographics": demographics,
        }
    )


def _flow(raw: RawTables, study: str, people: pd.DataFrame) -> Flow:
    completed = int((people["outcome"] == "completed").sum())
    if raw.flow is None:
        return Flow(len(people), None, None, completed)
    rows = raw.flow[(raw.flow["study"] == study) & raw.flow["participant"].isin(people["participant"])]
    consented, allocated = (int(rows[name].notna().sum()) for name in ("consented_at", "allocated_at"))
    return Flow(len(people), consented, allocated, completed)


def _last_answer(ratings: pd.DataFrame) -> str | None:
    if "answered_at" not in ratings:
        return None
    stamps = [str(stamp) for stamp in ratings["answered_at"].dropna()]
    return max(stamps, default=None)
