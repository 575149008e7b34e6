"""`python -m pipeline train ...`: one command per part, and `pack` for all of them in order."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Annotated

import typer

from pipeline.training.together import Part, PartFailed, run_together, this_python

WORK = Path(".cache/training")
"""As in `loop`, which this module does not import: it would take seconds for a mere --help."""

app = typer.Typer(no_args_is_help=True, help="Train the embedded models on phantoms (CPU, hours; see recipes/).")

PARTS: dict[str, Part] = {
    "vae": Part("The VAE of the embedded Stable Diffusion."),
    "clip": Part("CLIP text and vision encoders (generation, retrieval, IP-Adapter)."),
    "unet": Part("The inpainting UNet of Stable Diffusion.", ("vae", "clip")),
    "skingpt": Part("SkinGPT and its captioner: ViT, LLaMA, Q-Former, then the two steps."),
    "sam": Part("SAM."),
    "adapters": Part("IP-Adapter and LoRAs.", ("unet",)),
    "detector": Part("GroundingDINO."),
    "judge": Part("The judge of generated pictures, never part of the pipeline."),
    "dino": Part("DINOv2, for scores of generated pictures only."),
    "cases": Part("The case library and the gallery.", ("clip", "skingpt")),
}
"""In an order in which they can be trained one after the other."""


def train_part(part: str, steps: int | None = None) -> None:
    """Train one part with its recipe, ``steps`` overriding the recipe's number."""
    importlib.import_module(f"pipeline.training.{part}").run(steps)


def _command(part: str, about: str) -> None:
    @app.command(part.replace("_", "-"), help=about)
    def command(
        steps: Annotated[int | None, typer.Option(help="Shorten (or lengthen) the recipe.")] = None,
    ) -> None:
        train_part(part, steps)


for _part in PARTS:
    _command(_part, PARTS[_part].about)


@app.command()
def pack(
    steps: Annotated[int | None, typer.Option(help="Steps for every part; for trying it out.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Parts at once; as many as cores when not given.")] = None,
    log: Annotated[Path, typer.Option(help="Where to keep what this command prints.")] = WORK / "pack.txt",
) -> None:
    """Train every part into pipeline/packs/phantom, several side by side. Broken off, it goes on where it was."""
    log.parent.mkdir(parents=True, exist_ok=True)
    shorter = () if steps is None else ("--steps", str(steps))
    with log.open("a") as file:

        def say(line: str) -> None:
            typer.echo(line)
            file.write(line + "\n")
            file.flush()

        try:
            run_together(
                PARTS, lambda name: this_python("train", name, *shorter), jobs or os.cpu_count() or 1, WORK / "out", say
            )
        except PartFailed as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
