"""Both ends of the HTTP contract, of each context under its own name, so that a path is changed in one sitting."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import NoneType
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from litestar import Request, get, post
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.types import ControllerRouterHandler

from ecshop.kernel.errors import InvalidCursor, TookTooLong
from ecshop.kernel.http.operation import BODY_ERRORS, operation
from ecshop.kernel.http.paging import LIMIT, Cursor, Limit, as_parameters
from ecshop.kernel.http.remote import Remote
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.values import Page, Spread
from ecshop.oversight.contract import (
    AS_IT_IS,
    AUDIT,
    MOST_EVENTS,
    MOST_MINUTES,
    Backlog,
    DeadLetterNotFound,
    DeadLetterUndecodable,
    Delivery,
    Discard,
    Entry,
    EntryFilter,
    EventFilter,
    Fault,
    FaultState,
    Letter,
    LetterFilter,
    PublishedEvent,
    Replay,
    Replayed,
)
from ecshop.oversight.service import OversightService

AnyRequest = Request[Actor, Any, Any]
EventId = Annotated[str, PathParameter(max_length=80)]
EventIds = Annotated[tuple[str, ...], QueryParameter(min_items=1, max_items=MOST_EVENTS)]
EventType = Annotated[str | None, QueryParameter(name="type", max_length=80)]
PartOfLetter = Annotated[
    str | None, QueryParameter(max_length=80, description="A part of the error, or of the event as it was sent.")
]
FailedBefore = Annotated[datetime | None, QueryParameter(description="Given up on earlier than this.")]
Since = Annotated[datetime | None, QueryParameter(description="Not earlier than this.")]
After = Annotated[datetime | None, QueryParameter(description="Recorded later than this.")]
Before = Annotated[datetime | None, QueryParameter(description="Recorded earlier than this.")]


def routes_of(oversight: OversightService) -> Sequence[ControllerRouterHandler]:
    """At `/events/<context>` and `/audit/<context>`."""
    name = oversight.name
    title, tags = name.title(), [name]

    @get(
        f"/events/{name}",
        operation_id=f"Events{title}",
        tags=tags,
        **operation(f"The events that {name} has published", InvalidCursor, TookTooLong, role=Role.STAFF),
    )
    async def list_events(
        request: AnyRequest,
        type_: EventType = None,
        recorded_after: After = None,
        recorded_before: Before = None,
        event_id: Annotated[tuple[str, ...], QueryParameter(max_items=MOST_EVENTS)] = (),
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> Page[PublishedEvent]:
        """Newest first, as long as the outbox has them. Inside one process none is published, only heard."""
        wanted = EventFilter(type_, recorded_after, recorded_before, event_id)
        return await oversight.events(request.user, wanted, cursor, limit)

    @get(
        f"/events/{name}/deliveries",
        operation_id=f"Deliveries{title}",
        tags=tags,
        **operation(f"What became of events at {name}", role=Role.STAFF),
    )
    async def list_deliveries(request: AnyRequest, event_id: EventIds) -> tuple[Delivery, ...]:
        """When they were applied, and which tries failed."""
        return await oversight.deliveries(request.user, event_id)

    @get(
        f"/events/{name}/dead-letters",
        operation_id=f"DeadLetters{title}",
        tags=tags,
        **operation(f"The events that {name} gave up on", InvalidCursor, TookTooLong, role=Role.STAFF),
    )
    async def list_dead_letters(
        request: AnyRequest,
        type_: EventType = None,
        q: PartOfLetter = None,
        failed_before: FailedBefore = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> Page[Letter]:
        """Newest first. Nothing of them is lost: replay them when their cause is mended."""
        return await oversight.dead_letters(request.user, LetterFilter(type_, q, failed_before), cursor, limit)

    @get(
        f"/events/{name}/dead-letters/{{event_id:str}}",
        operation_id=f"DeadLetter{title}",
        tags=tags,
        **operation("A dead letter", DeadLetterNotFound, role=Role.STAFF),
    )
    async def get_dead_letter(request: AnyRequest, event_id: EventId) -> Letter:
        """With its error, and with the event as it came."""
        return await oversight.dead_letter(request.user, event_id)

    @post(
        f"/events/{name}/dead-letters/replay",
        operation_id=f"ReplayAll{title}",
        tags=tags,
        status_code=200,
        **operation("Replay dead letters", TookTooLong, role=Role.STAFF),
    )
    async def replay_all(
        request: AnyRequest,
        type_: EventType = None,
        q: PartOfLetter = None,
        failed_before: FailedBefore = None,
    ) -> Replayed:
        """Have all of these tried once more, the oldest first, some at a time: repeat it until `is_all`.

        Those that fail once more are among them again; `failed_before` leaves them out.
        """
        return await oversight.replay_all(request.user, LetterFilter(type_, q, failed_before))

    @post(
        f"/events/{name}/dead-letters/{{event_id:str}}/replay",
        operation_id=f"Replay{title}",
        tags=tags,
        status_code=204,
        **operation("Replay a dead letter", DeadLetterNotFound, DeadLetterUndecodable, *BODY_ERRORS, role=Role.STAFF),
    )
    async def replay(request: AnyRequest, event_id: EventId, data: JSONBody[Replay] = AS_IT_IS) -> None:
        """Have it tried once more, as it is or with other data. A body may be sent."""
        await oversight.replay(request.user, event_id, data)

    @post(
        f"/events/{name}/dead-letters/{{event_id:str}}/discard",
        operation_id=f"Discard{title}",
        tags=tags,
        status_code=204,
        **operation("Discard a dead letter", DeadLetterNotFound, *BODY_ERRORS, role=Role.STAFF),
    )
    async def discard(request: AnyRequest, event_id: EventId, data: JSONBody[Discard]) -> None:
        """Let it go for good; the audit trail keeps the reason."""
        await oversight.discard(request.user, event_id, data)

    @get(
        f"/events/{name}/backlog",
        operation_id=f"Backlog{title}",
        tags=tags,
        **operation(f"How many events of {name} wait", role=Role.STAFF),
    )
    async def get_backlog(request: AnyRequest) -> Backlog:
        """For a broker, for listeners, or for an operator."""
        return await oversight.backlog(request.user)

    @get(
        f"/events/{name}/lags",
        operation_id=f"Lags{title}",
        tags=tags,
        **operation(f"How soon {name} applies events", role=Role.STAFF),
    )
    async def get_lags(
        request: AnyRequest,
        since: Annotated[datetime, QueryParameter()],
        minutes: Annotated[int, QueryParameter(ge=0, le=MOST_MINUTES)] = MOST_MINUTES,
    ) -> tuple[Spread | None, ...]:
        """For each of some minutes, in milliseconds, of its first events; null where none was applied."""
        return await oversight.lags(request.user, since, minutes)

    @get(
        f"/audit/{name}",
        operation_id=f"Audit{title}",
        tags=tags,
        **operation(f"What people did in {name}", InvalidCursor, role=Role.ADMIN, key_scope=AUDIT),
    )
    async def list_entries(
        request: AnyRequest,
        actor: Annotated[UUID | None, QueryParameter()] = None,
        action: Annotated[str | None, QueryParameter(max_length=40)] = None,
        subject: Annotated[str | None, QueryParameter(max_length=80)] = None,
        since: Since = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> Page[Entry]:
        """Newest first. Nothing here can be changed, by nobody; `ecshop audit verify` shows that nothing was."""
        return await oversight.audit(request.user, EntryFilter(actor, action, subject, since), cursor, limit)

    @get(
        f"/events/{name}/faults",
        operation_id=f"Faults{title}",
        tags=tags,
        **operation(f"What is to go wrong at {name} on purpose", role=Role.ADMIN),
    )
    async def get_faults(request: AnyRequest) -> FaultState:
        """In development only."""
        return await oversight.faults(request.user)

    @post(
        f"/events/{name}/faults",
        operation_id=f"Cause{title}",
        tags=tags,
        status_code=200,
        **operation(f"Let something go wrong at {name} on purpose", *BODY_ERRORS, role=Role.ADMIN),
    )
    async def cause(request: AnyRequest, data: JSONBody[Fault]) -> FaultState:
        """In development only: to see how the shop heals."""
        return await oversight.cause(request.user, data)

    letters = [list_dead_letters, get_dead_letter, replay_all, replay, discard]
    routes = [list_events, list_deliveries, *letters, get_backlog, get_lags, list_entries]
    return routes + ([get_faults, cause] if oversight.is_breakable else [])


class HttpOversightClient:
    """Calls in the actor's own name, with the actor's token."""

    def __init__(self, name: str, remote: Remote) -> None:
        self._call, self._events, self._audit = remote.call, f"/events/{name}", f"/audit/{name}"

    async def events(self, actor: Actor, wanted: EventFilter, cursor: str | None, limit: int) -> Page[PublishedEvent]:
        params = as_parameters(wanted, cursor, limit)
        return await self._call("GET", self._events, Page[PublishedEvent], params=params, token=actor.token)

    async def deliveries(self, actor: Actor, event_ids: Sequence[str]) -> tuple[Delivery, ...]:
        path, params = f"{self._events}/deliveries", {"event_id": list(event_ids)}
        return await self._call("GET", path, tuple[Delivery, ...], params=params, token=actor.token)

    async def dead_letters(self, actor: Actor, wanted: LetterFilter, cursor: str | None, limit: int) -> Page[Letter]:
        path, params = f"{self._events}/dead-letters", as_parameters(wanted, cursor, limit)
        return await self._call("GET", path, Page[Letter], params=params, token=actor.token)

    async def dead_letter(self, actor: Actor, event_id: str) -> Letter:
        return await self._call("GET", self._letter(event_id), Letter, token=actor.token)

    async def replay_all(self, actor: Actor, wanted: LetterFilter) -> Replayed:
        path, params = f"{self._events}/dead-letters/replay", as_parameters(wanted)
        return await self._call("POST", path, Replayed, params=params, token=actor.token)

    async def replay(self, actor: Actor, event_id: str, replay: Replay = AS_IT_IS) -> None:
        await self._call("POST", f"{self._letter(event_id)}/replay", NoneType, replay, token=actor.token)

    async def discard(self, actor: Actor, event_id: str, discard: Discard) -> None:
        await self._call("POST", f"{self._letter(event_id)}/discard", NoneType, discard, token=actor.token)

    def _letter(self, event_id: str) -> str:
        return f"{self._events}/dead-letters/{quote(event_id, safe='')}"

    async def backlog(self, actor: Actor) -> Backlog:
        return await self._call("GET", f"{self._events}/backlog", Backlog, token=actor.token)

    async def lags(self, actor: Actor, since: datetime, minutes: int) -> tuple[Spread | None, ...]:
        path, params = f"{self._events}/lags", {"since": since.isoformat(), "minutes": minutes}
        return await self._call("GET", path, tuple[Spread | None, ...], params=params, token=actor.token)

    async def faults(self, actor: Actor) -> FaultState:
        return await self._call("GET", f"{self._events}/faults", FaultState, token=actor.token)

    async def cause(self, actor: Actor, fault: Fault) -> FaultState:
        return await self._call("POST", f"{self._events}/faults", FaultState, fault, token=actor.token)

    async def audit(self, actor: Actor, wanted: EntryFilter, cursor: str | None, limit: int) -> Page[Entry]:
        params = as_parameters(wanted, cursor, limit)
        return await self._call("GET", self._audit, Page[Entry], params=params, token=actor.token)
