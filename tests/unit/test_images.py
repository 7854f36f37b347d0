"""From what is sent in to what the shop shows."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ecshop.product.contract import UnusablePicture
from ecshop.product.images import shown
from tests.images import image, opened

WHOLE = {kind: image(kind, (64, 48)) for kind in ("JPEG", "PNG", "WEBP")}
ORIENTATION, PLACE = 0x0112, 0x8825


@pytest.mark.parametrize("kind", WHOLE)
def test_a_large_image_becomes_a_webp_with_no_side_over_800_pixels(kind: str) -> None:
    picture = opened(shown(image(kind)))
    assert (picture.format, picture.size) == ("WEBP", (800, 600))
    red, green, blue = picture.convert("RGB").getpixel((400, 100))  # type: ignore[misc]
    assert (red > 200, green < 50, blue < 50) == (True, True, True)


def test_a_small_image_keeps_its_size() -> None:
    assert opened(shown(image(size=(40, 30)))).size == (40, 30)


def test_what_is_transparent_stays_so() -> None:
    assert opened(shown(_saved(Image.new("RGBA", (40, 30), (255, 0, 0, 0)), "PNG"))).mode == "RGBA"


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "1"), ("PNG", "I;16"), ("PNG", "LA")]
)
def test_an_image_of_any_colours_is_shown(kind: str, mode: str) -> None:
    written = Image.new(mode, (40, 30))
    assert opened(shown(_saved(written, kind))).size == (40, 30)


def test_a_photo_stands_upright_and_tells_no_place() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif.get_ifd(PLACE)[1] = "N"
    picture = opened(shown(image("JPEG", (80, 40), exif=exif.tobytes())))
    assert picture.size == (40, 80)
    assert dict(picture.getexif()) == {}


def test_nothing_but_the_image_is_kept() -> None:
    assert b"<script>" not in shown(WHOLE["PNG"] + b"<script>alert(1)</script>")


@pytest.mark.parametrize(
    "sent",
    [b"", b"x", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", image("GIF", (8, 8)), image("BMP", (8, 8))],
    ids=["nothing", "a letter", "SVG", "HTML", "GIF", "BMP"],
)
def test_what_is_no_jpeg_png_or_webp_is_refused(sent: bytes) -> None:
    with pytest.raises(UnusablePicture):
        shown(sent)


@pytest.mark.parametrize("kind", WHOLE)
def test_more_than_25_million_pixels_are_refused_before_they_are_read(kind: str) -> None:
    with pytest.raises(UnusablePicture, match="25 million"):
        shown(image(kind, (5001, 5000), mode="L" if kind != "WEBP" else "RGB"))


@pytest.mark.parametrize("side", [9_500, 20_000])
def test_an_image_that_only_claims_to_be_huge_is_refused_in_the_same_words(side: int) -> None:
    header = b"IHDR" + struct.pack(">II", side, side) + WHOLE["PNG"][24:29]
    claims = WHOLE["PNG"][:12] + header + struct.pack(">I", zlib.crc32(header)) + WHOLE["PNG"][33:]
    with pytest.raises(UnusablePicture, match="25 million"):
        shown(claims)


@given(kind=st.sampled_from(sorted(WHOLE)), place=st.floats(0, 1, exclude_max=True), put=st.binary(max_size=8))
def test_a_broken_image_is_refused_or_shown_and_nothing_else_happens(kind: str, place: float, put: bytes) -> None:
    whole = WHOLE[kind]
    at = int(place * len(whole))
    for broken in (whole[:at], whole[:at] + put + whole[at + len(put) :]):
        try:
            assert opened(shown(broken)).format == "WEBP"
        except UnusablePicture:
            continue


def _saved(written: Image.Image, kind: str) -> bytes:
    file = BytesIO()
    written.save(file, kind)
    return file.getvalue()
