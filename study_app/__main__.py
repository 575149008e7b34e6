"""Command line of the study platform: `python -m study_app COMMAND`; `--help` explains each.

Exit codes: 0 done; 1 not done, the reason is on stderr; 2 the command line itself is wrong.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from study_app import texts
from study_app.study.access.audit import COMMAND_LINE, Action
from study_app.study.allocation import sequences
from study_app.study.definition import DefinitionError, Study, load_study
from study_app.study.errors import StoreError
from study_app.study.export import ExportError, write_export
from study_app.study.media import MediaStore, folder_of
from study_app.study.panel import write_panel
from study_app.study.simulate import Effect, parse_effect
from study_app.study.simulate import simulate as run_simulation
from study_app.study.store import Store

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_STUDY = ROOT / "questionnaires" / "skingen.yaml"
DEFAULT_DB = Path("data") / "study.db"

cli = typer.Typer(
    name="python -m study_app",
    help="Run a user study of SkinGEN: check the study file, serve it, look at it, take the data home.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class RunKind(StrEnum):
    pilot = "pilot"
    live = "live"


DbOption = Annotated[Path, typer.Option("--db", help="Database of the study (SQLite file).")]
ParticipantArgument = Annotated[str, typer.Argument(help="Participant's number, for instance P0007.")]


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
    who = COMMAND_LINE
    with suppress(OSError, KeyError):  # a user without a name
        who = f"{COMMAND_LINE}, {getpass.getuser()}"
    return store.researcher.audit.around(who, action, subject, detail)


@cli.command()
def check(file: Annotated[Path, typer.Argument(help="Study file (YAML).")] = DEFAULT_STUDY) -> None:
    """Read a study file and report every mistake in it, each with its line."""
    with plain_failures():
        study = load_study(file)
    typer.echo(f"{file}: good. {study.title}")
    if study.version:
        typer.echo(f"  version         {study.version}")
    typer.echo(f"  languages       {', '.join(study.languages)}")
    typer.echo(f"  conditions      {', '.join(f'{c.key} ({c.label})' for c in study.conditions)}")
    how = "between subjects" if study.design.kind == "between" else study.design.sequences.replace("_", " ")
    typer.echo(f"  sequences       {len(sequences(study))}, {how}")
    typer.echo(f"  items           {len(study.repeated_items)} per condition, {len(study.final_items)} once")
    for source in study.instruments:
        typer.echo(f"  instrument      {source.title}. {source.licence}")
    if study.entry.kind != "open":
        typer.echo(f"  entry           {study.entry.kind}; kept of a link: {', '.join(study.entry.kept) or 'nothing'}")
    typer.echo(f"  planned         {study.planned_n} participants")
    typer.echo(f"  definition hash {study.hash}")
    for field in placeholders(study):
        typer.echo(f"  to be replaced before a real study: {field}")
    for language in study.languages:
        if texts.spoken_in(language) is None:
            words = "the app's own words (buttons, progress, errors) are in English"
            typer.echo(f"  in {language}, {words}: there is no study_app/texts/{language}.yaml")


def placeholders(study: Study) -> list[str]:
    """Fields still in square brackets."""
    return [field for field in ("institution", "ethics", "contact") if getattr(study, field).startswith("[")]


@cli.command()
def serve(
    study: Annotated[Path, typer.Option(help="Study file (YAML).")] = DEFAULT_STUDY,
    db: DbOption = DEFAULT_DB,
    port: Annotated[int, typer.Option(help="Port of the app.", min=1, max=65535)] = 8501,
    address: Annotated[str, typer.Option(help="0.0.0.0 lets other machines in.")] = "localhost",
    profile: Annotated[str, typer.Option(help="Models: a profile's name or file.")] = "phantom",
    run_kind: Annotated[
        RunKind, typer.Option(help="pilot for trying out; only participants of a live run count.")
    ] = RunKind.pilot,
    browser: Annotated[bool, typer.Option(help="Open the participant's page in a browser.")] = True,
) -> None:
    """Start the app and its models; Ctrl-C ends both. The database is made at the first start."""
    from pipeline.localserver import ServerDidNotStart
    from study_app.serving import CannotServe, app_environment, open_browser
    from study_app.serving import serve as run

    with plain_failures():
        loaded = load_study(study)
        environment, code = app_environment(study, loaded, db, run_kind.value)
    url = f"http://{'localhost' if address == '0.0.0.0' else address}:{port}/"

    def on_ready() -> None:
        typer.echo(f"Participants:  {url}")
        typer.echo(f"Researcher:    {url}researcher" + (f"   setup code: {code}" if code else ""))
        typer.echo(f"{environment['SKINGEN_RUN_KIND'].capitalize()} run of '{loaded.title}' into {db}. Ctrl-C ends it.")
        if browser:
            open_browser(url)

    typer.echo("Starting the app. The models load meanwhile.")
    try:
        raise typer.Exit(run(environment, profile, address, port, on_ready))
    except (CannotServe, ServerDidNotStart) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


@cli.command()
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


@cli.command()
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
            codes = store.door.invite(loaded, n)
        finally:
            store.close()
    for code in codes:
        typer.echo(f"{url.rstrip('/')}/?code={code}")


@cli.command()
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
    with plain_failures(), existing(db) as store:
        rows = write_panel(store, out, numbers)
    typer.echo(f"{out}: {rows} participants. Delete it when they are paid.")


@cli.command()
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


@cli.command()
def simulate(
    study: Annotated[Path, typer.Argument(help="Study file (YAML).")],
    db: Annotated[Path, typer.Option("--db", help="Database to fill; must hold no people.")],
    n: Annotated[int, typer.Option("-n", help="How many participants.", min=1)] = 40,
    effect: Annotated[
        list[str] | None,
        typer.Option(help="ITEM:CONDITION=SIZE in scale points, for instance trust:generated=+0.6. Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same answers.")] = 0,
) -> None:
    """Let simulated participants with a known effect take part, to try the analysis. No models are used."""
    with plain_failures():
        loaded = load_study(study)
        try:
            effects: list[Effect] = [parse_effect(text, loaded) for text in effect or []]
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        store = Store.open(db)
        try:
            with Progress(transient=True) as progress:
                task = progress.add_task("Simulated participants", total=n)
                run_simulation(
                    loaded,
                    store,
                    MediaStore(folder_of(db), store),
                    n,
                    effects,
                    seed,
                    on_finished=lambda finished: progress.update(task, completed=finished),
                )
        finally:
            store.close()
    typer.echo(f"{n} simulated participants went through '{loaded.id}' in {db}.")


@cli.command()
def reconstruct(
    db: Annotated[Path, typer.Option("--db", help="Database to fill; must hold no participants.")],
    study: Annotated[Path, typer.Argument(help="Study file (YAML) with the paper's statements.")] = DEFAULT_STUDY,
    seed: Annotated[int, typer.Option(help="The same seed gives the same answers.")] = 0,
) -> None:
    """Write the paper's 32 participants, reconstructed from its Tables 3 and 5, as sessions of the study.

    Nobody gave these answers; they are one of many data sets that give the published numbers. What was never
    published (Figure 9) is not stored. Analyse with: python -m analysis reproduce DB --out DIR
    """
    from analysis.paper.reconstruction import reconstruct as draw
    from study_app.study.reconstruct import reconstructed_study, write_sessions

    with plain_failures():
        drawn = draw(seed)
        loaded = reconstructed_study(load_study(study), drawn)
        store = Store.open(db)
        try:
            with Progress(transient=True) as progress:
                task = progress.add_task("Reconstructed participants", total=len(drawn.people))
                write_sessions(
                    loaded,
                    drawn,
                    store,
                    MediaStore(folder_of(db), store),
                    on_finished=lambda finished: progress.update(task, completed=finished),
                )
        finally:
            store.close()
    typer.echo(f"{len(drawn.people)} reconstructed participants in {db}.")
    typer.echo(f"Tables 3 and 5 from them, beside the paper's: python -m analysis reproduce {db} --out DIR")


@cli.command()
def export(
    db: DbOption = DEFAULT_DB,
    out: Annotated[Path, typer.Option(help="ZIP file to write.")] = Path("study-export.zip"),
    photos: Annotated[
        bool, typer.Option("--photos", help="With participants' photos and the pictures they were shown.")
    ] = False,
) -> None:
    """Write all data into a ZIP: tidy and wide CSV, Parquet, codebook, Psych-DS, the database, checksums."""
    what = "with photos" if photos else "without photos"
    with plain_failures(), existing(db) as store, written_down(store, Action.exported, f"everything, as {out}", what):
        written = write_export(store, out, MediaStore(folder_of(db), store) if photos else None)
    typer.echo(f"{out}: {written.size} bytes.")
    for name, rows in written.rows.items():
        if "/" not in name:
            typer.echo(f"  {rows:>8} rows  {name}")
    for name in written.lost_pictures:
        typer.echo(f"  gone or damaged: {name}", err=True)


@cli.command()
def backup(
    out: Annotated[Path, typer.Argument(help="File to write; must not exist.")], db: DbOption = DEFAULT_DB
) -> None:
    """Copy the database consistently, also while the app is running (a plain copy is not safe)."""
    with plain_failures(), existing(db) as store:
        store.database.backup(out)
    typer.echo(f"{out}: a copy of {db}. The pictures in {folder_of(db)} are copied as files.")


@cli.command()
def withdraw(
    participant: ParticipantArgument,
    db: DbOption = DEFAULT_DB,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a participant's photos, conversations and answers. That they were there, and when, remains."""
    with plain_failures(), existing(db) as store:
        store.state(participant)
        if not yes:
            typer.confirm(f"Erase what {participant} gave? This cannot be undone", abort=True)
        with written_down(store, Action.withdrawn, participant):
            MediaStore(folder_of(db), store).withdraw(participant)
    typer.echo(f"{participant} is withdrawn and erased. Copies made before, by export or backup, still hold them.")


@cli.command()
def exclude(
    participant: ParticipantArgument,
    reason: Annotated[str, typer.Option(help="Why; it appears in the flow diagram.", prompt=True)],
    db: DbOption = DEFAULT_DB,
) -> None:
    """Take a participant out of the analysis; their data stay."""
    with plain_failures(), existing(db) as store, written_down(store, Action.excluded, participant, reason):
        store.exclude(participant, reason)
    typer.echo(f"{participant} is excluded: {reason}")


if __name__ == "__main__":
    cli()
