"""What a page says instead, where it fails, or where somebody has to sign in first."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Response

from ecshop.kernel.errors import Aborted, EcshopError, Unavailable
from ecshop.kernel.telemetry.logs import annotate, request_id
from ecshop.web.account_pages import sign_in_page
from ecshop.web.live import Streams
from ecshop.web.refusals import said
from ecshop.web.site import AnyRequest, Site
from ecshop.web.unsent import kept, page_of
from ecshop.web.visitor import Visitor
from ecshop.web.words import Words

_CONSOLE: Final = "/console"


class Failures:
    def __init__(self, site: Site, streams: Streams) -> None:
        self._site, self._streams = site, streams

    def say(self, request: AnyRequest, error: EcshopError) -> Response[bytes]:
        annotate(code=error.code)
        visitor = self._site.anybody(request)
        if _is_to_move(request):
            return self._stands_still(request, visitor, error)
        heading, says = _said(request, error, visitor.words)
        return self._site.pages.answer(
            visitor,
            "message.html",
            status=error.status,
            here="",
            heading=heading,
            says=says,
            unsent=kept(request.scope) if isinstance(error, Unavailable) else None,
            request_id=request_id.get(),
        )

    def sign_in_first(self, request: AnyRequest) -> Response[Any]:
        """And come back: to the page itself, or to the one that has the form, with what was typed into it."""
        visitor, path = self._site.anybody(request), request.scope["path"]
        if _is_to_move(request):
            words, link = visitor.words, f"/shop/sign-in?{urlencode({'next': _page_that_moves(request)})}"
            return self._streams.refuse(visitor, HTTPStatus.OK, words("You were signed out."), link, words("Sign in"))
        if request.method != "GET" and path.startswith(_CONSOLE):
            return sign_in_page(self._site, visitor, next_=page_of(request.scope), unsent=kept(request.scope))
        place = visitor.place if request.method == "GET" else page_of(request.scope)
        return self._site.pages.lead(visitor, f"/shop/sign-in?{urlencode({'next': place})}")

    def _stands_still(self, request: AnyRequest, visitor: Visitor, error: EcshopError) -> Response[bytes]:
        """What the page shows stays."""
        _, place = visitor.words, _page_that_moves(request)
        says = _("This page does not move right now.")
        return self._streams.refuse(visitor, error.status, says, place, _("Load again"))


def _said(request: AnyRequest, error: EcshopError, _: Words) -> tuple[str, str]:
    """A heading, and what is true and what to do."""
    if error.status == HTTPStatus.NOT_FOUND:
        return _("Not found"), _("Nothing is here, or no longer.")
    if not isinstance(error, Unavailable):
        return _("That did not work"), said(error, _)
    heading = _("The shop does not answer right now")
    if isinstance(error, Aborted) or request.method == "GET":
        return heading, _("Nothing was changed. Try again in a moment.")
    if request.scope["path"].startswith(_CONSOLE):
        return heading, _("Whether it was done is not known. Look at its page before you send it again.")
    return heading, _("Whether it was done is not known. Look at your orders before you try again.")


def _is_to_move(request: AnyRequest) -> bool:
    """By its route: what a stream is asked for with, forms of the same page are sent with, too."""
    return request.scope["path_template"].endswith("/live")


def _page_that_moves(request: AnyRequest) -> str:
    return str(request.scope["path"]).removesuffix("/live")
