"""Images as people send them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image


def image(kind: str = "PNG", size: tuple[int, int] = (1200, 900), mode: str = "RGB", **saved: Any) -> bytes:
    """The upper half red, the lower half blue."""
    drawn = Image.new(mode, size, "red")
    drawn.paste("blue", (0, size[1] // 2, *size))
    written = BytesIO()
    drawn.save(written, kind, **saved)
    return written.getvalue()


def noise(size: int) -> bytes:
    """A PNG of at least so many bytes, which nothing can compress."""
    side = int((size / 3) ** 0.5) + 1
    written = BytesIO()
    Image.effect_noise((side, side), 100).convert("RGB").save(written, "PNG", compress_level=0)
    return written.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content))
