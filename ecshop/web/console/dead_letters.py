"""Events that a listener gave up on, in groups of the same error: replayed, edited and replayed, or discarded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec.structs import replace

from ecshop.kernel.clock import now
from ecshop.kernel.errors import InvalidRequest, NoSuchPath, TookTooLong, Unavailable
from ecshop.kernel.identity import Actor
from ecshop.oversight.contract import (
    AS_IT_IS,
    DeadLetterNotFound,
    DeadLetterUndecodable,
    Discard,
    Letter,
    LetterFilter,
    OversightClient,
    Replay,
)
from ecshop.web.console.charts import HIGH, Bar, Chart
from ecshop.web.console.heard import LISTENERS
from ecshop.web.console.numbers import whole
from ecshop.web.patience import one_by_one, otherwise
from ecshop.web.site import AnyRequest, Site
from ecshop.web.visitor import Visitor

_PLACE: Final = "/console/dead-letters"
_MOST: Final = 100
"""Of each context, that are shown."""
_FILTERS: Final = ("context", "type", "q")
_BARS: Final = 30
_MOST_CALLS: Final = 100
_LONGEST_TEXT: Final = 80
_MOMENT: Final = timedelta(seconds=1)


class Group(NamedTuple):
    """Letters of one listener, of one type and with the same error, newest first."""

    context: str
    type: str
    error: str
    letters: Sequence[Letter]

    def bars(self) -> Sequence[Bar]:
        """How many were given up on, from the first one until now."""
        first = self.letters[-1].failed_at
        span, counts = max(now() - first, _MOMENT), [0] * _BARS
        for letter in self.letters:
            counts[min(_BARS - 1, int(_BARS * ((letter.failed_at - first) / span)))] += 1
        return Chart.of(max(counts), HIGH).bars(counts)


class ConsoleDeadLetters(Controller):
    include_in_schema = False

    @get(_PLACE)
    async def dead_letters(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        return await _shown(site, visitor, actor, dict(site.asked(request)))

    @get(f"{_PLACE}/count")
    async def count(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        """A part of every page, apart from it: none waits for a context that does not answer."""
        visitor, actor = await site.staff(request)
        backlogs = await asyncio.gather(*(otherwise(one.backlog(actor), None) for one in site.oversight.values()))
        letters = sum(backlog.dead_letters for backlog in backlogs if backlog)
        return site.pages.answer(visitor, "console/letter_count.html", letters=letters)

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
        for number, (context, event_id) in enumerate(chosen):
            with one_by_one(has_begun=number > 0):
                await _settle(_overseen(site, context), actor, event_id, why)
        return site.pages.lead(visitor, _PLACE)

    @post(f"{_PLACE}/replay")
    async def replay_all(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        """What the filter finds and the page may not have shown, a few thousand at once: the button is there again."""
        visitor, actor = await site.staff(request)
        form = await site.sent(request, visitor)
        wanted, context = replace(_wanted(form), failed_before=now()), form.get("context")
        asked = [_overseen(site, context)] if context else site.oversight.values()
        replayed = [await _replay_all(overseen, actor, wanted) for overseen in asked]
        kept = {name: form[name] for name in _FILTERS if form.get(name)}
        return site.pages.lead(visitor, f"{_PLACE}?{urlencode(kept | {'replayed': sum(replayed)})}")

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


async def _replay_all(overseen: OversightClient, actor: Actor, wanted: LetterFilter) -> int:
    """How many; a context that stops answering is told by the page that follows."""
    replayed = 0
    with suppress(Unavailable, TookTooLong):
        for _ in range(_MOST_CALLS):
            some = await overseen.replay_all(actor, wanted)
            replayed += some.replayed
            if some.is_all:
                break
    return replayed


async def _shown(
    site: Site, visitor: Visitor, actor: Actor, asked: Mapping[str, str], refused: str = ""
) -> Response[bytes]:
    names, wanted, one = list(site.oversight), _wanted(asked), asked.get("context")
    looked_at = [one] if one in names else names
    answers = await asyncio.gather(
        *(otherwise(site.oversight[name].dead_letters(actor, wanted, None, _MOST), None) for name in looked_at)
    )
    pages = {name: page for name, page in zip(looked_at, answers, strict=True) if page is not None}
    groups: dict[tuple[str, str, str], list[Letter]] = {}
    for name, page in pages.items():
        for letter in page.items:
            groups.setdefault((name, letter.type, letter.error), []).append(letter)
    return site.pages.answer(
        visitor,
        "console/dead_letters.html",
        status=422 if refused else 200,
        here="dead-letters",
        asked={name: asked.get(name, "") for name in _FILTERS},
        is_filtered=any(asked.get(name) for name in _FILTERS),
        replayed=whole(asked.get("replayed", "")),
        replayable=sum(len(letters) for (_, kind, _), letters in groups.items() if kind),
        contexts=names,
        types=list(LISTENERS),
        refused=refused,
        silent=[name for name in looked_at if name not in pages],
        has_more=any(page.next_cursor for page in pages.values()),
        groups=[Group(*key, letters) for key, letters in groups.items()],
    )


def _wanted(asked: Mapping[str, str]) -> LetterFilter:
    kind, text = asked.get("type", "")[:_LONGEST_TEXT], asked.get("q", "").strip()[:_LONGEST_TEXT]
    return LetterFilter(kind or None, text or None)


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


async def _letter(overseen: OversightClient, actor: Actor, event_id: str) -> Letter:
    if not event_id.isprintable() or not event_id.strip("."):
        raise NoSuchPath(f"there is no event {event_id!r}")
    return await overseen.dead_letter(actor, event_id[:_LONGEST_TEXT])


def _overseen(site: Site, context: str) -> OversightClient:
    if context not in site.oversight:
        raise NoSuchPath(f"there is no context {context}")
    return site.oversight[context]
