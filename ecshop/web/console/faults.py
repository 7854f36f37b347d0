"""What goes wrong on purpose, in development: and how the shop heals."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple, cast

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from ecshop.kernel.errors import EcshopError, NoSuchPath
from ecshop.kernel.identity import Actor, Role, require_role
from ecshop.oversight.contract import FAULTS, Backlog, Fault, FaultState
from ecshop.web.console.heard import LISTENERS
from ecshop.web.console.moving import Board, moving
from ecshop.web.live import Streams
from ecshop.web.patience import soon
from ecshop.web.site import AnyRequest, Site

_PLACE: Final = "/console/break"


class Breakable(NamedTuple):
    """A context, and whether it listens to any event; nothing is known of one that does not answer."""

    name: str
    listens: bool
    state: FaultState | None
    backlog: Backlog | None


class ConsoleFaults(Controller):
    include_in_schema = False

    @get(_PLACE)
    async def faults(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        require_role(actor, Role.ADMIN)
        return site.pages.answer(visitor, "console/faults.html", here="break", **await _shown(site, actor))

    @get(f"{_PLACE}/live")
    async def live(
        self,
        site: NamedDependency[Site],
        streams: NamedDependency[Streams],
        board: NamedDependency[Board],
        request: AnyRequest,
    ) -> Response[Any]:
        visitor, actor = await site.staff(request)
        require_role(actor, Role.ADMIN)

        async def write() -> tuple[str, bool]:
            return site.pages.written(visitor, "console/faults_live.html", **await _shown(site, actor)), False

        return streams.answer(visitor, moving(site, actor, board.ticks(_PLACE), write))

    @post(f"{_PLACE}/{{context:str}}/{{kind:str}}")
    async def cause(
        self, site: NamedDependency[Site], request: AnyRequest, context: FromPath[str], kind: FromPath[str]
    ) -> Response[Any]:
        visitor, actor = await site.staff(request)
        await site.sent(request, visitor)
        if context not in site.oversight or kind not in FAULTS:
            raise NoSuchPath(f"nothing of {context} can be broken by {kind}")
        await site.oversight[context].cause(actor, Fault(cast(Any, kind)))
        return site.pages.lead(visitor, _PLACE)


async def _shown(site: Site, actor: Actor) -> Mapping[str, Any]:
    contexts = await asyncio.gather(*(_breakable(site, actor, name) for name in site.oversight))
    happened = [(one.name, event) for one in contexts if one.state for event in one.state.happened]
    return {"contexts": contexts, "happened": sorted(happened, key=lambda one: one[1].at, reverse=True)}


async def _breakable(site: Site, actor: Actor, name: str) -> Breakable:
    listens = any(name in listening for listening in LISTENERS.values())
    with suppress(EcshopError):
        overseen = site.oversight[name]
        state, backlog = await soon(asyncio.gather(overseen.faults(actor), overseen.backlog(actor)))
        return Breakable(name, listens, state, backlog)
    return Breakable(name, listens, None, None)
