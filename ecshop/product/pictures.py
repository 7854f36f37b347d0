"""Images that were sent in for products. Each function runs inside somebody's transaction."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ecshop.product.contract import PictureNotFound
from ecshop.product.models import PictureRow

_DIGITS: Final = 32


def name_of(product_id: int, image: bytes) -> str:
    """Another image has another name, so that it may be kept by whoever has seen it."""
    return f"{product_id}-{sha256(image).hexdigest()[:_DIGITS]}.webp"


def find(session: Session, name: str) -> bytes:
    image = session.scalar(select(PictureRow.image).where(PictureRow.name == name))
    if image is None:
        raise PictureNotFound(f"no product has a picture called {name}")
    return image


def keep(session: Session, product_id: int, name: str, image: bytes) -> None:
    session.merge(PictureRow(product_id=product_id, name=name, image=image))


def drop(session: Session, product_id: int, but: str | None = None) -> None:
    """What the product has, unless it is called `but`."""
    session.execute(
        delete(PictureRow).where(PictureRow.product_id == product_id, PictureRow.name.is_distinct_from(but))
    )
