"""Events that a listener gave up on, in groups of the same error: replayed, edited and replayed, or discarded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from ecshop.kernel.errors import InvalidRequest, NoSuchPath, Unavailable
from ecshop.kernel.identity import Actor
from ecshop.oversight.contract import (
    AS_IT_IS,
    DeadLetterNotFound,
    DeadLetterUndecodable,
    Discard,
    Letter,
    OversightClient,
    Replay,
)
from ecshop.web.site import AnyRequest, Site
from ecshop.web.visitor import Visitor

_PLACE: Final = "/console/dead-letters"
_MOST: Final = 100


class Group(NamedTuple):
    """Letters of one listener, of one type and with the same error, newest first."""

    context: str
    type: str
    error: str
    letters: Sequence[Letter]


class ConsoleDeadLetters(Controller):
    include_in_schema = False

    @get(_PLACE)
    async def dead_letters(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        return await _shown(site, visitor, actor, dict(site.asked(request)))

    @post(_PLACE)
    async def settle(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        """Those that are chosen; one that somebody else has settled meanwhile stays as it is."""
        visitor, actor = await site.staff(request)
        form = await site.sent(request, visitor)
        chosen = [name.removeprefix("letter-").split(" ", 1) for name in form if name.startswith("letter-")]
        if not chosen:
            return await _shown(site, visitor, actor, {}, visitor.words("Choose at least one event."))
        try:
            why = msgspec.convert({"reason": form.get("reason", "")}, Discard) if form.get("do") == "discard" else None
        except msgspec.ValidationError:
            return await _shown(site, visitor, actor, {}, visitor.words("Say why they are not needed."))
        for context, event_id in chosen:
            await _settle(_overseen(site, context), actor, event_id, why)
        return site.pages.lead(visitor, _PLACE)

    @get(f"{_PLACE}/{{context:str}}/{{event_id:str}}")
    async def edit(
        self, site: NamedDependency[Site], request: AnyRequest, context: FromPath[str], event_id: FromPath[str]
    ) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        letter = await _letter(_overseen(site, context), actor, event_id)
        data = letter.envelope.get("data") if isinstance(letter.envelope, dict) else letter.envelope
        written = msgspec.json.format(msgspec.json.encode(data), indent=2).decode()
        return _editor(site, visitor, context, letter, written)

    @post(f"{_PLACE}/{{context:str}}/{{event_id:str}}")
    async def replay_edited(
        self, site: NamedDependency[Site], request: AnyRequest, context: FromPath[str], event_id: FromPath[str]
    ) -> Response[Any]:
        visitor, actor = await site.staff(request)
        form, overseen = await site.sent(request, visitor), _overseen(site, context)
        letter, written = await _letter(overseen, actor, event_id), form.get("data", "")
        try:
            await overseen.replay(actor, event_id, Replay(msgspec.json.decode(written)))
        except (msgspec.DecodeError, RecursionError) as cause:
            return _editor(site, visitor, context, letter, written, visitor.words("This is no JSON: {why}", why=cause))
        except InvalidRequest as refusal:
            says = "; ".join(str(error["message"]) for error in refusal.fields["errors"])
            return _editor(site, visitor, context, letter, written, says)
        return site.pages.lead(visitor, _PLACE)


async def _settle(overseen: OversightClient, actor: Actor, event_id: str, why: Discard | None) -> None:
    with suppress(DeadLetterNotFound, DeadLetterUndecodable):
        if why is None:
            await overseen.replay(actor, event_id, AS_IT_IS)
        else:
            await overseen.discard(actor, event_id, why)


async def _shown(
    site: Site, visitor: Visitor, actor: Actor, asked: Mapping[str, str], refused: str = ""
) -> Response[bytes]:
    names = list(site.oversight)
    pages = await asyncio.gather(*(_letters(site.oversight[name], actor) for name in names))
    found = {name: page for name, page in zip(names, pages, strict=True) if page is not None}
    looked_for = asked.get("q", "").lower()
    groups: dict[tuple[str, str, str], list[Letter]] = {}
    for name, letters in found.items():
        for letter in letters:
            if asked.get("context") in (None, "", name) and looked_for in f"{letter.error} {letter.envelope}".lower():
                groups.setdefault((name, letter.type, letter.error), []).append(letter)
    return site.pages.answer(
        visitor,
        "console/dead_letters.html",
        status=422 if refused else 200,
        here="dead-letters",
        asked=asked,
        contexts=names,
        refused=refused,
        silent=[name for name in names if name not in found],
        groups=[Group(*key, letters) for key, letters in groups.items()],
    )


def _editor(
    site: Site, visitor: Visitor, context: str, letter: Letter, written: str, error: str = ""
) -> Response[bytes]:
    return site.pages.answer(
        visitor,
        "console/dead_letter.html",
        status=422 if error else 200,
        here="dead-letters",
        context=context,
        letter=letter,
        written=written,
        error=error,
    )


def _overseen(site: Site, context: str) -> OversightClient:
    if context not in site.oversight:
        raise NoSuchPath(f"there is no context {context}")
    return site.oversight[context]


async def _letters(overseen: OversightClient, actor: Actor) -> Sequence[Letter] | None:
    try:
        return (await overseen.dead_letters(actor, None, _MOST)).items
    except Unavailable:
        return None


async def _letter(overseen: OversightClient, actor: Actor, event_id: str) -> Letter:
    letters = (await overseen.dead_letters(actor, None, _MOST)).items
    for letter in letters:
        if letter.event_id == event_id:
            return letter
    raise DeadLetterNotFound(f"there is no dead letter {event_id}")
