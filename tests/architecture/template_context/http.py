"""Both ends of review's HTTP contract, side by side, so that a path is changed in one sitting."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter

from ecshop.kernel.http.operation import BODY_ERRORS, operation
from ecshop.kernel.http.remote import Remote
from ecshop.kernel.identity import Role
from ecshop.kernel.values import MAX_INT64
from ecshop.product.contract import ProductNotFound
from ecshop.review.contract import NewReview, Review, ReviewNotFound
from ecshop.review.service import ReviewService

ReviewId = Annotated[int, PathParameter(ge=1, le=MAX_INT64)]


class ReviewController(Controller):
    tags = ("review",)

    @post("/reviews", **operation("Review a product", ProductNotFound, *BODY_ERRORS, role=Role.CUSTOMER))
    async def add_review(self, review: NamedDependency[ReviewService], data: JSONBody[NewReview]) -> Review:
        return await review.add(data)

    @get("/reviews/{review_id:int}", **operation("Get a review", ReviewNotFound))
    async def get_review(self, review: NamedDependency[ReviewService], review_id: ReviewId) -> Review:
        return await review.get(review_id)


class HttpReviewClient:
    def __init__(self, remote: Remote) -> None:
        self._call = remote.call

    async def get(self, review_id: int) -> Review:
        return await self._call("GET", f"/reviews/{review_id}", Review)
