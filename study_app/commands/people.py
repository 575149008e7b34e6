"""Who may come in, whom to pay, who goes: invite, panel, withdraw, exclude."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study_app.commands.shared import DEFAULT_DB, DEFAULT_STUDY, DbOption, existing, plain_failures, written_down
from study_app.study.access.audit import Action
from study_app.study.definition import load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.panel import write_panel
from study_app.study.store import Store

ParticipantArgument = Annotated[str, typer.Argument(help="Participant's number, for instance P0007.")]


def invite(
    study: Annotated[Path, typer.Argument(help="Study file (YAML) with entry: {kind: invitation}.")] = DEFAULT_STUDY,
    n: Annotated[int, typer.Option("-n", help="How many.", min=1)] = 1,
    db: DbOption = DEFAULT_DB,
    url: Annotated[str, typer.Option(help="Address of the study, as participants open it.")] = "http://localhost:8501/",
) -> None:
    """Make invitations and print their links, one a line. Each lets one person in, once, and brings them back.

    Codes are stored as hashes, so this is the only time they are seen: keep the list, without names beside it.
    """
    with plain_failures():
        loaded = load_study(study)
        store = Store.open(db)
        try:
            with written_down(store, Action.invitations_made, loaded.id, str(n)):
                codes = store.door.invite(loaded, n)
        finally:
            store.close()
    for code in codes:
        typer.echo(f"{url.rstrip('/')}/?code={code}")


def panel(
    db: DbOption = DEFAULT_DB,
    out: Annotated[Path, typer.Option(help="CSV file to write.")] = Path("panel.csv"),
    numbers: Annotated[
        bool, typer.Option("--numbers", help="With participants' numbers: the file then tells whose answers are whose.")
    ] = False,
) -> None:
    """Write the list for the recruiting site: ids, outcome and code of everybody, to pay them. No answers.

    Only ids that the study file says to keep; who withdrew is not in it. No other export has these ids.
    """
    subject, detail = f"list for the recruiting site, as {out}", "with numbers" if numbers else "without numbers"
    with plain_failures(), existing(db) as store, written_down(store, Action.exported, subject, detail):
        rows = write_panel(store, out, numbers)
    typer.echo(f"{out}: {rows} participants. Delete it when they are paid.")


def withdraw(
    participant: ParticipantArgument,
    db: DbOption = DEFAULT_DB,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a participant's photos, conversations and answers. Number, sequence and the date of this remain."""
    with plain_failures(), existing(db) as store:
        store.state(participant)
        if not yes:
            typer.confirm(f"Erase what {participant} gave? This cannot be undone", abort=True)
        with written_down(store, Action.withdrawn, participant):
            erased = MediaStore(folder_of(db), store).withdraw(participant)
    typer.echo(
        f"{participant} is withdrawn and erased, here and in the backups that updates of the app left beside it."
    )
    typer.echo("Exports and backups that you made before still hold them: erase those yourself.")
    typer.echo("A model server that runs now forgets in two hours; a withdrawal on the app's pages reaches it at once.")
    for backup in erased.backups_left:
        typer.echo(f"Not erased in {backup}, which could not be written: delete it, or try this again.", err=True)
    if erased.backups_left:
        raise typer.Exit(1)


def exclude(
    participant: ParticipantArgument,
    reason: Annotated[str, typer.Option(help="Why; it appears in the flow diagram.", prompt=True)],
    db: DbOption = DEFAULT_DB,
) -> None:
    """Take a participant out of the analysis; their data stay."""
    with plain_failures(), existing(db) as store, written_down(store, Action.excluded, participant):
        store.exclude(participant, reason)
    typer.echo(f"{participant} is excluded: {reason}")
