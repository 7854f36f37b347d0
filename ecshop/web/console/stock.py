"""Units of each product: on hand, reserved, available; counted, adjusted with a reason, and their ledger."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor
from ecshop.kernel.values import MAX_INT64
from ecshop.product.contract import Product, ProductFilter
from ecshop.stock.contract import MAX_UNITS, Adjustment, NewStock, StockItem, StockLevel, StockNotFound, StockReserved
from ecshop.web.site import AnyRequest, Site
from ecshop.web.visitor import Visitor
from ecshop.web.words import Words

_PLACE: Final = "/console/stock"
_ON_A_PAGE: Final = 50
_ROWS_AT_ONCE: Final = 1000
_COLUMNS: Final = ["product_id", "name", "on_hand", "reserved", "available"]


class Counted(NamedTuple):
    """A line of an imported file: so many units are on hand."""

    product_id: int
    on_hand: int


class ConsoleStock(Controller):
    include_in_schema = False

    @get(_PLACE)
    async def stock(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        asked = dict(site.asked(request))
        page = await site.product.list(ProductFilter(q=asked.get("q") or None), asked.get("cursor"), _ON_A_PAGE)
        items = await _items(site, actor, page.items)
        following = urlencode({"q": asked.get("q", ""), "cursor": page.next_cursor or ""})
        return site.pages.answer(
            visitor,
            "console/stock.html",
            here="stock",
            q=asked.get("q", ""),
            products=page.items,
            items=items,
            imported=asked.get("imported", ""),
            next_page=page.next_cursor and f"{_PLACE}?{following}",
        )

    @get(f"{_PLACE}/export.csv")
    async def export(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        written, cursor = io.StringIO(), None
        rows = csv.writer(written)
        rows.writerow(_COLUMNS)
        while True:
            page = await site.product.list(ProductFilter(), cursor, 100)
            items = await _items(site, actor, page.items)
            rows.writerows(_row(product, items.get(product.id)) for product in page.items)
            cursor = page.next_cursor
            if cursor is None:
                break
        headers = {"content-disposition": 'attachment; filename="stock.csv"', "cache-control": "no-store"}
        return Response(
            written.getvalue().encode(), media_type="text/csv; charset=utf-8", headers=headers, cookies=visitor.cookies
        )

    @get(f"{_PLACE}/import")
    async def importer(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, _ = await site.staff(request)
        return _importer(site, visitor)

    @post(f"{_PLACE}/import")
    async def import_counted(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        """All lines are read before any is carried out; what stock refuses is told by its line."""
        visitor, actor = await site.staff(request)
        written = (await site.sent(request, visitor)).get("csv", "")
        counted, errors = _read(written, visitor.words)
        if errors or not counted:
            return _importer(site, visitor, written, errors or [visitor.words("There is no line in it.")])
        for number, line in counted.items():
            try:
                await _set(site, actor, line)
            except EcshopError as refusal:
                if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
                errors.append(visitor.words("Line {n}: {why}", n=number, why=refusal.detail))
        if errors:
            return _importer(site, visitor, written, errors)
        return site.pages.lead(visitor, f"{_PLACE}?imported={len(counted)}")

    @get(f"{_PLACE}/{{product_id:int}}")
    async def product(
        self, site: NamedDependency[Site], request: AnyRequest, product_id: FromPath[int]
    ) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        return await _shown(site, visitor, actor, product_id, {}, dict(site.asked(request)).get("cursor"))

    @post(f"{_PLACE}/{{product_id:int}}")
    async def adjust(
        self, site: NamedDependency[Site], request: AnyRequest, product_id: FromPath[int]
    ) -> Response[Any]:
        visitor, actor = await site.staff(request)
        form = await site.sent(request, visitor)
        try:
            wanted = msgspec.convert({"delta": _delta(form), "reason": form.get("reason", "")}, Adjustment)
            await site.stock.adjust(actor, product_id, wanted)
        except StockReserved as refusal:
            on_hand, reserved = refusal.fields["on_hand"], refusal.fields["reserved"]
            says = visitor.words(
                "{reserved} of the {on_hand} units are promised to orders, so at most {most} can go.",
                reserved=reserved,
                on_hand=on_hand,
                most=on_hand - reserved,
            )
            return await _shown(site, visitor, actor, product_id, form, error=says)
        except msgspec.ValidationError:
            says = visitor.words("Say by how many units, not 0, and why.")
            return await _shown(site, visitor, actor, product_id, form, error=says)
        return site.pages.lead(visitor, f"{_PLACE}/{product_id}")


async def _shown(
    site: Site,
    visitor: Visitor,
    actor: Actor,
    product_id: int,
    form: Mapping[str, str],
    cursor: str | None = None,
    error: str = "",
) -> Response[bytes]:
    product = await site.product.get(product_id)
    ledger = await site.stock.movements(actor, product_id, cursor, _ON_A_PAGE)
    following = urlencode({"cursor": ledger.next_cursor or ""})
    return site.pages.answer(
        visitor,
        "console/stock_item.html",
        status=422 if error else 200,
        here="stock",
        product=product,
        item=await site.stock.get(product_id, actor),
        movements=ledger.items,
        form=form,
        error=error,
        next_page=ledger.next_cursor and f"{_PLACE}/{product_id}?{following}",
    )


def _importer(site: Site, visitor: Visitor, written: str = "", errors: Sequence[str] = ()) -> Response[bytes]:
    status = 422 if errors else 200
    return site.pages.answer(
        visitor, "console/stock_import.html", status=status, here="stock", written=written, errors=errors[:20]
    )


async def _items(site: Site, actor: Actor, products: Sequence[Product]) -> dict[int, StockItem]:
    found = await site.stock.get_many([product.id for product in products], actor) if products else ()
    return {item.product_id: item for item in found}


async def _set(site: Site, actor: Actor, line: Counted) -> None:
    try:
        await site.stock.set_level(actor, line.product_id, StockLevel(line.on_hand))
    except StockNotFound:
        await site.stock.register(actor, NewStock(line.product_id, line.on_hand))


def _row(product: Product, item: StockItem | None) -> list[Any]:
    name = f"'{product.name}" if product.name[:1] in "=+-@" else product.name
    return [product.id, name, *((item.stock, item.reserved, item.available) if item else ("", "", ""))]


def _read(written: str, _: Words) -> tuple[dict[int, Counted], list[str]]:
    """By the number of the line, with or without a heading; and what is wrong with which."""
    counted: dict[int, Counted] = {}
    errors: list[str] = []
    names = ["product_id", "on_hand"]
    for number, fields in enumerate(csv.reader(io.StringIO(written)), start=1):
        if number == 1 and "product_id" in fields:
            names = [field.strip() for field in fields]
            continue
        if not any(fields):
            continue
        named = dict(zip(names, fields, strict=False))
        product_id, on_hand = _whole(named.get("product_id", "")), _whole(named.get("on_hand", ""))
        if not product_id or on_hand is None or on_hand > MAX_UNITS or len(counted) >= _ROWS_AT_ONCE:
            errors.append(_("Line {n} is not like this: product_id,on_hand", n=number))
        else:
            counted[number] = Counted(product_id, on_hand)
    return counted, errors


def _whole(written: str) -> int | None:
    digits = written.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and int(digits[:20]) <= MAX_INT64 else None


def _delta(form: Mapping[str, str]) -> int:
    """0 for what is no whole number, and is refused then."""
    written = form.get("delta", "").strip().replace("\N{MINUS SIGN}", "-")
    size = _whole(written.lstrip("+-")) or 0
    return -size if written.startswith("-") else size
