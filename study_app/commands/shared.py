"""What the commands share: their options, the opened database, how they fail, what the audit hears of them."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from study_app.study.access.audit import COMMAND_LINE, Action
from study_app.study.definition import DefinitionError
from study_app.study.errors import StoreError
from study_app.study.export.errors import ExportError
from study_app.study.store import Store

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_STUDY = ROOT / "questionnaires" / "skingen.yaml"
DEFAULT_DB = Path("data") / "study.db"

DbOption = Annotated[Path, typer.Option("--db", help="Database of the study (SQLite file).")]


class RunKind(StrEnum):
    """The runs that a command can ask for; a reconstruction is in a database of its own."""

    pilot = "pilot"
    live = "live"


@contextmanager
def plain_failures() -> Iterator[None]:
    """What is expected to go wrong ends the command with its message and exit code 1."""
    try:
        yield
    except (DefinitionError, StoreError, ExportError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


@contextmanager
def existing(db: Path) -> Iterator[Store]:
    """The store in ``db``; a name that does not exist is a mistake here, not a new database."""
    if not db.exists():
        raise FileNotFoundError(f"There is no database {db}. Name it with --db.")
    store = Store.open(db)
    try:
        yield store
    finally:
        store.close()


def written_down(store: Store, action: Action, subject: str, detail: str = "") -> AbstractContextManager[None]:
    """What is done from here stands in the audit, under the name of the machine's user."""
    return store.researcher.audit.around(the_command_line(), action, subject, detail)


def the_command_line() -> str:
    """Who does it, in the audit."""
    with suppress(OSError, KeyError):  # a user without a name
        return f"{COMMAND_LINE}, {getpass.getuser()}"
    return COMMAND_LINE
