"""A sheet to look at: eight unseen phantoms, explained. Photo, mask, words, and the drawn pictures."""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from pipeline.evaluation.unseen import PHOTO, photo, shown
from pipeline.explaining import Collected, collect
from pipeline.phantom import LABELS, SKIN_TYPES, Phantom, draw
from pipeline.skingen import png
from pipeline.training.data import SEEDS
from pipeline.types import Explainer, ExplainRequest, ImageStore

ROWS = 8
FIRST_SEED = SEEDS["test"] + 700_000
"""Nobody chose among seeds: row after row takes the next."""

CELL, WORDS, LINE, GAP = 192, 300, 20, 10
"""Pixels: a picture, the column of words, a line of text, and between cells."""
PICTURES = 4
PAPER, INK, FAINT = (255, 255, 255), (14, 23, 28), (90, 102, 110)


@dataclass(frozen=True)
class Explanation:
    """One row of the sheet."""

    phantom: Phantom
    answer: Collected


def explained(explainer: Explainer, images: ImageStore) -> list[Explanation]:
    """The phantoms of the sheet, over conditions and skin types, each explained from the photo as in the app."""
    rows = []
    for i in shown(range(ROWS), "explanations", ROWS):
        label = LABELS[i * len(LABELS) // ROWS]
        phantom = draw(FIRST_SEED + i, PHOTO, label, SKIN_TYPES[i % len(SKIN_TYPES)])
        request = ExplainRequest(f"sheet-{i}", "generated", images.put(png(photo(phantom))), seed=i)
        rows.append(Explanation(phantom, collect(explainer.explain(request), lambda event: None)))
    return rows


def explanations(explainer: Explainer, images: ImageStore) -> Image.Image:
    """The whole sheet, RGB."""
    rows = explained(explainer, images)
    width = GAP + 2 * (CELL + GAP) + WORDS + GAP + PICTURES * (CELL + GAP)
    height = CELL + LINE + GAP
    sheet = Image.new("RGB", (width, GAP + LINE * 2 + ROWS * height), PAPER)
    pen = ImageDraw.Draw(sheet)
    title = f"Unseen phantoms of the seeds from {FIRST_SEED}, one after another; not chosen. Demonstration models."
    pen.text((GAP, GAP), title, fill=FAINT, font=_font(15))
    for i, row in enumerate(rows):
        _paint(sheet, pen, GAP + LINE * 2 + i * height, row, images)
    return sheet


def _paint(sheet: Image.Image, pen: ImageDraw.ImageDraw, y: int, row: Explanation, images: ImageStore) -> None:
    answer, phantom = row.answer, row.phantom
    x = GAP
    _cell(sheet, pen, (x, y), photo(phantom), f"drawn as: {phantom.label}")
    x += CELL + GAP
    if answer.mask is not None:
        _cell(
            sheet,
            pen,
            (x, y),
            _picture(images, answer.mask.overlay),
            f"mask, {100 * answer.mask.area:.0f} % of the photo",
        )
    else:
        _cell(sheet, pen, (x, y), None, "no mask")
    x += CELL + GAP
    pen.multiline_text((x, y), _words(answer), fill=INK, font=_font(14), spacing=3)
    x += WORDS + GAP
    for drawn in answer.drawn:
        _cell(sheet, pen, (x, y), _picture(images, drawn.image), drawn.label)
        x += CELL + GAP


def _cell(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, place: tuple[int, int], picture: Image.Image | None, name: str
) -> None:
    """A picture with its name above it, or an empty frame."""
    x, y = place
    pen.text(place, name, fill=INK, font=_font(14))
    if picture is None:
        pen.rectangle((x, y + LINE, x + CELL - 1, y + LINE + CELL - 1), outline=FAINT)
    else:
        sheet.paste(picture.resize((CELL, CELL), Image.Resampling.LANCZOS), (x, y + LINE))


def _words(answer: Collected) -> str:
    """Caption and answer, wrapped to the column."""
    caption = answer.manifest.caption if answer.manifest is not None else None
    parts = [f"Caption: {caption}"] if caption else []
    parts.append(f"Answer: {answer.text.replace('**', '').strip()}")
    return "\n\n".join(textwrap.fill(part, 42) for part in parts)


def _picture(images: ImageStore, sha256: str) -> Image.Image:
    return Image.open(io.BytesIO(images.get(sha256))).convert("RGB")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that Pillow carries."""
    return ImageFont.load_default(size)
