"""Command line of the analysis: ``python -m analysis report STUDY.db --out DIR``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from analysis.bootstrap import SEED
from analysis.errors import InputError, NoData
from analysis.export import Table
from analysis.figures import SIMULATED
from analysis.paper.command import reproduce
from analysis.power_command import power
from analysis.report import Summary, summarise, write

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


class RunKind(StrEnum):
    live = "live"
    pilot = "pilot"
    reconstruction = "reconstruction"


class ThemeName(StrEnum):
    light = "light"
    dark = "dark"


@app.callback()
def main() -> None:
    """Turn the answers of a study into Table 3, Table 5, Figure 9 and the tests."""


@app.command()
def report(
    source: Annotated[Path, typer.Argument(metavar="STUDY.db", help="A study database, or a CSV of its ratings.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the report; made if needed.")],
    run_kind: Annotated[RunKind, typer.Option(help="Which participants count.")] = RunKind.live,
    study: Annotated[str | None, typer.Option(help="Study id, where the file holds several.")] = None,
    definition: Annotated[
        str | None, typer.Option(help="Count one version of the study only: its hash, or how it starts.")
    ] = None,
    pool_versions: Annotated[
        bool, typer.Option("--pool-versions", help="Analyse several versions of the study together.")
    ] = False,
    scale_max: Annotated[
        int, typer.Option(min=2, max=101, help="Highest scale point of a CSV that comes without items.csv.")
    ] = 5,
    exclude_bad_rows: Annotated[
        bool, typer.Option("--exclude-bad-rows", help="Leave out ratings that cannot be right, and list them.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap intervals in results.json.")] = SEED,
    theme: Annotated[ThemeName, typer.Option(help="Colours of figure9.png and figure9.svg.")] = ThemeName.light,
) -> None:
    """Write the tables (CSV, Markdown, LaTeX), Figure 9 (PNG, SVG), report.html and results.json.

    Only completed participants of one run kind are counted; the report says who was left out.

    Exit codes: 0 the report was written; 1 nobody has completed the study yet; 2 the input cannot
    be analysed, and the message says why. Nothing is written unless the exit code is 0.
    """
    errors = Console(stderr=True)
    try:
        with errors.status("Computing the report"):
            summary = summarise(
                source,
                run_kind.value,
                study=study,
                definition=definition,
                pool_versions=pool_versions,
                scale=(1, scale_max),
                exclude_bad_rows=exclude_bad_rows,
                seed=seed,
            )
            written = write(summary, out, theme.value)
    except NoData as reason:
        typer.echo(str(reason), err=True)
        raise typer.Exit(1) from None
    except InputError as reason:
        typer.echo(f"Error: {reason}", err=True)
        raise typer.Exit(2) from None
    _print(summary)
    typer.echo(f"{len(written)} files in {out}; start with {out / 'report.html'}")


def _print(summary: Summary) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=110)  # a log file does not fold at 80 columns
    if summary.simulated:
        console.print(Text(SIMULATED, style="bold red"))
    console.print(Text(summary.headline))
    for note in summary.data.notes:
        console.print(Text(note))
    for table in (table for table in (summary.table5, summary.tests) if not table.frame.empty):
        console.print()
        console.print(_grid(table))
        console.print(Text(table.note, style="dim"))


def _grid(table: Table) -> Grid:
    """The table for a terminal. Text objects: a wording in brackets is no markup."""
    grid = Grid(title=Text(table.title), title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for index, column in enumerate(table.display.columns):
        wordy = index < table.words
        grid.add_column(Text(str(column)), justify="left" if wordy else "right", no_wrap=not wordy)
    for row in table.display.itertuples(index=False):
        grid.add_row(*(Text(str(cell)) for cell in row))
    return grid


app.command()(reproduce)
app.command()(power)


if __name__ == "__main__":
    app(prog_name="python -m analysis")
