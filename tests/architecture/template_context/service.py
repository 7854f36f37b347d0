"""The rules of reviews. One public method is one transaction."""

from __future__ import annotations

from sqlalchemy.orm import Session

from ecshop.kernel.db.database import Database
from ecshop.kernel.db.mapping import struct_of
from ecshop.product.contract import ProductClient
from ecshop.review.contract import NewReview, Review, ReviewNotFound
from ecshop.review.models import ReviewRow


class ReviewService:
    """Satisfies `ReviewClient`: inside one process the service is the client."""

    def __init__(self, db: Database, product: ProductClient) -> None:
        self._db, self._product = db, product

    async def add(self, new: NewReview) -> Review:
        """Raises `ProductNotFound`."""
        await self._product.get(new.product_id)
        return await self._db.write(_add, new)

    async def get(self, review_id: int) -> Review:
        return await self._db.read(_get, review_id)


def _add(session: Session, new: NewReview) -> Review:
    row = ReviewRow(product_id=new.product_id, stars=new.stars, text=new.text)
    session.add(row)
    session.flush()
    return struct_of(Review, row)


def _get(session: Session, review_id: int) -> Review:
    row = session.get(ReviewRow, review_id)
    if row is None:
        raise ReviewNotFound(f"no review has the id {review_id}")
    return struct_of(Review, row)
