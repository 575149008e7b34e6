"""`python -m pipeline train ...`: one command per part, and `pack` for all of them in order."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Train the embedded models on phantoms (CPU, hours; see recipes/).")

PARTS: dict[str, str] = {
    "vae": "The VAE of the embedded Stable Diffusion.",
    "clip": "CLIP text and vision encoders (generation, retrieval, IP-Adapter).",
    "unet": "The inpainting UNet of Stable Diffusion.",
    "adapters": "IP-Adapter and LoRAs.",
    "detector": "GroundingDINO.",
    "sam": "SAM.",
    "skingpt": "SkinGPT and its captioner: ViT, LLaMA, Q-Former, then the two steps.",
    "cases": "The case library and the gallery.",
    "dino": "DINOv2, for scores of generated pictures only.",
    "judge": "The judge of generated pictures, never part of the pipeline.",
}
"""In the order in which they must be trained."""


def train_part(part: str, steps: int | None = None) -> None:
    """Train one part with its recipe, ``steps`` overriding the recipe's number."""
    importlib.import_module(f"pipeline.training.{part}").run(steps)


def _command(part: str, about: str) -> None:
    @app.command(part.replace("_", "-"), help=about)
    def command(
        steps: Annotated[int | None, typer.Option(help="Shorten (or lengthen) the recipe.")] = None,
    ) -> None:
        train_part(part, steps)


for _part, _about in PARTS.items():
    _command(_part, _about)


@app.command()
def pack(
    steps: Annotated[int | None, typer.Option(help="Steps for every part; for trying it out.")] = None,
) -> None:
    """Train every part, in order, into pipeline/packs/phantom."""
    for part in PARTS:
        typer.echo(f"== {part}: {PARTS[part]}")
        train_part(part, steps)


if __name__ == "__main__":
    app()
