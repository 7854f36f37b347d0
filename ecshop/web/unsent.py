"""A form that was sent in vain: what was typed stays on the page that says so, to be sent again from there."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec
from litestar.types import Scope
from msgspec import Struct

from ecshop.kernel.http.headers import header
from ecshop.web.forms import Form

_BASKET: Final = "/shop/basket"
_PLACES: Final = ("/shop/", "/console")
_UNSENT: Final = "unsent"
_LONGEST: Final = 16 * 1024
"""Characters in all its fields; the form of the sign-in takes it, however it is written."""


class Unsent(Struct, frozen=True, forbid_unknown_fields=True):
    """Where it was sent to, the page that it is on, and its fields by name; files are not kept."""

    path: str
    page: str
    fields: dict[str, str]
    had_files: bool = False

    @property
    def written(self) -> str:
        return msgspec.json.encode(self).decode()


def keep(scope: Scope, form: Form) -> None:
    """For as long as its request lasts. Secrets are typed in anew, and what is very long is not kept."""
    if not any("password" in name for name in form) and sum(map(len, form.values())) <= _LONGEST:
        fields = {name: value for name, value in form.items() if name != "form_token"}
        scope["state"][_UNSENT] = Unsent(_with_query(scope), page_of(scope), fields, bool(form.files))


def kept(scope: Scope) -> Unsent | None:
    found: Unsent | None = scope["state"].get(_UNSENT)
    return found


def read(written: str) -> Unsent | None:
    """As a page of ours has written it, else None."""
    try:
        found = msgspec.json.decode(written, type=Unsent)
    except msgspec.DecodeError:
        return None
    return found if found.path.startswith(_PLACES) and found.page.startswith(_PLACES) else None


def page_of(scope: Scope) -> str:
    """The page that a form was on, else the basket."""
    sent = urlsplit(header(scope, b"referer") or "")
    if sent.netloc != header(scope, b"host") or not sent.path.startswith(_PLACES):
        return _BASKET
    return f"{sent.path}?{sent.query}" if sent.query else sent.path


def _with_query(scope: Scope) -> str:
    path, query = str(scope["path"]), scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path
