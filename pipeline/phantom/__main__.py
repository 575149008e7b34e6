"""`python -m pipeline.phantom`: a sheet of every condition on every skin type, to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image, ImageDraw

from pipeline.phantom.draw import SKIN_TYPES, draw
from pipeline.phantom.lesions import PAINTERS

TITLE = 18
"""Height of the line above each row, in pixels."""


def sheet(seed: int, size: int) -> Image.Image:
    """Two columns of rows; one row holds one condition on Fitzpatrick types I to VI."""
    labels = list(PAINTERS)
    half = (len(labels) + 1) // 2
    width, height = 6 * size, size + TITLE
    out = Image.new("RGB", (2 * width + 12, half * height), (246, 248, 248))
    pen = ImageDraw.Draw(out)
    for i, label in enumerate(labels):
        x, y = (i // half) * (width + 12), (i % half) * height
        pen.text((x + 2, y + 2), label, fill=(14, 23, 28))
        row = np.concatenate([draw(seed + 10 * i + t, size, label, t).image for t in SKIN_TYPES], axis=1)
        out.paste(Image.fromarray(row), (x, y + TITLE))
    return out


def main(
    out: Annotated[Path, typer.Option(help="Where to write the picture.")] = Path("docs/phantoms.jpg"),
    seed: Annotated[int, typer.Option(help="First seed.")] = 1000,
    size: Annotated[int, typer.Option(help="Pixels on a side of one phantom.")] = 96,
) -> None:
    """Draw every condition on every Fitzpatrick type."""
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet(seed, size).save(out, quality=88)
    typer.echo(f"{out}: {len(PAINTERS)} conditions x 6 skin types, seed {seed}")


if __name__ == "__main__":
    typer.run(main)
