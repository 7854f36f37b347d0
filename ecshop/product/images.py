"""An image that somebody sends, made into the picture that the shop shows.

What is served is always written anew: nothing else that the file carries, such as where a photo was taken or a script
that a browser might find in it, is kept.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final

from PIL import Image, ImageOps

from ecshop.product.contract import UnusablePicture

_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_SIDE: Final = 800
"""Pixels, of the longer side: twice what the widest page shows."""
_MOST_PIXELS: Final = 25_000_000
_QUALITY: Final = 82
_TRUE_COLOURS: Final = {"RGB", "RGBA"}
Image.MAX_IMAGE_PIXELS = None  # Pillow's own bounds, a warning and an error, are wider than ours


def shown(sent: bytes) -> bytes:
    """A WebP image, upright, no side longer than 800 pixels. Raises `UnusablePicture`."""
    try:
        with Image.open(BytesIO(sent), formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise UnusablePicture(f"the image has more than {_MOST_PIXELS // 1_000_000} million pixels")
            return _written(image)
    except (OSError, SyntaxError, ValueError) as cause:
        raise UnusablePicture("this is no JPEG, PNG or WebP image, or it is broken") from cause


def _written(image: Image.Image) -> bytes:
    """Made small before all else: a copy of it may take a hundred megabytes."""
    image.draft("RGB", (_SIDE, _SIDE))
    colours = image.info.get("icc_profile") if image.mode in _TRUE_COLOURS else None
    if image.mode not in _TRUE_COLOURS:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.thumbnail((_SIDE, _SIDE))
    written = BytesIO()
    ImageOps.exif_transpose(image).save(written, "WEBP", quality=_QUALITY, icc_profile=colours)
    return written.getvalue()
