"""Where a picture is drawn and how it is laid back: arithmetic on masks and pixels, without a model.

A square around the affected area is redrawn; the drawing goes back into the photo with a soft seam inside the area,
so that outside it not one pixel changes. What depends on the area alone is computed once per photo, because every
preview and every picture of an answer shares it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter

Area = NDArray[np.bool_]
Pixels = NDArray[np.float32]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Frame:
    """The square of the photo that is redrawn, and where in it."""

    box: Box
    area: Area
    """(H, W) of the whole photo: what may change"""
    alpha: Pixels
    """(h, w) of the box, 0 to 1: how much of the drawing shows; 0 outside the area"""


def frame_around(
    mask: Area, margin: float = 0.08, context: float = 1.5, least: float = 0.4, feather: float = 0.03
) -> Frame:
    """Area to redraw (the mask and a margin) and the square around it with its surroundings.

    Lesions that lie close together become one area, so that a single large one can be drawn in place of many small.
    margin: dilation as a share of the affected area's extent; context: side of the square over that extent; least:
    smallest side as a share of the photo's shorter side; feather: width of the seam as a share of the square's side.
    Raises ValueError for an empty mask.
    """
    if not mask.any():
        raise ValueError("the mask is empty: there is no area to draw on")
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    extent = int(max(rows[-1] - rows[0], cols[-1] - cols[0])) + 1
    area = _area_around(mask, (cols[0], rows[0], cols[-1] + 1, rows[-1] + 1), max(3.0, extent * margin))
    box = _square_around(mask.shape, rows, cols, int(max(extent * context, least * min(mask.shape))))
    x0, y0, x1, y1 = box
    inside = distance_transform_edt(np.pad(area[y0:y1, x0:x1], 1, mode="edge"))[1:-1, 1:-1]
    alpha = np.clip(inside / max(1.0, feather * (x1 - x0)), 0, 1).astype(np.float32)
    return Frame(box, area, alpha)


def _square_around(shape: tuple[int, ...], rows: NDArray[np.intp], cols: NDArray[np.intp], side: int) -> Box:
    """The square over the mask's middle, moved into the photo; the whole photo when it would not fit."""
    height, width = shape
    if side >= min(height, width):
        return 0, 0, width, height
    x0 = int(np.clip((cols[0] + cols[-1]) // 2 - side // 2, 0, width - side))
    y0 = int(np.clip((rows[0] + rows[-1]) // 2 - side // 2, 0, height - side))
    return x0, y0, x0 + side, y0 + side


def _area_around(mask: Area, bounds: Box, reach: float) -> Area:
    """The mask joined, widened by ``reach`` pixels and smoothed; looked at only where that can change anything."""
    far = int(6 * reach) + 2
    window = (
        slice(max(0, bounds[1] - far), bounds[3] + far),
        slice(max(0, bounds[0] - far), bounds[2] + far),
    )
    near = mask[window]
    soft = gaussian_filter((distance_transform_edt(~_joined(near, 2 * reach)) <= reach).astype(np.float32), reach / 2)
    area = mask.copy()
    area[window] |= soft > 0.35
    return area


def _joined(mask: Area, gap: float) -> Area:
    """Morphological closing with a disc of radius ``gap`` pixels."""
    rim = int(gap) + 1
    near = distance_transform_edt(~np.pad(mask, rim)) <= gap
    closed: Area = (distance_transform_edt(near) > gap)[rim:-rim, rim:-rim]
    return closed | mask


def cut_out(photo: Image.Image, frame: Frame, side: int) -> tuple[Image.Image, Image.Image]:
    """What the generator is given: the square of the photo and its area (0 or 255), ``side`` pixels each."""
    piece = photo.crop(frame.box).resize((side, side), Image.Resampling.LANCZOS)
    area = Image.fromarray(frame.area.astype(np.uint8) * 255).crop(frame.box)
    return piece, area.resize((side, side), Image.Resampling.BILINEAR).point(lambda v: 255 if v >= 128 else 0)


def lay_in(photo: Image.Image, drawn: Image.Image, frame: Frame) -> Image.Image:
    """``drawn`` scaled into the frame and blended over the seam; outside the area the photo stays to the pixel."""
    square = photo.crop(frame.box)
    piece = np.asarray(drawn.resize(square.size, Image.Resampling.LANCZOS), dtype=np.float32)
    piece += _tone_shift(square.resize(drawn.size, Image.Resampling.BOX), drawn, frame, square.size)
    original, alpha = np.asarray(square, dtype=np.float32), frame.alpha[..., None]
    mixed = np.clip(original * (1 - alpha) + piece * alpha, 0, 255) + 0.5
    out = photo.copy()
    out.paste(Image.fromarray(mixed.astype(np.uint8)), frame.box[:2])
    return out


def _tone_shift(
    original: Image.Image, drawn: Image.Image, frame: Frame, size: tuple[int, int], most: float = 12.0
) -> Pixels:
    """How the drawing differs from the photo around the area, smoothly, by ``most`` of 255 levels at most: (h, w, 3).

    What lies outside the area is the same skin in both; where the two differ there, the VAE has shifted its tone, and
    the same shift would show as a seam. It is as smooth as a tenth of the side, so it is found at the drawing's size.
    """
    x0, y0, x1, y1 = frame.box
    outside = Image.fromarray((~frame.area[y0:y1, x0:x1]).astype(np.float32)).resize(drawn.size, Image.Resampling.BOX)
    around = np.asarray(outside, dtype=np.float32)
    around = np.where(around > 0.99, around, 0)  # a pixel that is partly inside is not the same skin
    if float(around.mean()) < 0.02:
        return np.zeros((size[1], size[0], 3), dtype=np.float32)
    reach = 0.1 * max(drawn.size)
    gap = (np.asarray(original, dtype=np.float32) - np.asarray(drawn, dtype=np.float32)) * around[..., None]
    overall = gap.sum((0, 1)) / around.sum()
    near = gaussian_filter(around, reach)[..., None]
    # deep inside the area nothing around it is near: there the overall shift counts
    shift = (gaussian_filter(gap, (reach, reach, 0)) + 0.01 * overall) / (near + 0.01)
    planes = np.clip(shift, -most, most).astype(np.float32)
    scaled = [np.asarray(Image.fromarray(planes[..., c]).resize(size, Image.Resampling.BILINEAR)) for c in range(3)]
    return np.stack(scaled, axis=-1)
