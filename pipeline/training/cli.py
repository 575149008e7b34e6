"""`python -m pipeline train ...`: one command per part, `pack` for all of them in order, `status` for what is to do."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.training.made import Made, NothingToBeginWith, digest
from pipeline.training.memory import keep_freed_memory
from pipeline.training.session import SHIPPED, WORK, Session
from pipeline.training.together import Part, PartFailed, run_together, this_python

app = typer.Typer(no_args_is_help=True, help="Train the embedded models on phantoms (CPU, hours; see recipes/).")

KNOWN = ("../packs/phantom/labels.yaml",)
TAUGHT = (*KNOWN, "wordings/**/*")

PARTS: dict[str, Part] = {
    "skingpt_sight": Part("SkinGPT's ViT and its measure of novelty."),
    "clip": Part("CLIP text and vision encoders (generation, retrieval, IP-Adapter)."),
    "vae": Part("The VAE of the embedded Stable Diffusion."),
    "vae_whole": Part(
        "The VAE once more: what encoders see shall stay.", ("vae", "clip", "skingpt_sight"), replaces="vae"
    ),
    "unet": Part("The inpainting UNet of Stable Diffusion.", ("vae_whole",)),
    "skingpt": Part("SkinGPT and its captioner: LLaMA, Q-Former, then the two steps.", ("skingpt_sight",), TAUGHT),
    "lora": Part("LoRAs.", ("unet", "skingpt_sight"), KNOWN),
    "ip_adapter": Part("The IP-Adapter.", ("unet",)),
    "detector": Part("GroundingDINO."),
    "sam": Part("SAM."),
    "judge": Part("The judge of generated pictures, never part of the pipeline."),
    "dino": Part("DINOv2, for scores of generated pictures only."),
    "cases": Part("The case library and the gallery.", ("clip", "skingpt"), KNOWN),
}
"""In an order in which they can be trained one after the other; what others wait for longest comes first."""


Steps = Annotated[int | None, typer.Option(help="Shorten (or lengthen) the recipe.")]
Fewer = Annotated[int | None, typer.Option(help="At most so many phantoms; for trying it out.")]
Device = Annotated[str, typer.Option(help="Where models are trained: cpu, cuda, cuda:1, mps, ...")]
Into = Annotated[Path | None, typer.Option(help="Folder to write to instead of pipeline/packs/phantom.")]


def train_part(
    part: str, steps: int | None = None, phantoms: int | None = None, into: Path | None = None, on: str = "cpu"
) -> None:
    """Train one part with its recipe; ``steps`` and ``phantoms`` override the recipe's numbers.

    Raises NoSuchDevice when models cannot be put ``on`` that device, NothingToBeginWith where the part it goes on
    from is gone.
    """
    from pipeline.training import loop, relay  # torch: seconds, which a mere --help need not wait

    how = loop.arithmetic(on)
    keep_freed_memory()
    pack = into or SHIPPED
    made = Made(pack, PARTS, {"steps": steps, "phantoms": phantoms})
    made.check_beginning(part)
    put_labels(pack)
    key = made.key(part)
    session = Session(pack, _workplaces(pack) / f"{part}-{key[:12]}", key, steps, phantoms, on)
    importlib.import_module(f"pipeline.training.{part}").run(session)
    made.record(part, key, how)
    relay.clear(pack / "relay", key)


def put_labels(pack: Path) -> None:
    """The conditions that are known, as the shipped pack has them; other parts may be reading the file."""
    own, shipped = pack / "labels.yaml", (SHIPPED / "labels.yaml").read_bytes()
    if own.exists() and own.read_bytes() == shipped:
        return
    pack.mkdir(parents=True, exist_ok=True)
    partial = own.with_suffix(f".{os.getpid()}")
    partial.write_bytes(shipped)
    partial.replace(own)


def _workplaces(pack: Path) -> Path:
    """Where checkpoints of a pack's parts are, each under the key of what it is made from."""
    return WORK / f"{pack.name}-{digest(str(pack.resolve()))[:6]}"


def _typed(part: str) -> str:
    """A part's name as a command."""
    return part.replace("_", "-")


def _command(part: str, about: str) -> None:
    @app.command(_typed(part), help=about)
    def command(steps: Steps = None, phantoms: Fewer = None, into: Into = None, device: Device = "cpu") -> None:
        from pipeline.training.device import NoSuchDevice

        try:
            train_part(part, steps, phantoms, into, device)
        except NoSuchDevice as error:
            raise typer.BadParameter(str(error), param_hint="--device") from error
        except NothingToBeginWith as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error


for _part in PARTS:
    _command(_part, PARTS[_part].about)


@app.command()
def pack(
    steps: Steps = None,
    phantoms: Fewer = None,
    into: Into = None,
    device: Device = "cpu",
    jobs: Annotated[int | None, typer.Option(min=1, help="Parts at once; as many as cores when not given.")] = None,
    log: Annotated[Path, typer.Option(help="Where to keep what this command prints.")] = WORK / "pack.txt",
    afresh: Annotated[bool, typer.Option("--afresh", help="All parts from their seeds, whatever is there.")] = False,
) -> None:
    """Train what is out of date into pipeline/packs/phantom, several parts side by side. It resumes when broken off."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the parts end with it, as they do at Ctrl+C
    log.parent.mkdir(parents=True, exist_ok=True)
    folder = into or SHIPPED
    if afresh:
        for begun in (_workplaces(folder), folder / "relay", folder / "made"):
            shutil.rmtree(begun, ignore_errors=True)
    done = Made(folder, PARTS, {"steps": steps, "phantoms": phantoms}).up_to_date()
    given = {"--steps": steps, "--phantoms": phantoms, "--into": into, "--device": device}
    options = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    with log.open("a") as file:

        def say(line: str) -> None:
            typer.echo(line)
            file.write(line + "\n")
            file.flush()

        for part in sorted(done):
            say(f"            {part}: up to date")
        try:
            run_together(
                PARTS, lambda part: this_python("train", _typed(part), *options), jobs or os.cpu_count() or 1,
                WORK / "out", say, done=done,
            )  # fmt: skip
        except PartFailed as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error


@app.command()
def status(into: Into = None) -> None:
    """Which parts of a pack today's recipes would make as they are, and which are to be trained."""
    done = Made(into or SHIPPED, PARTS).up_to_date()
    for part in PARTS:
        typer.echo(f"{_typed(part):<16} {'up to date' if part in done else 'to be trained'}")


if __name__ == "__main__":
    app()
