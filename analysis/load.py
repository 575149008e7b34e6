"""A file of ratings -> the study as it is analysed: who counts, who does not and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analysis.checks import checked_ratings
from analysis.demographics import questions_of
from analysis.errors import InputError, NoData
from analysis.measures import LIKERT, Item, Score
from analysis.model import RATINGS, Condition, StudyData
from analysis.people import (
    RUN_KINDS,
    check_people,
    described,
    flow_of,
    left_out_of,
    nobody,
    of_definition,
    of_kind,
    one_study,
    people_of,
    sequences_of,
)
from analysis.scores import declared, measure, scored
from analysis.sources import RawTables, read_tables

PAPER_CONDITIONS = {"text": "SkinGPT (text)", "cases": "SkinGPT + cases", "generated": "SkinGEN"}
"""Order and labels of a CSV that comes without conditions.csv (paper, section 5.1)."""


def load(
    path: Path | str,
    run_kind: str = "live",
    *,
    study: str | None = None,
    definition: str | None = None,
    pool_versions: bool = False,
    scale: tuple[int, int] = (1, 5),
    exclude_bad_rows: bool = False,
) -> StudyData:
    """Read and check a study; keep completed participants of one run kind and one definition.

    Args:
        path: study database (views ratings, participants, items, conditions, flow) or a CSV of
            ratings; participants.csv, items.csv, scores.csv, questions.csv and so on beside it are used.
        run_kind: ``live``, ``pilot`` or ``reconstruction``; they are never mixed.
        study: needed only where the file holds several studies.
        definition: keep this version only (definition hash, or its first characters).
        pool_versions: analyse several versions of the definition together.
        scale: lowest and highest point, used only where no items are described (a bare CSV).
        exclude_bad_rows: leave out ratings that cannot be right (and both of two answers to one item)
            and list them in ``bad_rows``, instead of stopping at the first.

    Raises:
        InputError: the file cannot be analysed as it is.
        NoData: nobody has completed the study yet.
    """
    if run_kind not in RUN_KINDS:
        raise InputError(f"run kind '{run_kind}': it is {' or '.join(RUN_KINDS)}.")
    raw = read_tables(Path(path))
    asked = _asked(raw, run_kind, study, definition)
    hashes = _versions(asked.of("completed"), pool_versions, raw.source)
    counted = _counted(raw, asked, hashes, scale, exclude_bad_rows)
    check_people(counted.ratings, asked.people, raw.source)
    data = replace(_analysed(raw, asked, hashes, counted), questions=questions_of(raw.questions, asked.study, hashes))
    return _with_shown(data, raw, list(asked.of("completed")["participant"]))


@dataclass(frozen=True)
class _Asked:
    """The study that is meant, its participants of one run kind (and version), and notes for the reader."""

    study: str
    run_kind: str
    people: pd.DataFrame
    notes: tuple[str, ...]

    def of(self, outcome: str) -> pd.DataFrame:
        return self.people[self.people["outcome"] == outcome]


@dataclass(frozen=True)
class _Counted:
    """Everybody's ratings that can be counted, and what they were given to; the scores among both."""

    items: tuple[Item, ...]
    scores: tuple[Score, ...]
    conditions: tuple[Condition, ...]
    ratings: pd.DataFrame
    bad_rows: tuple[str, ...]
    cases: int
    notes: tuple[str, ...]

    def of(self, people: pd.DataFrame) -> pd.DataFrame:
        return self.ratings[self.ratings["participant"].isin(people["participant"])]


def _analysed(raw: RawTables, asked: _Asked, hashes: tuple[str, ...], counted: _Counted) -> StudyData:
    """The completed participants' part, and the account of the rest."""
    completed = asked.of("completed")
    ratings = counted.of(completed)
    conditions, not_met = _met(counted.conditions, completed, ratings)
    return StudyData(
        source=raw.source,
        study=asked.study,
        run_kind=asked.run_kind,
        definitions=hashes,
        items=counted.items,
        conditions=conditions,
        participants=described(completed, raw.source),
        ratings=_kept_columns(ratings),
        flow=flow_of(raw, asked.study, asked.people, counted.cases),
        left_out=left_out_of(asked.people),
        notes=(*asked.notes, *counted.notes, *not_met),
        simulated=raw.simulated,
        last_answer=_last_answer(ratings),
        excluded_ratings=_kept_columns(counted.of(asked.of("excluded"))),
        excluded=sequences_of(asked.of("excluded")),
        bad_rows=counted.bad_rows,
        cases=counted.cases,
        scores=counted.scores,
    )


def _counted(
    raw: RawTables, asked: _Asked, hashes: tuple[str, ...], scale: tuple[int, int], exclude_bad_rows: bool
) -> _Counted:
    rows = _rows(raw, asked, hashes)
    items, wording_notes = _items(raw, asked.study, hashes, rows, scale)
    scores, score_notes = _scores(raw, asked.study, hashes, items)
    conditions = _conditions(raw, asked.study, hashes, rows)
    cases = cases_per_condition(rows, conditions)
    ratings, bad = checked_ratings(rows, items, conditions, raw.source.name, exclude_bad_rows, cases > 1)
    notes = (*wording_notes, *score_notes, *_said_of(bad), *_said_of_cases(cases))
    measures = _named_apart((*items, *(measure(score, items) for score in scores)))
    return _Counted(measures, scores, conditions, scored(ratings, scores, items), bad, cases, notes)


def _met(
    conditions: tuple[Condition, ...], completed: pd.DataFrame, ratings: pd.DataFrame
) -> tuple[tuple[Condition, ...], tuple[str, ...]]:
    """Those that somebody was allocated or rated, and a note on the others: while only one group of a mixed study has
    completed, it is compared on what it met. All of them where the file does not say who was allocated what."""
    drawn = [str(sequence).split(">") for sequence in completed.get("sequence", ()) if sequence]
    met = {key for keys in drawn for key in keys} | set(ratings["condition"])
    kept = tuple(condition for condition in conditions if condition.key in met)
    if len(drawn) < len(completed) or len(kept) in (0, len(conditions)):
        return conditions, ()
    others = ", ".join(condition.label for condition in conditions if condition.key not in met)
    return kept, (f"Nobody who completed the study was allocated {others}, which is in no figure, table or test yet.",)


def cases_per_condition(rows: pd.DataFrame, conditions: tuple[Condition, ...]) -> int:
    """How many cases each participant met in each condition: the periods are more than a sequence's conditions. 1 where
    the sequences are names (ABC) and do not say which conditions they are of."""
    if "sequence" not in rows or "period" not in rows:
        return 1
    periods = pd.to_numeric(rows["period"], errors="coerce")
    keys = {condition.key for condition in conditions}
    parts = {sequence: str(sequence).split(">") for sequence in rows["sequence"].unique() if sequence}
    met = rows["sequence"].map({name: len(found) for name, found in parts.items() if keys & set(found)}).astype(float)
    share = (periods / met).max()
    return 1 if pd.isna(share) else max(1, math.ceil(share))


def _said_of_cases(cases: int) -> tuple[str, ...]:
    if cases == 1:
        return ()
    return (
        f"Every participant rated {cases} cases in each system. Means, standard deviations and counts are over all "
        "ratings; the tests compare each participant's mean over the cases.",
    )


def _with_shown(data: StudyData, raw: RawTables, completed: list[str]) -> StudyData:
    """What was shown and decided, where the file has it."""
    return replace(
        data,
        decisions=_of(raw.decisions, completed),
        exposures=_of(raw.exposures, completed),
        replies=_of(raw.replies, completed),
        pairs=_of(raw.pairs, completed),
    )


def _asked(raw: RawTables, run_kind: str, study: str | None, definition: str | None) -> _Asked:
    """Who is meant; at least one of them completed."""
    people, said = people_of(raw)
    notes = (*raw.notes, *said)
    study = one_study(raw, people, study)
    people = of_kind(people[people["study"] == study], run_kind, raw.source)
    asked = _Asked(
        study, run_kind, people if definition is None else of_definition(people, definition, raw.source), notes
    )
    if asked.of("completed").empty:
        raise NoData(nobody(raw.source, run_kind, len(asked.people), left_out_of(asked.people)))
    return asked


def _said_of(bad: tuple[str, ...]) -> tuple[str, ...]:
    return (f"Ratings left out because they cannot be right ({len(bad)}): {' '.join(bad)}",) if bad else ()


def _kept_columns(ratings: pd.DataFrame) -> pd.DataFrame:
    """The columns of ``RATINGS``; numbers that the file does not have are NaN."""
    kept = ratings.reindex(columns=list(RATINGS)).reset_index(drop=True)
    for name in ("period", "duration_s"):
        kept[name] = pd.to_numeric(kept[name], errors="coerce").astype(float)
    return kept


def _of(frame: pd.DataFrame | None, completed: list[str]) -> pd.DataFrame | None:
    return None if frame is None else frame[frame["participant"].isin(completed)].reset_index(drop=True)


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


def _rows(raw: RawTables, asked: _Asked, hashes: tuple[str, ...]) -> pd.DataFrame:
    frame = raw.ratings
    chosen = (frame["study"] == asked.study) & (frame["run_kind"] == asked.run_kind)
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
            kind=str(row.get("kind") or LIKERT),
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


def _scores(
    raw: RawTables, study: str, hashes: tuple[str, ...], items: tuple[Item, ...]
) -> tuple[tuple[Score, ...], tuple[str, ...]]:
    if raw.scores is None or raw.items is None:
        return (), ()
    chosen = (raw.scores["study"] == study) & raw.scores["definition_hash"].astype(str).isin(hashes)
    return declared(raw.scores[chosen], items, raw.source)


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


def _last_answer(ratings: pd.DataFrame) -> str | None:
    if "answered_at" not in ratings:
        return None
    stamps = [str(stamp) for stamp in ratings["answered_at"].dropna()]
    return max(stamps, default=None)
