"""What is taken home, and who took it: export, backup, audit."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from study_app.commands.shared import DEFAULT_DB, DbOption, RunKind, existing, plain_failures, written_down
from study_app.study import state
from study_app.study.access.audit import Action
from study_app.study.backup import write_backup
from study_app.study.export import write_export
from study_app.study.media import MediaStore, folder_of


def export(
    db: DbOption = DEFAULT_DB,
    out: Annotated[Path, typer.Option(help="ZIP file to write.")] = Path("study-export.zip"),
    photos: Annotated[
        bool, typer.Option("--photos", help="With participants' photos and the pictures they were shown.")
    ] = False,
    run_kind: Annotated[
        RunKind | None,
        typer.Option(help="Participants of this run only. Without it those of all: run_kind in the files tells which."),
    ] = None,
) -> None:
    """Write all data into a ZIP: tidy and wide CSV, Parquet, codebook, Psych-DS, the database, checksums."""
    only: state.RunKind | None = None if run_kind is None else run_kind.value
    what = f"{'with photos' if photos else 'without photos'}{f', {only} run only' if only else ''}"
    with plain_failures(), existing(db) as store, written_down(store, Action.exported, f"everything, as {out}", what):
        written = write_export(store, out, MediaStore(folder_of(db), store) if photos else None, only)
    typer.echo(f"{out}: {written.size} bytes.")
    for name, rows in written.rows.items():
        if "/" not in name:
            typer.echo(f"  {rows:>8} rows  {name}")
    for name in written.lost_pictures:
        typer.echo(f"  gone or damaged: {name}", err=True)


def backup(
    out: Annotated[Path, typer.Argument(help="Database file to write; must not exist.")], db: DbOption = DEFAULT_DB
) -> None:
    """Copy the database and its pictures consistently, also while the app is running (a plain copy is not safe).

    OUT.db gets its pictures in OUT.media beside it. Researchers' accounts and the audit are not in a backup.
    """
    with plain_failures(), existing(db) as store, written_down(store, Action.exported, f"backup, as {out}"):
        made = write_backup(store, MediaStore(folder_of(db), store), out)
    pictures = f"{made.pictures} pictures in {made.folder}" if made.pictures else "no pictures"
    typer.echo(f"{made.database}: a copy of {db}, with {pictures}.")
    if made.lacking:
        typer.echo(f"{made.lacking} pictures of the database are not on disk.", err=True)


def audit(
    db: DbOption = DEFAULT_DB,
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 500,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Who signed in, opened a participant, exported, excluded, erased or changed the study, and when (UTC)."""
    with plain_failures(), existing(db) as store:
        entries = store.researcher.audit.entries(limit)
    if as_json:
        typer.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
        return
    if not entries:
        typer.echo("Nobody has looked at this study yet.")
    for entry in entries:
        what = " ".join(filter(None, (entry.action, entry.subject, f"({entry.detail})" if entry.detail else "")))
        typer.echo(f"{entry.at[:10]} {entry.at[11:19]}  {entry.who:<20} {what}")
