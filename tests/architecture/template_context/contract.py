"""What other contexts may know about reviews."""

from __future__ import annotations

from typing import Annotated, Protocol, runtime_checkable

from msgspec import Meta, Struct

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.values import NOT_BLANK, Id

Stars = Annotated[int, Meta(ge=1, le=5, examples=[4])]
Text = Annotated[str, Meta(min_length=1, max_length=2000, pattern=NOT_BLANK, examples=["Tastes of spring."])]


class NewReview(Struct, frozen=True, forbid_unknown_fields=True):
    product_id: Id
    stars: Stars
    text: Text


class Review(Struct, frozen=True):
    id: Id
    product_id: Id
    stars: Stars
    text: Text


class ReviewNotFound(EcshopError, code="review.not_found", status=404):
    """There is no review with this id."""


@runtime_checkable
class ReviewClient(Protocol):
    async def get(self, review_id: int) -> Review:
        """Raises `ReviewNotFound`."""
        ...
