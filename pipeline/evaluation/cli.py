"""`python -m pipeline evaluate ...`"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipeline.evaluation.abstaining import ON_PHOTOS
from pipeline.evaluation.card import (
    TABLE,
    are_of_these_weights,
    differences,
    read_figures,
    renewed,
    row,
    write_card,
    write_figures,
)
from pipeline.evaluation.figures import Figure
from pipeline.evaluation.running import PARTS, Measured, Plan, run
from pipeline.evaluation.timing import NothingToTime
from pipeline.profile import ProfileError, load_profile

app = typer.Typer(
    no_args_is_help=True,
    help="Measure the embedded models on phantoms no training used.",
    pretty_exceptions_enable=False,
)

ProfileOption = Annotated[str, typer.Option(help="Models: a profile's name or file.")]


@app.command()
def pack(
    n: Annotated[int, typer.Option("-n", min=1, help="Unseen phantoms.")] = 600,
    drawn: Annotated[int, typer.Option(min=1, help="Of these, the first so many are drawn on.")] = 96,
    parts: Annotated[
        str, typer.Option(help=f"Only these, with commas between; the card is not written then: {', '.join(PARTS)}.")
    ] = "",
    photos: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Real photographs, to be abstained on.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes; the figures do not depend on it.")] = 2,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Measure all anew, compare with figures.json, not write it; exit code 1 when they differ."
        ),
    ] = False,
    renew: Annotated[
        bool,
        typer.Option(
            "--renew", help="With --parts: these figures in place of those in the card, for the same weights."
        ),
    ] = False,
    profile: ProfileOption = "phantom",
) -> None:
    """Print the model card's table, and write it into the pack as figures.json and MODEL_CARD.md.

    A run that was broken off goes on: parts that were measured of the same models are not measured again.
    """
    chosen = [part.strip() for part in parts.split(",") if part.strip()] or list(PARTS)
    if unknown := [part for part in chosen if part not in PARTS]:
        raise typer.BadParameter(f"{', '.join(unknown)}: parts are {', '.join(PARTS)}", param_hint="--parts")
    try:
        root = load_profile(profile).root
        if renew and not are_of_these_weights(root):
            raise typer.BadParameter("the card is of other weights; evaluate the whole pack", param_hint="--renew")
        figures = run(Plan(profile, n, drawn, photos), chosen, jobs, _report, afresh=again)
    except (ProfileError, NothingToTime, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo("\n".join((TABLE, *map(row, figures))))
    if photos is None and "abstaining" in chosen:
        typer.echo(f"{ON_PHOTOS}: not measured; --photos names a folder of them", err=True)
    if again:
        _compare(root, figures, whole=not parts, unseen=() if photos else (ON_PHOTOS,))
    elif renew or not parts:
        write_figures(root, renewed(read_figures(root), figures) if renew else figures)
        typer.echo(f"written: {write_card(root)}")


def _report(measured: Measured) -> None:
    """A part's figures as soon as it is done; the whole table comes at the end, on stdout."""
    how = "measured before" if measured.seconds is None else f"done in {measured.seconds:.0f} s"
    typer.echo(f"{measured.part}: {how}", err=True)
    for figure in measured.figures:
        typer.echo(row(figure), err=True)


def _compare(root: Path, figures: list[Figure], whole: bool, unseen: Sequence[str]) -> None:
    """Ends with exit code 1 when figures differ; ``whole``: also when one is missing that is not ``unseen``."""
    measured = {figure.what for figure in figures}
    before = [f for f in read_figures(root) if f.what in measured or (whole and f.what not in unseen)]
    changes = differences(before, figures)
    typer.echo("\n".join(changes) if changes else "The same numbers as before.")
    raise typer.Exit(1 if changes else 0)


@app.command()
def card(profile: ProfileOption = "phantom") -> None:
    """Write MODEL_CARD.md again from the pack's figures.json, its logs and its remarks.md."""
    typer.echo(f"written: {write_card(load_profile(profile).root)}")


@app.command()
def sheet(
    out: Annotated[Path, typer.Option(help="Where to write the picture.")] = Path("docs/explanations.jpg"),
    profile: ProfileOption = "phantom",
) -> None:
    """Explain eight unseen phantoms and put photo, mask, words and pictures on one sheet."""
    from pipeline.explaining import MemoryImages
    from pipeline.loading import load_explainers

    images = MemoryImages()
    explainer = load_explainers(load_profile(profile), images)["generated"]
    from pipeline.evaluation.sheet import explanations  # after loading, which imports torch as it must be

    out.parent.mkdir(parents=True, exist_ok=True)
    explanations(explainer, images).save(out, quality=88)
    typer.echo(f"written: {out}")
