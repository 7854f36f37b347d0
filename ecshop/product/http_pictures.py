"""Pictures over HTTP; the callers' end is `HttpProductClient`."""

from __future__ import annotations

from typing import Annotated, Any, Final

from litestar import Controller, Request, get, put
from litestar.di import NamedDependency
from litestar.params import PathParameter, RawBody

from ecshop.kernel.conditions import PreconditionFailed
from ecshop.kernel.errors import BodyTooLarge, UnsupportedMediaType
from ecshop.kernel.http.conditional import IfMatch, conditions
from ecshop.kernel.http.operation import operation
from ecshop.kernel.http.safety import FOR_GOOD
from ecshop.kernel.http.strict import BYTES, require_media_type
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.values import MAX_INT64
from ecshop.product.contract import (
    LARGEST_PICTURE,
    WRITE,
    PictureNotFound,
    Product,
    ProductNotFound,
    UnusablePicture,
)
from ecshop.product.service import ProductService

_SENT: Final = ("image/jpeg", "image/png", "image/webp", BYTES)
_SHOWN: Final = "image/webp"


class PictureController(Controller):
    tags = ("product",)

    @put(
        "/products/{product_id:int}/picture",
        request_max_body_size=LARGEST_PICTURE,
        **operation(
            "Send a picture of a product",
            ProductNotFound,
            UnusablePicture,
            PreconditionFailed,
            BodyTooLarge,
            UnsupportedMediaType,
            role=Role.STAFF,
            key_scope=WRITE,
            accepts=_SENT,
            tagged=True,
        ),
    )
    async def put_picture(
        self,
        product: NamedDependency[ProductService],
        request: Request[Actor, Any, Any],
        product_id: Annotated[int, PathParameter(ge=1, le=MAX_INT64)],
        body: RawBody,
        if_match: IfMatch = None,
    ) -> Product:
        """The image itself: JPEG, PNG or WebP, up to 8 MiB and 25 million pixels, whatever it is said to be.

        It is kept as WebP, with no side over 800 pixels, and without what else was in the file.
        """
        require_media_type(request)
        return await product.put_picture(request.user, product_id, body, conditions(request, if_match=if_match))

    @get(
        "/products/pictures/{name:str}",
        media_type=_SHOWN,
        response_headers={"cache-control": FOR_GOOD},
        **operation("Get a picture", PictureNotFound),
    )
    async def get_picture(
        self,
        product: NamedDependency[ProductService],
        name: Annotated[str, PathParameter(max_length=64, description="A product's `picture`.")],
    ) -> bytes:
        """Of those that were sent in. Another image of the product has another name."""
        return await product.picture(name)
