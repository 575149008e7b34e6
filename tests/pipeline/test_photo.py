"""Every kind of bytes a participant may send: what comes out is clean, or a plain refusal."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

from pipeline import photo
from pipeline.photo import CleanPhoto, PhotoError, clean_photo

CORNER = (200, 30, 40)
SKIN = (220, 180, 150)


def drawn(width: int = 96, height: int = 64) -> Image.Image:
    """Skin with a red square in the upper left corner, so that a turn shows."""
    image = Image.new("RGB", (width, height), SKIN)
    ImageDraw.Draw(image).rectangle((0, 0, width // 4, height // 4), fill=CORNER)
    return image


def encoded(image: Image.Image, fmt: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def pixels(clean: CleanPhoto) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(clean.png))).astype(int)


def chunks(png: bytes) -> list[bytes]:
    names, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        names.append(png[at + 4 : at + 8])
        at += 12 + length
    return names


def png_of(width: int, height: int, bit_depth: int, colour: int, rows: bytes) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def refusal(data: bytes) -> str:
    with pytest.raises(PhotoError) as error:
        clean_photo(data)
    assert str(error.value)
    assert str(error.value)[-1] == "."
    return error.value.reason


# What is accepted ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_the_four_formats_become_the_same_kind_of_png(fmt: str) -> None:
    clean = clean_photo(encoded(drawn(), fmt, **({"quality": 95} if fmt != "PNG" else {})))
    assert (clean.width, clean.height) == (96, 64)
    assert hashlib.sha256(clean.png).hexdigest() == clean.sha256
    assert chunks(clean.png) == [b"IHDR", b"IDAT", b"IEND"]
    assert np.abs(pixels(clean)[4, 4] - CORNER).max() < 12
    assert np.abs(pixels(clean)[50, 80] - SKIN).max() < 12


def test_the_same_bytes_give_the_same_photo() -> None:
    data = encoded(drawn(), "JPEG")
    assert clean_photo(data) == clean_photo(data)


def test_a_clean_photo_stays_as_it_is() -> None:
    once = clean_photo(encoded(drawn(), "JPEG"))
    assert clean_photo(once.png) == once


def test_an_iphone_heic_is_upright_and_without_its_metadata() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Apple"
    data = encoded(drawn(), "HEIF", exif=exif.tobytes(), quality=95)
    assert b"Apple" in data
    clean = clean_photo(data)
    assert (clean.width, clean.height) == (64, 96)
    assert np.abs(pixels(clean)[4, -4] - CORNER).max() < 12  # turned right: the corner is at the upper right
    assert b"Apple" not in clean.png


def test_gps_orientation_and_comment_are_gone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "Arm of Jane Doe"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    data = encoded(drawn(), "JPEG", exif=exif, comment=b"taken at home", quality=95)
    assert Image.open(io.BytesIO(data)).getexif().get_ifd(0x8825)  # the photo does carry a place
    assert b"taken at home" in data

    clean = clean_photo(data)
    again = Image.open(io.BytesIO(clean.png))
    again.load()
    assert again.info == {}
    assert len(again.getexif()) == 0
    assert chunks(clean.png) == [b"IHDR", b"IDAT", b"IEND"]
    assert again.size == (64, 96)
    assert np.abs(pixels(clean)[4, -4] - CORNER).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(orientation: int) -> None:
    """The file holds the upright picture turned the other way; what comes out is the upright one."""
    inverse = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    upright = drawn()
    turn = photo._UPRIGHT.get(inverse)
    stored = upright.transpose(turn) if turn is not None else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    clean = clean_photo(encoded(stored, "PNG", exif=exif))
    assert np.array_equal(pixels(clean), np.asarray(upright))


@pytest.mark.parametrize(
    ("orientation", "row", "column"),
    [(1, 0, 0), (2, 0, -1), (3, -1, -1), (4, -1, 0), (5, 0, 0), (6, 0, -1), (7, -1, -1), (8, -1, 0)],
)
def test_where_the_first_stored_pixel_ends_up(orientation: int, row: int, column: int) -> None:
    """EXIF 2.32: the tag names the side of the upright picture on which the 0th row and column lie."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    clean = clean_photo(encoded(drawn(), "PNG", exif=exif))
    assert tuple(pixels(clean)[row, column]) == CORNER


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_does_not_cost_the_photo() -> None:
    clean = clean_photo(encoded(drawn(), "JPEG", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff rubbish"))
    assert (clean.width, clean.height) == (96, 64)


def test_an_mpo_is_read_as_its_first_picture() -> None:
    second = Image.new("RGB", (96, 64), (0, 0, 255))
    data = encoded(drawn(), "MPO", save_all=True, append_images=[second], quality=95)
    assert Image.open(io.BytesIO(data)).format == "MPO"
    assert np.abs(pixels(clean_photo(data))[4, 4] - CORNER).max() < 12


def test_large_photos_are_made_smaller_and_small_ones_are_not_enlarged() -> None:
    large = clean_photo(encoded(drawn(4000, 3000), "JPEG"))
    assert (large.width, large.height) == (photo.MAX_SIDE, 768)
    assert np.abs(pixels(large)[10, 10] - CORNER).max() < 12
    assert (clean_photo(encoded(drawn(3000, 4000), "PNG")).height) == photo.MAX_SIDE
    small = clean_photo(encoded(drawn(40, 33), "PNG"))
    assert (small.width, small.height) == (40, 33)


# Colour --------------------------------------------------------------------------------------------


def test_cmyk_follows_the_defined_rule() -> None:
    image = Image.new("CMYK", (64, 64), (255, 0, 0, 0))
    image.paste((0, 0, 0, 128), (32, 0, 64, 64))
    found = pixels(clean_photo(encoded(image, "JPEG", quality=100)))
    assert np.abs(found[30, 10] - (0, 255, 255)).max() <= 6
    assert np.abs(found[30, 50] - (127, 127, 127)).max() <= 6


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    values = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    found = pixels(clean_photo(encoded(Image.fromarray(values), "PNG")))
    assert np.abs(found[..., 0] - values / 257).max() <= 0.5
    assert (found[..., 0] == found[..., 2]).all()


def test_sixteen_bit_colour_keeps_the_high_byte() -> None:
    row = b"\x00" + struct.pack(">HHH", 0xFF80, 0x8001, 0x01FF) * 64
    found = pixels(clean_photo(png_of(64, 64, 16, 2, row * 64)))
    assert tuple(found[0, 0]) == (0xFF, 0x80, 0x01)


def test_alpha_lies_on_white() -> None:
    image = Image.new("RGBA", (64, 64), (200, 0, 0, 255))
    image.paste((200, 0, 0, 0), (0, 0, 32, 64))
    image.paste((200, 0, 0, 128), (32, 0, 64, 32))
    found = pixels(clean_photo(encoded(image, "PNG")))
    assert tuple(found[40, 10]) == (255, 255, 255)
    assert tuple(found[40, 50]) == (200, 0, 0)
    assert np.abs(found[10, 50] - (227, 127, 127)).max() <= 1


def test_grey_with_alpha_lies_on_white() -> None:
    image = Image.new("LA", (64, 64), (10, 0))
    assert tuple(pixels(clean_photo(encoded(image, "PNG")))[5, 5]) == (255, 255, 255)


def test_a_palette_becomes_its_colours() -> None:
    image = Image.new("P", (64, 64), 1)
    image.putpalette([0, 0, 0, *CORNER, *SKIN])
    image.paste(2, (0, 0, 32, 64))
    found = pixels(clean_photo(encoded(image, "PNG")))
    assert tuple(found[5, 50]) == CORNER
    assert tuple(found[5, 5]) == SKIN
    transparent = pixels(clean_photo(encoded(image, "PNG", transparency=2)))
    assert tuple(transparent[5, 5]) == (255, 255, 255)
    assert tuple(transparent[5, 50]) == CORNER


def test_black_and_white_and_grey() -> None:
    grey = Image.new("L", (64, 64), 77)
    assert tuple(pixels(clean_photo(encoded(grey, "JPEG", quality=100)))[9, 9]) == (77, 77, 77)
    assert tuple(pixels(clean_photo(encoded(grey.convert("1", dither=0), "PNG")))[9, 9]) == (0, 0, 0)


def test_a_colour_profile_is_converted_to_srgb() -> None:
    """sRGB's own profile changes nothing; one whose red and green are exchanged turns red to green."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = pixels(clean_photo(encoded(drawn(), "PNG", icc_profile=srgb)))
    assert np.abs(same - np.asarray(drawn(), dtype=int)).max() <= 1

    found = pixels(clean_photo(encoded(drawn(), "PNG", icc_profile=swapped_red_and_green(srgb))))
    red, green, blue = found[4, 4]
    assert green > 150 > red
    assert abs(blue - CORNER[2]) < 12


def swapped_red_and_green(profile: bytes) -> bytes:
    """The profile with the tags of its red and green primaries exchanged."""
    red, green, held = b"rXYZ", b"gXYZ", b"\xfe\xfd\xfe\xfd"
    return profile.replace(red, held).replace(green, red).replace(held, green)


@pytest.mark.parametrize("profile", [b"rubbish", b"\x00" * 200])
def test_a_broken_colour_profile_is_ignored(profile: bytes) -> None:
    clean = clean_photo(encoded(drawn(), "PNG", icc_profile=profile))
    assert np.array_equal(pixels(clean), np.asarray(drawn()))


# What is refused -----------------------------------------------------------------------------------

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"></svg>'


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"",
        lambda: b"Dear doctor, please find attached my arm.\n" * 50,
        lambda: SVG,
        lambda: gzip.compress(SVG),
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n",
        lambda: b"%PDF-1.7\n" + b"0" * 500,
        lambda: encoded(drawn(), "TIFF"),
        lambda: encoded(drawn(), "GIF"),
        lambda: encoded(drawn(), "BMP"),
        lambda: encoded(drawn(), "ICO"),
        lambda: encoded(drawn(), "GIF", save_all=True, append_images=[Image.new("RGB", (96, 64))]),
        lambda: b"\xff\xd8\xff",
        lambda: b"\x00" * 5000,
    ],
    ids=[
        "empty",
        "text",
        "svg",
        "svgz",
        "eps",
        "pdf",
        "tiff",
        "gif",
        "bmp",
        "ico",
        "gif-animated",
        "jpeg-magic",
        "zeros",
    ],
)
def test_what_is_not_a_photo_is_refused_by_its_content(make: Callable[[], bytes]) -> None:
    assert refusal(make()) == "not_a_photo"


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "HEIF"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.99])
def test_a_truncated_file_is_refused(fmt: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (80, 90, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), fmt)
    assert refusal(data[: int(len(data) * kept)]) in ("damaged", "not_a_photo")


def test_a_truncated_progressive_jpeg_is_refused() -> None:
    data = encoded(drawn(400, 300), "JPEG", progressive=True)
    assert refusal(data[: len(data) // 2]) == "damaged"


@pytest.mark.parametrize("size", [(1, 1), (1, 60000), (31, 400), (400, 31)])
def test_too_small_is_said_with_both_numbers(size: tuple[int, int]) -> None:
    with pytest.raises(photo.PhotoTooSmall, match=f"{size[0]} × {size[1]}.*at least 32"):
        clean_photo(encoded(Image.new("RGB", size), "PNG"))


def test_a_strip_is_refused() -> None:
    assert refusal(encoded(Image.new("RGB", (40, 400)), "PNG")) == "too_long"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [8001, 10000, 20000])
def test_a_bomb_is_refused_from_its_header(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """12 kB that decode to 100 megapixels: refused before a pixel is decoded."""
    data = png_of(side, side, 1, 0, (b"\x00" * (1 + (side + 7) // 8)) * side)
    assert len(data) < 120_000

    def never(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", never)
    assert refusal(data) == "too_large"


def test_too_many_bytes_are_refused() -> None:
    assert refusal(encoded(drawn(), "JPEG") + b"\x00" * photo.MAX_BYTES) == "too_large"


def test_moving_pictures_are_refused() -> None:
    other = Image.new("RGB", (96, 64))
    for fmt in ("PNG", "WEBP"):
        assert refusal(encoded(drawn(), fmt, save_all=True, append_images=[other])) == "animated"


def test_a_jpeg_of_thousands_of_scans_is_refused_unread() -> None:
    data = encoded(drawn(), "JPEG", progressive=True)
    scan = data[data.index(b"\xff\xda") : -2]
    assert refusal(data[:-2] + scan * photo.MAX_JPEG_SCANS + b"\xff\xd9") == "damaged"


@pytest.mark.parametrize("tail", [b"<html><script>alert(1)</script></html>", b"PK\x03\x04evil.exe"])
def test_a_polyglot_loses_its_tail(tail: bytes) -> None:
    for fmt in ("JPEG", "PNG", "WEBP"):
        clean = clean_photo(encoded(drawn(), fmt) + tail)
        assert tail not in clean.png
        assert clean_photo(encoded(drawn(), fmt)) == clean


def test_a_bad_photo_costs_nothing_afterwards() -> None:
    """Decoders keep global state; a refusal must not disturb the next photo."""
    before = clean_photo(encoded(drawn(), "HEIF"))
    for bad in (b"nonsense", encoded(drawn(), "HEIF")[:200], encoded(drawn(), "JPEG")[:500]):
        refusal(bad)
    assert clean_photo(encoded(drawn(), "HEIF")) == before


@settings(max_examples=60, deadline=None)
@given(
    fmt=st.sampled_from(["JPEG", "PNG", "WEBP", "HEIF"]),
    at=st.floats(0, 1, exclude_max=True),
    junk=st.binary(min_size=1, max_size=12),
)
def test_damaged_bytes_give_a_photo_or_a_refusal_and_nothing_else(fmt: str, at: float, junk: bytes) -> None:
    data = bytearray(ORIGINALS[fmt])
    start = int(at * len(data))
    data[start : start + len(junk)] = junk
    try:
        clean = clean_photo(bytes(data))
    except PhotoError:
        return
    assert chunks(clean.png) == [b"IHDR", b"IDAT", b"IEND"]


ORIGINALS = {fmt: encoded(drawn(), fmt) for fmt in ("JPEG", "PNG", "WEBP", "HEIF")}


def test_heif_support_is_there() -> None:
    assert pillow_heif.libheif_info()["HEIF"]
