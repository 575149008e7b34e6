"""A painted canvas -> a photograph: light on a body's shape, artefacts, and a camera."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from pipeline.phantom import scene
from pipeline.phantom.canvas import Canvas, Rng, coordinates, noise
from pipeline.phantom.optics import Field, encode, reflectance

HAIR = np.array([0.03, 0.022, 0.018], dtype=np.float32)
"""Linear colour of hair."""


@dataclass(frozen=True)
class Light:
    """One lamp and what the room gives back."""

    x: float
    """Direction that the light comes from, in the picture's plane; unit length with ``y``."""
    y: float
    slant: float
    """Sine of the angle from the camera's axis: small for a flash on the camera, large for a window."""
    ambient: float
    """0 to 1: share of light from everywhere."""
    falloff: float
    """How much darker the far side (window) or the corners (flash) are, 0 to 1."""
    flash: bool
    sheen: float
    """Strength of the mirror image of the lamp on greasy skin, linear light; 0 on most pictures."""

    @classmethod
    def random(cls, rng: Rng) -> Light:
        flash, turn = rng.random() < 0.45, float(rng.uniform(0, 2 * np.pi))
        slant = float(rng.uniform(0.12, 0.25) if flash else rng.uniform(0.35, 0.55))
        ambient = float(rng.uniform(0.45, 0.7))
        falloff = float(rng.uniform(0.0, 0.22))
        sheen = float(rng.uniform(0.04, 0.1)) if rng.random() < 0.5 else 0.0
        return cls(float(np.cos(turn)), float(np.sin(turn)), slant, ambient, falloff, flash, sheen)


def photograph(c: Canvas, rng: Rng, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The picture, (size, size, 3) sRGB, and the mask of the lesion that can be seen in it, (size, size)."""
    light, body = Light.random(rng), scene.body(rng, c.mask)
    colour = _colour(c)
    exposure = _exposure(colour, c.mask) * float(rng.uniform(0.9, 1.1))
    linear = _lit(c, rng, colour, light, body)
    cover = scene.hairs(rng, c.size)[..., None]
    linear = np.asarray(linear * (1 - cover) + HAIR * cover, dtype=np.float32) * np.float32(exposure)
    linear = scene.behind(rng, c.size, linear, body.skin)
    linear, mask = scene.ruler(rng, linear, c.mask * body.skin)
    linear, mask = scene.sticker(rng, linear, mask)
    return _camera(rng, linear, light.flash, seed), mask > 0.5


def _colour(c: Canvas) -> Field:
    """Linear colour under even light, (size, size, 3)."""
    linear = reflectance(
        np.clip(c.melanin, 0.001, 0.9),
        np.clip(c.blood, 0.001, 0.2),
        np.clip(c.saturation, 0.05, 0.95),
        c.deep,
    )
    # scale and pus lie on or in the skin: on dark skin they are seen through more melanin
    veil = 0.45 + 0.55 * min(1.0, float(linear.mean()) / 0.35)
    keratin, pus = np.clip(c.keratin, 0, 1)[..., None], np.clip(c.pus, 0, 1)[..., None]
    linear = linear * (1 - 0.75 * keratin) + np.array([0.70, 0.66, 0.62], dtype=np.float32) * 0.75 * veil * keratin
    linear = linear * (1 - pus) + np.array([0.70, 0.60, 0.36], dtype=np.float32) * veil * pus
    return np.asarray(linear + np.float32(0.022), dtype=np.float32)  # what any surface mirrors (Fresnel), colourless


def _exposure(colour: Field, mask: Field) -> float:
    """A camera that half-compensates: dark skin stays dark, but no photo is black or burnt out.

    It meters the skin around the lesion, so that the same skin looks the same beside any lesion.
    """
    weight = 1.05 - mask
    mean = float((colour.mean(-1) * weight).sum() / weight.sum())
    return 0.82 * mean**-0.45 * 0.33**0.45


def _lit(c: Canvas, rng: Rng, colour: Field, light: Light, body: scene.Body) -> Field:
    """Shading of the body's shape and of the lesion's relief, and what shines."""
    x, y = coordinates(c.size)
    grain = noise(rng, c.size, 24, 2)
    slope, _ = _slopes(c.height + grain * np.float32(0.07), light, 1 / 160)
    up = np.sqrt(np.clip(1 - body.tilt_x**2 - body.tilt_y**2, 0, 1))
    straight = (1 - light.slant**2) ** 0.5
    facing = light.slant * (body.tilt_x * light.x + body.tilt_y * light.y) + straight * up
    shape = light.ambient + (1 - light.ambient) * np.clip(facing, 0, None) / straight
    far = 0.5 * (x * x + y * y) if light.flash else -(x * light.x + y * light.y)
    shade = np.clip(1 + slope * (0.7 if light.flash else 0.95), 0.4, 1.5) * shape * (1 - light.falloff * far)
    # a facet mirrors the lamp when it leans to it, and only to it, by half the lamp's angle
    rise, aslant = _slopes(c.height, light, 1 / 70)
    shine = np.exp(-((rise - 0.1) ** 2 + aslant**2) / 0.07**2) * np.clip(c.gloss, 0, 1) * 0.42 + c.mirror
    shine += _sheen(rng, x, y, light, body) * np.clip(1 + 0.22 * grain, 0.3, 2)
    return np.asarray(colour * shade[..., None] + shine[..., None], dtype=np.float32)


def _slopes(relief: Field, light: Light, smooth: float) -> tuple[Field, Field]:
    """Rise towards the light and across it, per 96th of the picture; ``smooth`` is a part of the picture."""
    gy, gx = np.gradient(gaussian_filter(relief, relief.shape[0] * smooth))
    gy, gx = (np.asarray(g * (relief.shape[0] / 96), dtype=np.float32) for g in (gy, gx))
    return -(gx * light.x + gy * light.y), gy * light.x - gx * light.y


def _sheen(rng: Rng, x: Field, y: Field, light: Light, body: scene.Body) -> Field:
    """The soft bright streak on greasy or moist skin."""
    px, py = (float(v) for v in rng.uniform(-0.9, 0.9, 2))
    lean, wide = float(rng.uniform(0, np.pi)), float(rng.uniform(0.25, 0.4))
    if body.site == "flat":
        u = (x - px) * np.cos(lean) + (y - py) * np.sin(lean)
        v = (y - py) * np.cos(lean) - (x - px) * np.sin(lean)
        spot = np.exp(-((u / (2 * wide)) ** 2) - (v / wide) ** 2)
    else:
        half = light.slant / 2
        off = (body.tilt_x - half * light.x) ** 2 + (body.tilt_y - half * light.y) ** 2
        spot = np.exp(-off / np.float32(0.05 * wide))
    return np.asarray(light.sheen * spot, dtype=np.float32)


def _camera(rng: Rng, linear: Field, flash: bool, seed: int) -> NDArray[np.uint8]:
    """White balance, focus, sensor noise, and on three pictures of ten the traces of JPEG."""
    size = linear.shape[0]
    warm = 0.0 if flash else float(rng.uniform(0, 0.03))
    cast = np.array([rng.normal(1 + warm, 0.02), 1.0, rng.normal(1 - 1.5 * warm, 0.03)], dtype=np.float32)
    linear = linear * cast
    blur = float(rng.uniform(0.0, 0.7)) * size / 96
    compressed, quality = rng.random() < 0.3, int(rng.integers(55, 91))
    if blur > 0.2:
        linear = gaussian_filter(linear, (blur, blur, 0))
    sensor = np.random.default_rng([0x5C2, seed])
    grain = sensor.standard_normal(linear.shape).astype(np.float32) * float(rng.uniform(0.003, 0.012))
    image = encode(linear + grain * np.sqrt(np.clip(linear, 0.02, 1)))
    return _jpeg(image, quality) if compressed else image


def _jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))
