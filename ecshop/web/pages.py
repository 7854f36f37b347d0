"""From what a page shows to the answer that a browser gets."""

from __future__ import annotations

import re
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response
from litestar.response import Redirect

from ecshop.auth.contract import SIGN_IN_LINK
from ecshop.product.contract import Product
from ecshop.stock.contract import StockItem
from ecshop.web.static import Static
from ecshop.web.visitor import Visitor
from ecshop.web.words import LANGUAGES, gettext_noop

HTML: Final = "text/html"
POLICY: Final = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
"""Of pages that have no script and no style but those of files (W3C, Content Security Policy 3)."""
_HEADERS: Final = {"content-security-policy": POLICY, "referrer-policy": "same-origin", "vary": "cookie, hx-request"}
_TEMPLATES: Final = Path(__file__).parent / "templates"
PICTURES: Final = "/shop/pictures/"
_SENT_IN: Final = re.compile(r"\d+-[0-9a-f]{32}\.webp")
_SHORT_ID: Final = 4
_SEE_OTHER: Final = 303


class Pages:
    def __init__(self, static: Static, *, is_breakable: bool) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {
            "static": static.url,
            "picture_of": partial(_picture, static),
            "languages": LANGUAGES,
            "availability": availability,
            "is_breakable": is_breakable,
            "sign_in_link": SIGN_IN_LINK,
        }
        self._environment.filters |= {"short": short_id, "json": _indented}

    def written(self, visitor: Visitor, template: str, **shown: Any) -> str:
        return self._environment.get_template(template).render(visitor=visitor, _=visitor.words, **shown)

    def answer(
        self,
        visitor: Visitor,
        template: str,
        status: int = HTTPStatus.OK,
        headers: dict[str, str] | None = None,
        **shown: Any,
    ) -> Response[bytes]:
        content = self.written(visitor, template, **shown).encode()
        return Response(
            content, status_code=status, media_type=HTML, headers=_HEADERS | (headers or {}), cookies=visitor.cookies
        )

    def lead(self, visitor: Visitor, path: str) -> Response[Any]:
        """To another page, after what a form asked for was done (RFC 9110, section 15.4.4)."""
        return Redirect(path, status_code=_SEE_OTHER, cookies=visitor.cookies)


def _picture(static: Static, name: str | None) -> str | None:
    """Where it is: with the shop's own, or where those are that were sent in. None for one that there is not."""
    if name and _SENT_IN.fullmatch(name):
        return f"{PICTURES}{name}"
    return static.picture(name)


def availability(product: Product, item: StockItem | None) -> tuple[str, str, dict[str, int]]:
    """How a product's state looks, and what it says, with the values for that."""
    is_gone = not product.status or (item is not None and not item.in_stock)
    if is_gone:
        return "off", gettext_noop("Sold out") if product.on_sale else gettext_noop("Off sale"), {}
    if item is not None and item.low_stock:
        if isinstance(item.available, int):
            return "warn", gettext_noop("{n} left"), {"n": item.available}
        return "warn", gettext_noop("Few left"), {}
    return "ok", gettext_noop("In stock"), {}


def _indented(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def short_id(order_id: Any) -> str:
    """How people tell orders apart: the end of its id, `7F3D-5C18`."""
    end = str(order_id).replace("-", "")[-2 * _SHORT_ID :].upper()
    return f"{end[:_SHORT_ID]}-{end[_SHORT_ID:]}"
