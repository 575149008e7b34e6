"""Phantoms: pure functions of a seed, with masks, colours and words that are true of the pixels."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.phantom import HELD_OUT, LABELS, SKIN_TYPES, draw
from pipeline.phantom.canvas import Canvas
from pipeline.phantom.lesions import PAINTERS
from pipeline.phantom.optics import MELANIN_BY_TYPE, encode, reflectance
from pipeline.wording import PHRASES

FITZPATRICK17K = {
    "acne vulgaris", "basal cell carcinoma", "erythema multiforme", "granuloma annulare", "keloid",
    "kaposi sarcoma", "keratosis pilaris", "lichen planus", "malignant melanoma", "nevocytic nevus", "port wine stain",
    "psoriasis", "pyogenic granuloma", "seborrheic keratosis", "striae", "urticaria", "vitiligo",
}  # fmt: skip
"""Labels of Fitzpatrick17k (Groh et al. 2021) that are drawn; copied from the data set's label list."""


def luminance(image: np.ndarray) -> float:
    return float(image.astype(float).mean())


def test_labels_are_fitzpatrick17ks() -> None:
    assert set(LABELS) | {HELD_OUT} == FITZPATRICK17K
    assert len(LABELS) >= 12
    assert HELD_OUT not in LABELS


@given(seed=st.integers(0, 10**9))
@settings(max_examples=15, deadline=None)
def test_the_same_seed_is_the_same_picture(seed: int) -> None:
    first, second = draw(seed, 64), draw(seed, 64)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.mask, second.mask)
    assert (first.label, first.skin_type, first.caption) == (second.label, second.skin_type, second.caption)


def test_pixels_do_not_change_between_versions() -> None:
    """Recipes, cards and the case library name seeds: a change of any pixel is a change of all of them."""
    sheet = b"".join(draw(seed, 32).mask.tobytes() for seed in range(12))
    assert hashlib.sha256(sheet).hexdigest() == "57c7b3f455a45566adfa3a40a47b58d26c0d8ca5d1a211954c945f32d330b9b5"


@pytest.mark.parametrize("label", sorted(PAINTERS))
def test_one_scene_at_every_size(label: str) -> None:
    small, large = draw(11, 64, label, 3), draw(11, 192, label, 3)
    shrunk = np.asarray(Image.fromarray(large.image).resize((64, 64), Image.Resampling.BOX), dtype=float)
    assert np.abs(shrunk - small.image).mean() < 9
    mask = np.asarray(Image.fromarray(large.mask).resize((64, 64), Image.Resampling.BOX))
    assert (mask & small.mask).sum() / (mask | small.mask).sum() > 0.6


@pytest.mark.parametrize("label", sorted(PAINTERS))
def test_the_lesion_is_where_the_mask_says(label: str) -> None:
    """Averaged over types, the lesion differs from clear skin of the same seed, and only there."""
    inside, outside = [], []
    for skin_type in SKIN_TYPES:
        sick = draw(21, 96, label, skin_type)
        assert 0.01 < sick.mask.mean() < 0.75
        change = _change(sick.image)
        inside.append(change[sick.mask].mean())
        outside.append(change[~sick.mask].mean())
    assert np.mean(inside) > 1.2 * np.mean(outside)


def _change(image: np.ndarray) -> np.ndarray:
    """Distance of every pixel from the picture's median colour."""
    return np.abs(image.astype(float) - np.median(image.reshape(-1, 3), axis=0)).sum(-1)


def test_darker_types_are_darker() -> None:
    mean = [np.mean([luminance(draw(s, 48, None, t).image) for s in range(12)]) for t in SKIN_TYPES]
    assert all(a > b + 3 for a, b in itertools.pairwise(mean)), mean


def test_more_melanin_darkens_and_more_blood_reddens() -> None:
    def colour(melanin: float, blood: float) -> np.ndarray:
        field = [np.full((2, 2), v, dtype=np.float32) for v in (melanin, blood, 0.75, 0.0)]
        return reflectance(*field)[0, 0]

    for (low, high), (next_low, _) in itertools.pairwise(MELANIN_BY_TYPE):
        assert low < high < next_low
        assert (colour(low, 0.01) > colour(high, 0.01)).all()
    pale, red = colour(0.02, 0.005), colour(0.02, 0.05)
    assert red[1] / red[0] < pale[1] / pale[0], "blood absorbs green more than red"
    assert (colour(0.02, 0.01) >= 0).all()
    assert (colour(0.02, 0.01) <= 1).all()


def test_encoding_is_srgb() -> None:
    linear = np.array([[[0.0, 0.0031308, 0.215861], [1.0, 2.0, -1.0]]], dtype=np.float32)
    assert encode(linear).tolist() == [[[0, 10, 128], [255, 255, 0]]]


def test_words_are_true_of_the_picture() -> None:
    for seed in range(40):
        phantom = draw(seed, 32)
        assert set(phantom.concepts) <= set(PHRASES)
        assert all(PHRASES[c] in phantom.caption for c in phantom.concepts)
    clear = draw(1, 32, None, 6)
    assert clear.label is None
    assert not clear.mask.any()
    assert clear.caption == "clear dark brown skin"


def test_painters_only_add_to_the_mask() -> None:
    flat = np.full((32, 32), 0.02, dtype=np.float32)
    for paint in PAINTERS.values():
        canvas = Canvas.of_skin(32, flat.copy(), flat.copy())
        paint(canvas, np.random.default_rng(0))
        assert canvas.mask.min() >= 0
        assert canvas.mask.max() <= 1.001
        assert canvas.concepts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 16}, "at least 32"),
        ({"label": "measles"}, "no phantom of 'measles'"),
        ({"skin_type": 7}, "types are 1 to 6"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(1, **arguments)
