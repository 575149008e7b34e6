"""The command ``reproduce`` of ``python -m analysis``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from analysis.errors import InputError, NoData

if TYPE_CHECKING:  # half a second that the other commands need not wait
    from analysis.paper.reproduce import Reproduction


def reproduce(
    out: Annotated[Path, typer.Option("--out", help="Folder for what is written; made if needed.")],
    database: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RECONSTRUCTION.db]",
            help="Database from `python -m study_app reconstruct`; without it the data are drawn here, as CSV.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the drawing: the same seed gives the same data.")] = 0,
) -> None:
    """Audit the paper's numbers and reproduce Tables 3 and 5 from a data set that could have given them.

    GRIM, GRIMMER and CLOSURE over every published mean and SD; Tables 3 and 5 beside the published ones, cell by
    cell; Figure 9 with what is unknown marked as unknown; a list of what cannot be reproduced, and why.

    Exit codes: 0 every cell is equal; 1 a cell differs, or nobody completed the study; 2 the input or the folder
    cannot be used.
    """
    from analysis.paper.reproduce import reproduce as run

    errors = Console(stderr=True)
    try:
        with errors.status("Auditing and reconstructing"):
            found = run(out, database, seed)
    except NoData as reason:
        typer.echo(str(reason), err=True)
        raise typer.Exit(1) from None
    except InputError as reason:
        typer.echo(f"Error: {reason}", err=True)
        raise typer.Exit(2) from None
    _tell(found, out)
    if not found.equal:
        raise typer.Exit(1)


def _tell(found: Reproduction, out: Path) -> None:
    from analysis.paper.checks import Verdict

    typer.echo(found.comparison.title + ".")
    for cell in found.compared:
        same = "equal" if cell.equal else "NOT EQUAL"
        typer.echo(f"  {cell.cell.row:<52} {cell.cell.column:<11} {cell.cell.value:>6} {cell.computed:>6}  {same}")
    counts = Counter(check.verdict for check in found.checks)
    typer.echo(f"Audit: {', '.join(f'{counts[verdict]} {verdict.value}' for verdict in Verdict)}.")
    for check in found.checks:
        if check.verdict is Verdict.contradicts:
            typer.echo(f"  {check.sentence}")
    typer.echo(f"Written to {out}; start with {out / 'reproduction.md'}")
