"""API keys of whoever is looking: for machines that act in their name."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from ecshop.auth.contract import LONGEST_KEY_NAME, ApiKey, ApiKeyNotFound, NewApiKey, ScopeNotGranted, TooManyApiKeys
from ecshop.kernel.identity import Actor
from ecshop.web.console.numbers import whole
from ecshop.web.refusals import said
from ecshop.web.site import AnyRequest, Site
from ecshop.web.visitor import Visitor

_PLACE: Final = "/console/keys"
_DAYS: Final = 90
_SCOPE: Final = "scope:"
"""What the name of a field begins with that is ticked for a scope."""


class ConsoleKeys(Controller):
    include_in_schema = False

    @get(_PLACE)
    async def keys(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        return await _shown(site, visitor, actor, {})

    @post(_PLACE)
    async def make(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        """The key is on the page that answers, and on no other."""
        visitor, actor = await site.staff(request)
        form = await site.sent(request, visitor)
        scopes = [name.removeprefix(_SCOPE) for name in form if name.startswith(_SCOPE)]
        wanted = {"name": form.get("name", ""), "scopes": scopes, "days": whole(form.get("days", "")) or 0}
        try:
            made = await site.auth.make_key(actor, msgspec.convert(wanted, NewApiKey))
        except msgspec.ValidationError:
            says = visitor.words("Give it a name, 1 to 365 days, and something that it is good for.")
            return await _shown(site, visitor, actor, form, error=says)
        except (TooManyApiKeys, ScopeNotGranted) as refusal:
            return await _shown(site, visitor, actor, form, error=said(refusal, visitor.words))
        return await _shown(site, visitor, actor, {}, made=made)

    @post(f"{_PLACE}/{{key_id:uuid}}/end")
    async def end(self, site: NamedDependency[Site], request: AnyRequest, key_id: FromPath[UUID]) -> Response[Any]:
        """Also one that has ended meanwhile."""
        visitor, actor = await site.staff(request)
        await site.sent(request, visitor)
        with suppress(ApiKeyNotFound):
            await site.auth.end_key(actor, key_id)
        return site.pages.lead(visitor, _PLACE)


async def _shown(
    site: Site, visitor: Visitor, actor: Actor, form: Mapping[str, str], *, error: str = "", made: ApiKey | None = None
) -> Response[bytes]:
    keys = await site.auth.keys_of(actor)
    return site.pages.answer(
        visitor,
        "console/keys.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK,
        here="keys",
        form=form,
        error=error,
        made=made,
        keys=keys.items,
        scopes=keys.may_grant,
        days=_DAYS,
        longest=LONGEST_KEY_NAME,
    )
