"""All events of all contexts, newest first, with what each listener did."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from litestar import Controller, Response, get
from litestar.di import NamedDependency

from ecshop.kernel.clock import now
from ecshop.kernel.identity import Actor
from ecshop.oversight.contract import EventFilter, OversightClient, PublishedEvent
from ecshop.web.console.heard import GIVEN_UP, LISTENERS, RETRIED, WAITS, rows_of
from ecshop.web.console.lookup import Lookup
from ecshop.web.console.moving import Board
from ecshop.web.live import Streams
from ecshop.web.patience import otherwise
from ecshop.web.site import AnyRequest, Site

_PLACE: Final = "/console/events"
_ON_A_PAGE: Final = 25
_LOOKED_THROUGH: Final = 99
"""At once, for those whose listeners stand as asked; no context knows that of another one's events."""
_STATES: Final = (WAITS, RETRIED, GIVEN_UP)
_MINUTE: Final = timedelta(minutes=1)
_TICK: Final = timedelta(microseconds=1)
"""The least that times differ by."""
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)


class ConsoleEvents(Controller):
    include_in_schema = False

    @get(_PLACE)
    async def events(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        asked = dict(site.asked(request))
        kind, about = asked.get("type", ""), asked.get("about", "").strip()
        state = asked["state"] if asked.get("state") in _STATES else ""
        most = _LOOKED_THROUGH if state else _ON_A_PAGE
        if about:
            lookup = Lookup(site, actor)
            found = [event for event in await lookup.events(about) if not kind or event.type == kind]
            silent = lookup.silent
        else:
            found, silent = await _newest(site, actor, kind, most, _Place.read(asked.get("before", "")))
        looked_at = found if about else found[:most]
        rows = await rows_of(site, actor, looked_at, visitor.words)
        has_more = len(found) > len(looked_at)
        following = {"type": kind, "state": state, "before": _Place.of(looked_at[-1]).written} if has_more else {}
        return site.pages.answer(
            visitor,
            "console/events.html",
            here="events",
            types=list(LISTENERS),
            is_moving=not {name for name, value in asked.items() if value} - {"type"},
            kind=kind,
            state=state,
            about=about,
            silent=dict.fromkeys([*silent, *(name for row in rows for name in row.silent)]),
            a_minute=_a_minute(found),
            looked_at=len(looked_at),
            rows=[row for row in rows if not state or state in (one.stands for one in row.heard)],
            next_page=following and f"{_PLACE}?{urlencode(following)}",
        )

    @get(f"{_PLACE}/live")
    async def live(
        self,
        site: NamedDependency[Site],
        streams: NamedDependency[Streams],
        board: NamedDependency[Board],
        request: AnyRequest,
    ) -> Response[Any]:
        visitor, actor = await site.staff(request)
        asked = dict(site.asked(request)).get("type", "")
        kind = asked if asked in LISTENERS else ""

        async def write() -> str:
            newest, _ = await _newest(site, actor, kind, _ON_A_PAGE)
            rows = await rows_of(site, actor, newest[:_ON_A_PAGE], visitor.words)
            return site.pages.written(visitor, "console/events_live.html", rows=rows, a_minute=_a_minute(newest))

        return streams.answer(visitor, board.moving(site, actor, f"events {visitor.words.language} {kind}", write))


class _Place(NamedTuple):
    """In the history of all contexts: events that were recorded together are told apart by their ids."""

    recorded_at: datetime
    event_id: str

    @classmethod
    def of(cls, event: PublishedEvent) -> _Place:
        return cls(event.recorded_at, event.event_id)

    @classmethod
    def read(cls, written: str) -> _Place | None:
        moment, _, event_id = written.partition(" ")
        with suppress(ValueError):
            recorded_at = datetime.fromisoformat(moment)
            return cls(recorded_at, event_id) if recorded_at.tzinfo and recorded_at < _LATEST else None
        return None

    @property
    def written(self) -> str:
        return f"{self.recorded_at.isoformat()} {self.event_id}"


async def _newest(
    site: Site, actor: Actor, kind: str, most: int, before: _Place | None = None
) -> tuple[list[PublishedEvent], list[str]]:
    """One more than `most`, and who did not answer."""
    names = [kind.split(".")[1]] if kind in LISTENERS else list(site.oversight)
    asked = [_newest_of(site.oversight[name], actor, kind, most + 1, before) for name in names]
    answers = await asyncio.gather(*(otherwise(one, None) for one in asked))
    silent = [name for name, answer in zip(names, answers, strict=True) if answer is None]
    events = [event for answer in answers if answer for event in answer]
    return sorted(events, key=_Place.of, reverse=True)[: most + 1], silent


async def _newest_of(
    context: OversightClient, actor: Actor, kind: str, most: int, before: _Place | None
) -> list[PublishedEvent]:
    wanted = EventFilter(type=kind or None, recorded_before=before and before.recorded_at + _TICK)
    found: list[PublishedEvent] = []
    cursor = None
    while True:
        page = await context.events(actor, wanted, cursor, most)
        found += [event for event in page.items if before is None or _Place.of(event) < before]
        cursor = page.next_cursor
        if cursor is None or len(found) >= most:
            return found


def _a_minute(newest: Sequence[PublishedEvent]) -> int:
    """As many as the last minute had; where that had all of these, as many as it would have at their pace."""
    moment = now()
    latest = [event for event in newest if moment - event.recorded_at < _MINUTE]
    if len(latest) <= _ON_A_PAGE:
        return len(latest)
    return round(len(latest) * (_MINUTE / max(moment - latest[-1].recorded_at, _TICK)))
