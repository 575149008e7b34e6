"""Command line: `python -m pipeline.convert` turns SkinGPT-4's or MiniGPT-4's parts into one transformers folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.convert.skingpt4 import Files, convert
from pipeline.convert.sources import ConversionError


def main(
    eva: Annotated[Path, typer.Option(help="eva_vit_g.pth")],
    qformer: Annotated[Path, typer.Option(help="blip2_pretrained_flant5xxl.pth")],
    llama: Annotated[Path, typer.Option(help="Folder of Vicuna (delta applied) or Llama-2-13b-chat-hf.")],
    checkpoint: Annotated[Path, typer.Option(help="SkinGPT-4's or MiniGPT-4's .pth")],
    out: Annotated[Path, typer.Option(help="Folder to write; must not be there yet.")],
    template: Annotated[str, typer.Option(help="skingpt4, minigpt4-vicuna or minigpt4-llama2")] = "skingpt4",
) -> None:
    """Convert; float16, in shards of 2 GiB. Exit code 1: the files do not fit together."""
    try:
        for line in convert(Files(eva, qformer, llama, checkpoint), out, template):
            typer.echo(line)
    except (ConversionError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    typer.echo(f"written: {out}")


if __name__ == "__main__":
    typer.run(main)
