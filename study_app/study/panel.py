"""The list for the recruiting site: whom to pay, by the ids that the study file says to keep. No answers are in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from study_app.study.admission import PanelRow
from study_app.study.definition import Study
from study_app.study.export.csv_files import write_csv
from study_app.study.outcomes import code_for, has_run_out, outcome_of
from study_app.study.state import Status
from study_app.study.store import Refused, Store

COLUMNS = ("study", "run_kind", "outcome", "code", "arrived_at", "completed_at")
UNFINISHED: dict[Status, str] = {"active": "not finished", "excluded": "excluded by a researcher"}
"""What is said of those whom the study tells no outcome."""


def write_panel(store: Store, out: Path, with_numbers: bool = False) -> int:
    """Write ``out`` (CSV), one row a participant whose id is kept; returns the rows. Who withdrew is not in it.

    ``with_numbers`` adds the participant's number, by which the answers can be found: the list then says whose they
    are. Raises Refused when nothing is kept, FileExistsError."""
    if out.exists():
        raise FileExistsError(f"{out} exists; choose another name.")
    people = store.door.panel()
    if not people:
        raise Refused(
            "No ids of a recruiting site are kept. In the study file, parameters of entry with keep: true are; "
            "see docs/prolific.md."
        )
    names = tuple(sorted({name for person in people for name in person.kept}))
    header = (*names, *COLUMNS, *(("participant",) if with_numbers else ()))
    write_csv(out, header, _rows(store, people, names, with_numbers))
    return len(people)


def _rows(
    store: Store, people: tuple[PanelRow, ...], names: tuple[str, ...], with_numbers: bool
) -> Iterator[tuple[object, ...]]:
    now = store.database.clock()
    for person in people:
        study = store.study(person.definition_hash)
        outcome, code = _outcome(study, person, now)
        about = (study.id, person.run_kind, outcome, code, person.arrived_at, person.completed_at)
        number = (person.participant,) if with_numbers else ()
        yield (*(person.kept.get(name) for name in names), *about, *number)


def _outcome(study: Study, person: PanelRow, now: datetime) -> tuple[str, str | None]:
    """The outcome as it is now, and the code that the participant was shown for it."""
    over = person.status == "active" and has_run_out(study, person.arrived_at, now)
    outcome = outcome_of(person.status, person.exclusion_reason, over)
    if outcome is None:
        return UNFINISHED.get(person.status, person.status), None
    return outcome, code_for(study, outcome)
