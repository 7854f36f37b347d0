"""What other contexts may know about products."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, Protocol, runtime_checkable

from msgspec import UNSET, Meta, Struct, UnsetType

from ecshop.kernel.currency import Currency
from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor
from ecshop.kernel.validation import rule
from ecshop.kernel.values import NOT_BLANK, SEEN, Id, Page
from ecshop.kernel.words import LINES, keep_name, refuse_invisible

LONGEST_NAME: Final = 200
LONGEST_CATEGORY: Final = 100
LONGEST_PICTURE: Final = 64
LARGEST_PICTURE: Final = 8 * 1024 * 1024
"""Bytes of an image that is sent: a photo as a phone takes it."""
QUOTE: Final = "product.quote"
"""What a service needs leave for, to ask for quotes."""
WRITE: Final = "product.write"
"""What an API key is good for, beside what is public."""

Name = Annotated[
    str,
    Meta(min_length=1, max_length=LONGEST_NAME, pattern=NOT_BLANK, description=SEEN, examples=["Green tea"]),
]
Detail = Annotated[
    str, Meta(max_length=4000, description="Without control or invisible characters.", examples=["First flush, 100 g"])
]
Price = Annotated[int, Meta(ge=0, le=10**12, description="In the currency's minor unit.", examples=[1200])]
_PICTURE: Final = rule(
    r"^[a-z0-9][a-z0-9-]*\.(svg|png|jpg|webp)(?![\s\S])",
    "small letters, digits and hyphens, then .svg, .png, .jpg or .webp",
)
Picture = Annotated[
    str, Meta(max_length=LONGEST_PICTURE, pattern=_PICTURE, description="Its file's name.", examples=["sencha.svg"])
]
RELEVANCE: Final = "relevance"
Sort = Literal["id", "-id", "name", "-name", "price", "-price", "relevance"]


class Category(Struct, frozen=True):
    id: Id
    name: Annotated[str, Meta(examples=["Tea"])]


class CategoryBody(Struct, frozen=True, forbid_unknown_fields=True):
    """Another category's name is taken in any case and width, and with any blanks; accents make another name."""

    name: Annotated[
        str, Meta(min_length=1, max_length=LONGEST_CATEGORY, pattern=NOT_BLANK, description=SEEN, examples=["Tea"])
    ]

    def __post_init__(self) -> None:
        keep_name(self, "name", LONGEST_CATEGORY)


class Product(Struct, frozen=True):
    """`on_sale` is the seller's switch, `in_stock` what stock last said (null: nothing yet), `status` both together.

    Until stock has said anything a product may be ordered as far as stock itself allows.
    """

    id: Id
    name: Name
    detail: Detail
    price: Price
    currency: Currency
    category_id: Id | None
    picture: Picture | None
    on_sale: bool
    in_stock: bool | None
    status: bool
    updated_at: datetime


class NewProduct(Struct, frozen=True, forbid_unknown_fields=True):
    """`status` sets the seller's switch where `on_sale` is not given."""

    name: Name
    price: Price
    detail: Detail = ""
    currency: Currency = "JPY"
    category_id: Id | None = None
    picture: Picture | None = None
    on_sale: bool | UnsetType = UNSET
    status: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        keep_name(self, "name", LONGEST_NAME)
        refuse_invisible("detail", self.detail, but=LINES)


class ProductChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is; `status` sets the seller's switch where `on_sale` is not given."""

    name: Name | UnsetType = UNSET
    price: Price | UnsetType = UNSET
    detail: Detail | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET
    category_id: Id | UnsetType | None = UNSET
    picture: Picture | UnsetType | None = UNSET
    on_sale: bool | UnsetType = UNSET
    status: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        keep_name(self, "name", LONGEST_NAME)
        refuse_invisible("detail", self.detail, but=LINES)


class ProductFilter(Struct, frozen=True):
    """`name` is the whole name, `q` a part of name or detail, in any case and width; `q` may leave out accents too.

    Of several categories any will do. The bounds of the price are part of it, in whatever currency it is.

    By relevance: names that begin with `q` in their order, then those that have it, then the products whose detail has
    it, the older ones first. That is how they are sorted where a `q` is given and no `sort`, else by id.
    """

    name: str | None = None
    q: str | None = None
    category_id: tuple[int, ...] = ()
    price_from: int | None = None
    price_to: int | None = None
    in_stock: bool | None = None
    on_sale: bool | None = None
    status: bool | None = None
    updated_after: datetime | None = None
    sort: Sort | None = None


class Quote(Struct, frozen=True):
    """A product that can be ordered now, and what it costs now."""

    product_id: Id
    name: Name
    price: Price
    currency: Currency


class AvailabilityChange(Struct, frozen=True):
    """The last unit was gone, or there were some again, as product has heard it; `version` is that of the stock."""

    version: int
    in_stock: bool
    at: datetime


class ProductNotFound(EcshopError, code="product.not_found", status=404, example={"product_ids": [7]}):
    """There is no such product; `product_ids` names the missing ones."""


class ProductDiscontinued(
    EcshopError, code="product.discontinued", status=409, example={"product_id": 7, "reason": "sold_out"}
):
    """The product is not on sale: the seller took it off (`off_sale`), or the last unit is gone (`sold_out`)."""


class UnusablePicture(EcshopError, code="product.unusable_picture", status=422):
    """What was sent is no JPEG, PNG or WebP image, or a broken one, or one of more than 25 million pixels."""


class PictureNotFound(EcshopError, code="product.picture_not_found", status=404):
    """No product has a picture of this name that was sent in."""


class CategoryNotFound(EcshopError, code="category.not_found", status=404):
    """There is no such category."""


class CategoryExists(EcshopError, code="category.exists", status=409):
    """Another category has this name."""


class CategoryInUse(EcshopError, code="category.in_use", status=409):
    """Products belong to the category; move or delete them first."""


@runtime_checkable
class ProductClient(Protocol):
    async def get(self, product_id: int) -> Product:
        """Raises `ProductNotFound`."""
        ...

    async def list(self, wanted: ProductFilter, cursor: str | None, limit: int) -> Page[Product]:
        """Raises `InvalidCursor` or `TookTooLong`."""
        ...

    async def picture(self, name: str) -> bytes:
        """A WebP image, the same under its name for good. Raises `PictureNotFound`."""
        ...

    async def list_categories(self, cursor: str | None, limit: int) -> Page[Category]:
        """In the order of their names. Raises `InvalidCursor`."""
        ...

    async def availability(
        self, product_id: int, version: int | None = None, cursor: str | None = None, limit: int = 20
    ) -> Page[AvailabilityChange]:
        """Newest first, or that of one version alone. Raises `ProductNotFound` or `InvalidCursor`."""
        ...

    async def quote(self, product_ids: Sequence[int]) -> tuple[Quote, ...]:
        """A quote for each id, in their order; raises `ProductNotFound` or `ProductDiscontinued`."""
        ...


@runtime_checkable
class StaffProductClient(ProductClient, Protocol):
    """What staff may ask for besides."""

    async def create(self, actor: Actor, new: NewProduct) -> Product:
        """Raises `CategoryNotFound`."""
        ...

    async def change(self, actor: Actor, product_id: int, change: ProductChange) -> Product:
        """Raises `ProductNotFound` or `CategoryNotFound`, or `InvalidRequest` for a currency without its price."""
        ...

    async def put_picture(self, actor: Actor, product_id: int, image: bytes) -> Product:
        """Show it in the place of what was there. Raises `ProductNotFound` or `UnusablePicture`."""
        ...

    async def delete(self, actor: Actor, product_id: int) -> None:
        """Orders keep the name and price that they were placed with. Raises `ProductNotFound`."""
        ...

    async def create_category(self, actor: Actor, body: CategoryBody) -> Category:
        """Raises `CategoryExists`."""
        ...

    async def rename_category(self, actor: Actor, category_id: int, body: CategoryBody) -> Category:
        """Raises `CategoryNotFound` or `CategoryExists`."""
        ...

    async def delete_category(self, actor: Actor, category_id: int) -> None:
        """Raises `CategoryNotFound` or `CategoryInUse`."""
        ...
