"""A study's file and what can be filled in for people: check, simulate, reconstruct."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from study_app import texts
from study_app.commands.shared import DEFAULT_STUDY, plain_failures
from study_app.study.allocation import sequences
from study_app.study.definition import Study, load_study
from study_app.study.media import MediaStore, folder_of
from study_app.study.simulate import Effect, parse_effect
from study_app.study.simulate import simulate as run_simulation
from study_app.study.simulate_habits import Habits
from study_app.study.store import Store


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


def simulate(
    study: Annotated[Path, typer.Argument(help="Study file (YAML).")],
    db: Annotated[Path, typer.Option("--db", help="Database to fill; must hold no people.")],
    n: Annotated[int, typer.Option("-n", help="How many participants.", min=1)] = 40,
    effect: Annotated[
        list[str] | None,
        typer.Option(help="ITEM:CONDITION=SIZE in scale points, for instance trust:generated=+0.6. Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same answers.")] = 0,
    drop_out: Annotated[float, typer.Option(help="Share of participants who leave at some page.", min=0, max=1)] = 0.0,
    slow: Annotated[float, typer.Option(help="Share who take four times as long.", min=0, max=1)] = 0.0,
    careless: Annotated[
        float, typer.Option(help="Share who answer without reading, attention checks too.", min=0, max=1)
    ] = 0.0,
    missing: Annotated[
        float, typer.Option(help="Share of answers left out, of those that may be left out.", min=0, max=1)
    ] = 0.0,
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
                    habits=Habits(drop_out, slow, careless, missing),
                )
        finally:
            store.close()
    typer.echo(f"{n} simulated participants went through '{loaded.id}' in {db}.")


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
