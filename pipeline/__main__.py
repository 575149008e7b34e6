"""Command line of the pipeline: `python -m pipeline COMMAND`; `--help` explains each.

Exit codes: 0 done (an abstention is an answer); 1 the models are missing or failed; 2 the photo or the
command line is wrong. Nothing here imports torch before a command needs it.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pipeline import models_cli
from pipeline.explaining import Collected, MemoryImages, NotExplained, collect, write
from pipeline.loading import load_explainers
from pipeline.photo import PhotoError, clean_photo
from pipeline.profile import Profile, ProfileError, load_profile
from pipeline.types import (
    DIAGNOSIS_PROMPT,
    CasesFound,
    Condition,
    DiagnosisMade,
    Event,
    ExplainRequest,
    ImageProgress,
    MaskFound,
)

app = typer.Typer(
    name="python -m pipeline",
    help="SkinGEN: explain a photo of skin, serve the models to the study app, train and evaluate them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ProfileOption = Annotated[str, typer.Option(help="Models: a profile's name or file.")]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, help="CPU threads for the models; the profile says how many otherwise.")
]


class ConditionName(StrEnum):
    text = "text"
    cases = "cases"
    generated = "generated"


@contextmanager
def plain_failures() -> Iterator[None]:
    """What is expected to go wrong ends the command with its message and its exit code."""
    try:
        yield
    except PhotoError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    except (ProfileError, NotExplained, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def _profile(name: str) -> Profile:
    with plain_failures():
        return load_profile(name)


# Explain -------------------------------------------------------------------------------------------


@app.command()
def explain(
    photo: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="JPEG, PNG, WebP or HEIC.")],
    out: Annotated[Path, typer.Option(help="Folder for the files; made if it is not there.")],
    condition: Annotated[
        ConditionName, typer.Option(help="text: words; cases: and similar cases; generated: and pictures.")
    ] = ConditionName.generated,
    question: Annotated[str, typer.Option(help="What to ask about the photo.")] = DIAGNOSIS_PROMPT,
    known_label: Annotated[str | None, typer.Option(help="The condition, where it is known.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same pictures.")] = 0,
    profile: ProfileOption = "phantom",
    threads: ThreadsOption = None,
) -> None:
    """Explain one photo and write the answer, the pictures and the manifest.

    Writes photo.png, text.md, manifest.json and, by condition, mask.png, mask_overlay.png, image_*.png and
    case_*.png. "I cannot tell from this photo" is an answer, too: exit code 0.
    """
    described = _profile(profile)
    _check_label(known_label, described)
    images = MemoryImages()
    chosen: Condition = condition.value
    with plain_failures():
        clean = clean_photo(photo.read_bytes())
        request = ExplainRequest(
            key=photo.stem,
            condition=chosen,
            photo=images.put(clean.png),
            question=question,
            known_label=known_label,
            seed=seed,
        )
        with shown_progress() as show:
            explainer = load_explainers(described, images, threads)[chosen]
            collected = collect(explainer.explain(request), show)
        files = write(collected, clean.png, images, out)
    typer.echo(collected.text.replace("**", "").strip())
    _report(collected, described, files, out)


def _check_label(label: str | None, profile: Profile) -> None:
    known = [info.label for info in profile.labels]
    if label is not None and label not in known:
        raise typer.BadParameter(
            f"{label!r} is not a condition of profile {profile.name}; it knows {', '.join(known)}",
            param_hint="--known-label",
        )


def _report(collected: Collected, profile: Profile, files: tuple[Path, ...], out: Path) -> None:
    if collected.diagnosis is not None and collected.diagnosis.abstained:
        typer.echo("The models abstained: no cases, no pictures.", err=True)
    if profile.demonstration:
        typer.echo("Demonstration models, trained on drawn skin: not for diagnosis.", err=True)
    typer.echo(f"{len(files)} files in {out}", err=True)


class Shown:
    """Turns events into one line of progress on stderr."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("Loading the models", total=None)

    def __call__(self, event: Event) -> None:
        match event:
            case DiagnosisMade():
                self._say("Answering")
            case CasesFound(cases):
                self._say(f"{len(cases)} similar cases")
            case MaskFound(mask):
                self._say("Affected area found" if mask else "No affected area found")
            case ImageProgress(step, steps):
                self._progress.update(self._task, total=steps, completed=step)
                self._say(f"Drawing, step {step} of {steps}")
            case _:
                pass

    def _say(self, words: str) -> None:
        self._progress.update(self._task, description=words)


@contextmanager
def shown_progress() -> Iterator[Shown]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Shown(progress)


# Serve ---------------------------------------------------------------------------------------------


@app.command()
def serve(
    profile: ProfileOption = "phantom",
    host: Annotated[str, typer.Option(help="Beyond loopback, SKINGEN_PIPELINE_TOKEN must be set.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 0,
    images: Annotated[Path | None, typer.Option(help="Folder for pictures; a temporary one otherwise.")] = None,
    threads: ThreadsOption = None,
    stop_on_eof: Annotated[bool, typer.Option("--stop-on-eof", hidden=True)] = False,
) -> None:
    """Serve the models over HTTP; prints one line of JSON with the address when the port is open.

    Every request needs the token of SKINGEN_PIPELINE_TOKEN; without that variable one is made and printed.
    """
    from pipeline.serving import CannotServe, Options
    from pipeline.serving import serve as run

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("httpx", "filelock", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    described = _profile(profile)
    options = Options(host, port, None if images is None else str(images), stop_on_eof=stop_on_eof)
    try:
        code = run(described, lambda store: load_explainers(described, store, threads), options)
    except (CannotServe, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    sys.stdout.flush()
    os._exit(code)  # all is cleaned up; an ordinary exit aborts when a native thread still loads or hangs


# Check and download --------------------------------------------------------------------------------

app.command()(models_cli.check)
app.command()(models_cli.download)


# Handed on, so that only they import torch ---------------------------------------------------------

_HANDED_ON = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": ["--no-such-help"],
}


def _hand_on(module: str, name: str, arguments: list[str]) -> None:
    commands: typer.Typer = importlib.import_module(module).app
    commands(args=arguments, prog_name=f"python -m pipeline {name}")


@app.command(context_settings=_HANDED_ON)
def train(context: typer.Context) -> None:
    """Train the embedded models on drawn skin: `train pack` for all of them, `train --help` for the parts."""
    _hand_on("pipeline.training.cli", "train", context.args)


@app.command(context_settings=_HANDED_ON)
def evaluate(context: typer.Context) -> None:
    """Measure the models on drawn skin they have not seen: `evaluate --help`."""
    _hand_on("pipeline.evaluation.cli", "evaluate", context.args)


@app.command(context_settings=_HANDED_ON)
def cases(context: typer.Context) -> None:
    """`cases build DIR|CSV --out DIR`: your own library. Without `build`: the embedded one, from drawn skin."""
    if context.args[:1] == ["build"]:
        _hand_on("pipeline.casebuild", "cases", context.args)
        return
    _hand_on("pipeline.training.cli", "train", ["cases", *context.args])


if __name__ == "__main__":
    sys.exit(app())
