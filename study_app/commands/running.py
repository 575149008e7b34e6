"""A study that runs: serve, status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from study_app.commands.shared import DEFAULT_DB, DEFAULT_STUDY, DbOption, RunKind, existing, plain_failures
from study_app.study.definition import load_study

_WITHOUT_A_WORD = {
    "live": "The run is live, as set before.",
    "pilot": "The run is a pilot: its participants do not count in the results. The study itself is --run-kind live.",
}


def serve(
    study: Annotated[Path, typer.Option(help="Study file (YAML).")] = DEFAULT_STUDY,
    db: DbOption = DEFAULT_DB,
    port: Annotated[int, typer.Option(help="Port of the app.", min=1, max=65535)] = 8501,
    address: Annotated[str, typer.Option(help="0.0.0.0 lets other machines in.")] = "localhost",
    profile: Annotated[str, typer.Option(help="Models: a profile's name or file.")] = "phantom",
    run_kind: Annotated[
        RunKind | None,
        typer.Option(
            help="pilot for trying out; only participants of a live run count. Without it: as set before "
            "(by a start with live, or on the Studies page), at first pilot."
        ),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the participant's page in a browser.")] = True,
) -> None:
    """Start the app and its models; Ctrl-C ends both. The database is made at the first start."""
    from pipeline.localserver import ServerDidNotStart
    from study_app.serving import CannotServe, app_environment, open_browser
    from study_app.serving import serve as run

    with plain_failures():
        loaded = load_study(study)
        environment, code = app_environment(study, loaded, db, None if run_kind is None else run_kind.value)
    kind = environment["SKINGEN_RUN_KIND"]
    url = f"http://{'localhost' if address == '0.0.0.0' else address}:{port}/"

    def on_ready() -> None:
        typer.echo(f"Participants:  {url}")
        typer.echo(f"Researcher:    {url}researcher" + (f"   setup code: {code}" if code else ""))
        typer.echo(f"{kind.capitalize()} run of '{loaded.title}' into {db}. Ctrl-C ends it.")
        if browser:
            open_browser(url)

    if run_kind is None:
        typer.echo(_WITHOUT_A_WORD[kind])
    typer.echo("Starting the app. The models load meanwhile.")
    try:
        raise typer.Exit(run(environment, profile, address, port, on_ready))
    except (CannotServe, ServerDidNotStart) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def status(
    db: DbOption = DEFAULT_DB,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """How a study stands: who came, who finished, how the sequences are filled."""
    with plain_failures(), existing(db) as store:
        simulated = store.meta("simulated") == "1"
        found = [(study, kind, store.counts(study, kind)) for study, kind in store.runs()]
    if as_json:
        rows = [
            {"study": study.id, "run_kind": kind, "simulated": simulated, **counts.as_dict()}
            for study, kind, counts in found
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    if not found:
        typer.echo("Nobody has arrived yet.")
    for study, kind, counts in found:
        typer.echo(f"{study.title} ({study.id}, {kind}{', simulated' if simulated else ''})")
        typer.echo(f"  completed {counts.completed} of {study.planned_n} planned")
        typer.echo(
            f"  arrived {counts.arrived}, consented {counts.consented}, active {counts.active}, "
            f"left early {counts.left_early}, declined {counts.declined}, "
            f"not eligible {counts.not_eligible}, excluded {counts.excluded}"
        )
        for sequence, (completed, active) in counts.per_sequence.items():
            typer.echo(f"  {sequence:<32} {completed} completed, {active} active")
