"""Phantoms: pure functions of a seed, with masks, colours and words that are true of the pixels."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import distance_transform_edt

from pipeline.phantom import HELD_OUT, LABELS, SKIN_TYPES, STRANGE, draw, scene
from pipeline.phantom.canvas import Canvas
from pipeline.phantom.lesions import PAINTERS
from pipeline.phantom.optics import MELANIN_BY_TYPE, encode, reflectance
from pipeline.profile import load_profile
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
    assert hashlib.sha256(sheet).hexdigest() == "4c7c7dbbac780b0ef8ca96018d8610752bb32ea068c00806c49eb2ba2c974d42"


@pytest.mark.parametrize("label", sorted(PAINTERS))
def test_one_scene_at_every_size(label: str) -> None:
    small, large = draw(11, 64, label, 3), draw(11, 192, label, 3)
    shrunk = np.asarray(Image.fromarray(large.image).resize((64, 64), Image.Resampling.BOX), dtype=float)
    assert np.abs(shrunk - small.image).mean() < 9
    mask = np.asarray(Image.fromarray(large.mask).resize((64, 64), Image.Resampling.BOX))
    assert (mask & small.mask).sum() / (mask | small.mask).sum() > 0.6


@pytest.mark.parametrize("label", sorted(PAINTERS))
def test_the_lesion_is_where_the_mask_says(label: str) -> None:
    """Against clear skin of the same seed the picture changes inside the mask, and hardly outside it."""
    inside, outside = [], []
    for seed, skin_type in itertools.product((21, 22, 23), SKIN_TYPES):
        sick, clear = draw(seed, 96, label, skin_type), draw(seed, 96, None, skin_type)
        assert 0.01 < sick.mask.mean() < 0.75
        change = np.abs(sick.image.astype(float) - clear.image).sum(-1)
        inside.append(change[sick.mask].mean())
        outside.append(change[~sick.mask].mean())
    assert np.median(inside) > 30
    assert np.median(inside) > 3 * np.median(outside)


@pytest.mark.parametrize("label", sorted(PAINTERS))
def test_lesions_are_large_enough_to_be_masked(label: str) -> None:
    """On every type a lesion is there, and where it is thickest it is at least seven pixels across at 96."""
    for seed, skin_type in itertools.product((31, 47), SKIN_TYPES):
        mask = draw(seed, 96, label, skin_type).mask
        assert mask.mean() > 0.01
        # in a picture of many lesions the typical one counts: small parts cut by the picture's edge do not
        thickest = distance_transform_edt(np.pad(mask, 1, mode="edge")).max()
        assert thickest >= 3.5, (seed, skin_type)


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


def _first(make: Callable[[np.random.Generator], object], wanted: Callable[[object], bool]) -> object:
    """What ``make`` gives for the first of 400 seeds whose result is wanted."""
    return next(made for made in (make(np.random.default_rng(s)) for s in range(400)) if wanted(made))


@pytest.mark.parametrize("artefact", [scene.ruler, scene.sticker])
def test_what_an_artefact_hides_is_not_masked(artefact: Callable) -> None:
    """A grey picture, all of its middle lesion: where the colour changed, the mask is gone."""
    grey = np.full((96, 96, 3), 0.3, dtype=np.float32)
    mask = np.zeros((96, 96), dtype=np.float32)
    mask[8:88, 8:88] = 1
    if artefact is scene.sticker:
        mask[:, :40] = 0  # a sticker needs room beside the lesion
    picture, left = _first(lambda rng: artefact(rng, grey, mask), lambda made: made[0] is not grey)
    covered = np.abs(picture - grey).max(-1) > 0.15
    assert 0.005 < covered.mean() < 0.2
    assert not (covered & (left > 0.5)).any()
    assert left.sum() >= (1 - scene.HIDDEN_AT_MOST) * mask.sum()


def test_artefacts_are_as_rare_as_they_say() -> None:
    grey, mask = np.full((32, 32, 3), 0.3, dtype=np.float32), np.zeros((32, 32), dtype=np.float32)
    rates = [
        np.mean([artefact(np.random.default_rng(s), grey, mask)[0] is not grey for s in range(1500)])
        for artefact in (scene.ruler, scene.sticker)
    ]
    assert 0.05 < rates[0] < 0.09
    assert 0.018 < rates[1] < 0.042


def test_the_end_of_a_limb_keeps_clear_of_the_lesion() -> None:
    mask = np.zeros((64, 64), dtype=np.float32)
    mask[20:44, 4:60] = 1
    bodies = [scene.body(np.random.default_rng(s), mask) for s in range(60)]
    assert {b.site for b in bodies} == set(scene.SITES)
    for b in bodies:
        assert (mask * b.skin).sum() >= (1 - scene.HIDDEN_AT_MOST) * mask.sum()
        assert (b.skin.min() < 0.5) == (b.site == "limb's edge")
        assert (b.tilt_x**2 + b.tilt_y**2).max() <= 1
    everywhere = np.ones((64, 64), dtype=np.float32)
    seen = [scene.body(np.random.default_rng(s), everywhere) for s in range(60)]
    assert all((everywhere * b.skin).sum() >= (1 - scene.HIDDEN_AT_MOST) * 64 * 64 for b in seen)


def test_the_profile_knows_the_drawn_labels() -> None:
    knowledge = {k.label: k for k in load_profile("phantom").knowledge}
    assert set(knowledge) == set(LABELS)
    for label, about in knowledge.items():
        assert len(about.look_alikes) == 3
        assert set(about.look_alikes) <= set(LABELS) - {label}
        shown = set().union(*(draw(s, 32, label).concepts for s in range(12)))
        assert set(about.concepts) <= shown, label


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


@pytest.mark.parametrize("extent", [0.45, 0.7])
def test_a_farther_camera_shows_a_smaller_lesion_on_the_same_skin(extent: float) -> None:
    for label in LABELS:
        near, far = draw(31, 96, label, 3), draw(31, 96, label, 3, extent)
        rows, cols = np.flatnonzero(far.mask.any(1)), np.flatnonzero(far.mask.any(0))
        assert max(np.ptp(rows), np.ptp(cols)) + 1 <= round(96 * extent)
        assert 0 < far.mask.sum() < near.mask.sum()
        assert far.caption == near.caption


def test_a_rash_that_is_far_away_ends_softly_within_the_picture() -> None:
    """No straight border: the mask's rows and columns at its ends hold few of its pixels."""
    for seed in range(6):
        mask = draw(seed, 96, "keratosis pilaris", 2, 0.6).mask
        rows = np.flatnonzero(mask.any(1))
        assert mask[rows[0]].sum() < mask.sum(1).max() * 0.8 + 3


def test_strange_lesions_are_lesions_without_a_name_or_concepts() -> None:
    pictures = [draw(seed, 64, STRANGE, seed % 6 + 1) for seed in range(24)]
    assert all(p.mask.any() and not p.concepts for p in pictures)
    assert len({p.image.tobytes() for p in pictures}) == 24
    assert STRANGE not in LABELS


def test_an_extent_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="extent is 0"):
        draw(1, 64, "psoriasis", 2, 0.1)
