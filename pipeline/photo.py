"""Foreign bytes -> a clean photo: the only decoder of foreign bytes.

Whatever a participant uploads is judged by its content (never by its name), refused from its header
when it is too large, decoded once and in full, turned upright, converted to 8-bit sRGB, made at most
`MAX_SIDE` pixels long, and re-encoded as a PNG without any metadata. The same bytes give the same PNG.

Errors, all `PhotoError`, with a sentence for the participant and a `reason` code for the log:

    PhotoError
      NotAPhoto      not_a_photo    not a JPEG, PNG, WebP or HEIC, whatever its name says
      DamagedPhoto   damaged        recognised, but it cannot be decoded to the end
      PhotoTooLarge  too_large      more bytes or more pixels than the limits
      PhotoTooSmall  too_small      shorter side under `MIN_SIDE`
      PhotoTooLong   too_long       sides further apart than `MAX_ASPECT`
      PhotoMoves     animated       more than one picture, shown in turn
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 64_000_000
"""Room for the 48- and 50-megapixel cameras of phones; 192 MB when decoded to RGB."""
MIN_SIDE = 32
MAX_SIDE = 1024
MAX_ASPECT = 5.0
MAX_JPEG_SCANS = 200
"""A progressive JPEG has about ten. Each costs a pass over all pixels, so thousands of tiny scans would
keep a decoder busy for hours within the byte limit."""

FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
"""JPEG includes MPO, which many phones write for .jpg: a JPEG with a second view appended, opened by the
same plugin; its first picture counts."""

ACCEPTED = "JPEG, PNG, WebP or HEIC"

pillow_heif.register_heif_opener(thumbnails=False)

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what turns the picture upright (EXIF 2.32, tag 0x0112)."""


class PhotoError(ValueError):
    """A photo was refused. `str(error)` is what the participant reads."""

    reason: ClassVar[str] = "photo"


class NotAPhoto(PhotoError):
    """The content is none of the accepted formats."""

    reason = "not_a_photo"


class DamagedPhoto(PhotoError):
    """The content starts like a photo but cannot be decoded to its end."""

    reason = "damaged"


class PhotoTooLarge(PhotoError):
    """More bytes or more pixels than allowed."""

    reason = "too_large"


class PhotoTooSmall(PhotoError):
    """Too few pixels to see skin on."""

    reason = "too_small"


class PhotoTooLong(PhotoError):
    """A strip, not a photo."""

    reason = "too_long"


class PhotoMoves(PhotoError):
    """An animation."""

    reason = "animated"


@dataclass(frozen=True)
class CleanPhoto:
    """An upright 8-bit sRGB PNG without metadata, named by the SHA-256 (hex) of its bytes."""

    png: bytes
    sha256: str
    width: int
    height: int


def clean_photo(data: bytes, max_side: int = MAX_SIDE) -> CleanPhoto:
    """Decode foreign bytes and return the photo every later step works on.

    ``max_side``: the longer side of the result in pixels, at most; smaller photos are not enlarged.
    Raises a subclass of `PhotoError`; nothing else for any bytes.
    """
    _check_bytes(data)
    image = _open(data)
    _check_header(image)
    image = _decode(image, max_side)
    image = _turned_upright(image)
    image = _eight_bit(image)
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    image = _on_white(_to_srgb(image))
    return _encoded(image)


def _check_bytes(data: bytes) -> None:
    if not data:
        raise NotAPhoto(f"The file is empty. Choose a {ACCEPTED} photo.")
    if len(data) > MAX_BYTES:
        raise PhotoTooLarge(
            f"The file has {len(data) / 2**20:.0f} MB; the limit is {MAX_BYTES // 2**20} MB. Choose a smaller photo."
        )
    # Inside compressed data an FF byte is always followed by 00, so FF DA occurs only as a scan's marker.
    if data.startswith(b"\xff\xd8") and data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise DamagedPhoto("This photo is stored in an unusual way. Save it again as JPEG and choose that.")


def _open(data: bytes) -> Image.Image:
    """Read the header only. Pillow's own bomb checks fire above our limit, so they mean "too large"."""
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except Exception as error:  # decoders raise whatever foreign bytes make them raise
        raise NotAPhoto(f"This file cannot be opened as a photo. Choose a {ACCEPTED} photo.") from error


def _too_many_pixels() -> PhotoTooLarge:
    return PhotoTooLarge(
        f"The photo has more than {MAX_PIXELS // 1_000_000} megapixels. Choose a smaller version of it."
    )


def _check_header(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels()
    if min(width, height) < MIN_SIDE:
        raise PhotoTooSmall(
            f"The photo is {width} × {height} pixels; each side needs at least {MIN_SIDE}. Choose a larger photo."
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise PhotoTooLong(
            f"The photo is {width} × {height} pixels, too long and narrow. Choose a less narrow part of it."
        )
    if image.format in ("PNG", "WEBP") and getattr(image, "n_frames", 1) > 1:
        raise PhotoMoves(f"This is a moving picture. Choose a still {ACCEPTED} photo.")


def _decode(image: Image.Image, max_side: int) -> Image.Image:
    """All pixels, so that a truncated file is found out (`verify()` lets truncated JPEGs pass)."""
    try:
        image.draft(None, (2 * max_side, 2 * max_side))  # a large JPEG is decoded at 1/2, 1/4 or 1/8
        image.load()
    except Exception as error:  # as in _open
        raise DamagedPhoto("The photo is damaged or incomplete. Choose it again or take another.") from error
    return image


def _turned_upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(0x0112, 1)
    except Exception:  # unreadable EXIF is no reason to refuse a readable photo: it is dropped anyway
        orientation = 1
    turn = _UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


def _eight_bit(image: Image.Image) -> Image.Image:
    """L, LA, RGB, RGBA or CMYK with 8 bits a channel; palettes and transparent colours resolved.

    16-bit grey is scaled 65535 -> 255, rounded. (16-bit colour PNG never gets here: Pillow keeps the
    high byte when it decodes.)
    """
    if image.mode.startswith("I"):
        grey = np.clip(np.asarray(image, dtype=np.int64), 0, 65535)
        return _with_profile(Image.fromarray(((grey * 255 + 32767) // 65535).astype(np.uint8)), image)
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK") and "transparency" not in image.info:
        return image
    has_alpha = "transparency" in image.info or image.mode in ("PA", "La", "RGBa")
    return _with_profile(image.convert("RGBA" if has_alpha else "RGB"), image)


def _with_profile(image: Image.Image, source: Image.Image) -> Image.Image:
    image.info = {key: source.info[key] for key in ("icc_profile",) if source.info.get(key)}
    return image


def _to_srgb(image: Image.Image) -> Image.Image:
    """By the embedded colour profile when there is a usable one (an iPhone's is Display P3), else by Pillow.

    A CMYK JPEG without a profile becomes R = 255 - min(255, C + K) and so on.
    """
    mode = "RGBA" if image.mode in ("LA", "RGBA") else "RGB"
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "RGBA", "CMYK"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode=mode)
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # a broken or foreign profile: the numbers are taken as sRGB
    return image.convert(mode)


_SRGB = ImageCms.createProfile("sRGB")


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")


def _encoded(image: Image.Image) -> CleanPhoto:
    """Rebuilt from its pixels alone, so that nothing of the original's metadata can come along."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", image.size, image.tobytes()).save(buffer, "PNG", compress_level=6)
    png = buffer.getvalue()
    return CleanPhoto(png, hashlib.sha256(png).hexdigest(), image.width, image.height)
