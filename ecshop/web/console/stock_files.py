"""Stock as a file: counted, and what the shop has."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from msgspec import UNSET

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor
from ecshop.product.contract import Product, ProductFilter, ProductNotFound
from ecshop.stock.contract import LOW, MAX_UNITS, NewStock, StockItem, StockLevel, StockNotFound
from ecshop.web.console.numbers import whole
from ecshop.web.refusals import said
from ecshop.web.site import AnyRequest, Site
from ecshop.web.visitor import Visitor
from ecshop.web.words import Words

_PLACE: Final = "/console/stock"
_ROWS_AT_ONCE: Final = 1000
_LARGEST_FORM: Final = 1024**2
"""So many rows, with names of any length, as they are exported."""
_COLUMNS: Final = ["product_id", "name", "on_hand", "reserved", "available", "low_mark"]


class Counted(NamedTuple):
    """A line of an imported file: so many units are on hand, and where it says so, the low mark is another one."""

    product_id: int
    on_hand: int
    low_mark: int | None


class ConsoleStockFiles(Controller):
    include_in_schema = False

    @get(f"{_PLACE}/export.csv")
    async def export(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, _ = await site.staff(request)
        written, cursor = io.StringIO(), None
        rows = csv.writer(written)
        rows.writerow(_COLUMNS)
        while True:
            page = await site.product.list(ProductFilter(), cursor, 100)
            items = await site.items(page.items, visitor)
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

    @post(f"{_PLACE}/import", request_max_body_size=_LARGEST_FORM)
    async def import_counted(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        """All lines are read before any is carried out; what stock refuses is told by its line."""
        visitor, actor = await site.staff(request)
        form = await site.sent(request, visitor)
        file = form.files.get("file")
        written = form.get("csv", "") if file is None else file.decode("utf-8-sig", errors="replace").replace("\0", "")
        counted, errors = _read(written, visitor.words)
        if errors or not counted:
            return _importer(site, visitor, written, errors or [visitor.words("There is no line in it.")])
        left = await _carry_out(site, actor, counted, errors, visitor.words)
        if errors:
            says = _carried_out(len(counted) - len(left), visitor.words)
            return _importer(site, visitor, _written(left), errors, says)
        return site.pages.lead(visitor, f"{_PLACE}?imported={len(counted)}")


def _importer(
    site: Site, visitor: Visitor, written: str = "", errors: Sequence[str] = (), says: str = ""
) -> Response[bytes]:
    return site.pages.answer(
        visitor,
        "console/stock_import.html",
        status=422 if errors else 200,
        here="stock",
        written=written,
        errors=errors[:20],
        says=says or visitor.words("Nothing was changed."),
    )


def _carried_out(number: int, _: Words) -> str:
    if number == 1:
        return _("1 line was carried out. What was not is still here:")
    return _("{n} lines were carried out. What was not is still here:", n=number)


async def _carry_out(site: Site, actor: Actor, lines: Sequence[Counted], errors: list[str], _: Words) -> list[Counted]:
    """The lines that are left, and why is among the `errors`. Nobody carries the others out twice: units may have
    been sold since.
    """
    left: list[Counted] = []
    for number, line in enumerate(lines):
        try:
            await _set(site, actor, line)
        except EcshopError as refusal:
            if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                errors.append(_("The shop does not answer right now"))
                return [*left, *lines[number:]]
            errors.append(_("Product {id}: {why}", id=line.product_id, why=_why(refusal, _)))
            left.append(line)
    return left


def _written(lines: Sequence[Counted]) -> str:
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(Counted._fields)
    rows.writerows(lines)
    return written.getvalue()


async def _set(site: Site, actor: Actor, line: Counted) -> None:
    try:
        mark = UNSET if line.low_mark is None else line.low_mark
        await site.stock.set_level(actor, line.product_id, StockLevel(line.on_hand, mark))
    except StockNotFound:
        mark = LOW if line.low_mark is None else line.low_mark
        await site.stock.register(actor, NewStock(line.product_id, line.on_hand, mark))


def _why(refusal: EcshopError, _: Words) -> str:
    return _("There is no such product.") if isinstance(refusal, ProductNotFound) else said(refusal, _)


def _row(product: Product, item: StockItem | None) -> list[Any]:
    name = f"'{product.name}" if product.name[:1] in "=+-@" else product.name
    return [product.id, name, *((item.stock, item.reserved, item.available, item.low_mark) if item else ("",) * 4)]


def _read(written: str, _: Words) -> tuple[list[Counted], list[str]]:
    """Its lines, with or without a heading; and what is wrong with which."""
    counted: list[Counted] = []
    errors: list[str] = []
    names = ["product_id", "on_hand", "low_mark"]
    for number, fields in enumerate(csv.reader(io.StringIO(written)), start=1):
        if number == 1 and "product_id" in fields:
            names = [field.strip() for field in fields]
            continue
        if not any(fields):
            continue
        named = dict(zip(names, fields, strict=False))
        line = _line(named)
        if len(counted) >= _ROWS_AT_ONCE:
            errors.append(_("{n} lines at most are taken at once; send the rest in another file.", n=_ROWS_AT_ONCE))
            break
        if line is None:
            errors.append(_("Line {n} is not like this: product_id,on_hand", n=number))
        else:
            counted.append(line)
    return counted, errors


def _line(named: Mapping[str, str]) -> Counted | None:
    product_id, on_hand = whole(named.get("product_id", "")), whole(named.get("on_hand", ""))
    marked = named.get("low_mark", "").strip()
    low_mark = whole(marked) if marked else None
    is_wrong = not product_id or on_hand is None or (marked and low_mark is None)
    if is_wrong or max(on_hand or 0, low_mark or 0) > MAX_UNITS:
        return None
    return Counted(product_id or 0, on_hand or 0, low_mark)
