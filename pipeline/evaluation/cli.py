"""`python -m pipeline evaluate ...`"""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Measure the embedded models on phantoms no training used.")


@app.callback()
def main() -> None:
    """Keeps `pack` a subcommand."""


@app.command()
def pack(
    n: Annotated[int, typer.Option("-n", help="Unseen phantoms.")] = 200,
    profile: Annotated[str, typer.Option(help="Profile to measure.")] = "phantom",
    write: Annotated[bool, typer.Option(help="Write figures.json and MODEL_CARD.md into the pack.")] = True,
) -> None:
    """Print the model card's table; the same n gives the same figures (but for seconds)."""
    import tempfile

    from pipeline.evaluation.card import row
    from pipeline.evaluation.card import write as write_card
    from pipeline.evaluation.pack import evaluate
    from pipeline.images import DiskImages
    from pipeline.loading import load_skingen
    from pipeline.profile import load_profile

    loaded = load_profile(profile)
    with tempfile.TemporaryDirectory() as folder:
        skingen = load_skingen(loaded, DiskImages(folder))
        figures = evaluate(skingen, n, lambda figure: typer.echo(row(figure)))
    if write:
        write_card(loaded.root, figures)
        typer.echo(f"written: {loaded.root / 'MODEL_CARD.md'}")
