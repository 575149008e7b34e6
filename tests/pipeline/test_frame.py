"""Where a picture is drawn and how it is laid back: arithmetic on masks and pixels, without a model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.frame import frame_around, lay_in


def disc(height: int, width: int, y: float, x: float, radius: float) -> np.ndarray:
    rows, cols = np.mgrid[:height, :width]
    return (rows - y) ** 2 + (cols - x) ** 2 <= radius**2


shapes = st.tuples(st.integers(64, 200), st.integers(64, 200), st.floats(0, 1), st.floats(0, 1), st.floats(0.02, 0.6))


@given(shape=shapes)
@settings(max_examples=40, deadline=None)
def test_the_frame_holds_the_whole_area(shape: tuple[int, int, float, float, float]) -> None:
    height, width, y, x, radius = shape
    mask = disc(height, width, y * (height - 1), x * (width - 1), max(1.0, radius * min(height, width)))
    frame = frame_around(mask)
    x0, y0, x1, y1 = frame.box
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    assert (frame.area & mask).sum() == mask.sum(), "the area to redraw covers the lesion"
    lesion_outside = mask.copy()
    lesion_outside[y0:y1, x0:x1] = False
    assert not lesion_outside.any()


@given(shape=shapes, seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_outside_the_area_not_one_pixel_changes(shape: tuple[int, int, float, float, float], seed: int) -> None:
    height, width, y, x, radius = shape
    rng = np.random.default_rng(seed)
    photo = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    drawn = Image.fromarray(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8))
    frame = frame_around(disc(height, width, y * (height - 1), x * (width - 1), max(1.0, radius * min(height, width))))
    out = np.asarray(lay_in(photo, drawn, frame))
    assert np.array_equal(out[~frame.area], np.asarray(photo)[~frame.area])


def test_the_middle_of_the_area_is_the_drawing() -> None:
    frame = frame_around(disc(120, 120, 60, 60, 30))
    x0, y0, x1, y1 = frame.box
    red = Image.new("RGB", (120, 120), (200, 0, 0))
    drawn = np.asarray(red.crop(frame.box)).copy()
    drawn[frame.area[y0:y1, x0:x1]] = (0, 0, 200)
    out = np.asarray(lay_in(red, Image.fromarray(drawn), frame))
    assert out[60, 60].tolist() == [0, 0, 200]
    assert out[2, 2].tolist() == [200, 0, 0]


def test_a_shift_of_tone_around_the_area_is_taken_back() -> None:
    """Skin that came out of the VAE 8 levels too bright is laid in as it was, and so leaves no seam."""
    frame = frame_around(disc(160, 160, 80, 80, 35))
    photo, bright = Image.new("RGB", (160, 160), (150, 120, 100)), Image.new("RGB", (96, 96), (158, 128, 108))
    out = np.asarray(lay_in(photo, bright, frame)).astype(int)
    assert np.abs(out - (150, 120, 100)).max() <= 1


def test_the_seam_has_no_step() -> None:
    """A drawing equal to the photo leaves it as it was; a different one is reached gradually."""
    mask = disc(200, 200, 100, 100, 50)
    frame = frame_around(mask)
    grey = Image.new("RGB", (200, 200), (100, 100, 100))
    assert np.array_equal(
        np.asarray(lay_in(grey, Image.new("RGB", (96, 96), (100, 100, 100)), frame)), np.asarray(grey)
    )
    line = np.asarray(lay_in(grey, Image.new("RGB", (96, 96), (180, 180, 180)), frame))[100, :, 0].astype(int)
    assert np.abs(np.diff(line)).max() <= 80 / 3


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="mask is empty"):
        frame_around(np.zeros((64, 64), dtype=bool))


def test_lesions_close_together_are_one_area_and_distant_ones_are_not() -> None:
    spots = disc(200, 200, 90, 90, 8) | disc(200, 200, 90, 112, 8) | disc(200, 200, 110, 100, 8)
    assert frame_around(spots).area[96, 100]
    apart = disc(200, 200, 20, 20, 8) | disc(200, 200, 180, 180, 8)
    assert not frame_around(apart).area[100, 100]


def test_a_large_photo_gives_the_same_area_as_its_lesion_alone() -> None:
    """Only the surroundings of the mask are looked at; what lies far away changes nothing."""
    near = frame_around(disc(200, 200, 100, 100, 20)).area
    wide = frame_around(disc(800, 900, 400, 500, 20)).area
    assert np.array_equal(wide[300:500, 400:600], near)
    assert wide.sum() == near.sum()
