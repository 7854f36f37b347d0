"""Looking after one context's events. One public method is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from ecshop.events.audit import note
from ecshop.events.faults import Faults
from ecshop.kernel.db.database import Database
from ecshop.kernel.db.mapping import struct_of
from ecshop.kernel.identity import Actor, Role, require_role
from ecshop.kernel.values import Page, Spread
from ecshop.oversight import dead_letters, readings
from ecshop.oversight.contract import (
    AS_IT_IS,
    MOST_AT_ONCE,
    Backlog,
    Delivery,
    Discard,
    Entry,
    EntryFilter,
    EventFilter,
    Fault,
    FaultState,
    Happening,
    Letter,
    LetterFilter,
    NotBreakable,
    PublishedEvent,
    Replay,
    Replayed,
)


class OversightService:
    """Satisfies `OversightClient` for the context of this name: inside one process the service is the client."""

    def __init__(self, name: str, database: Database, faults: Faults | None = None) -> None:
        """Without `faults` nothing goes wrong on purpose."""
        self.name, self._db, self._faults = name, database, faults

    @property
    def is_breakable(self) -> bool:
        return self._faults is not None

    async def events(self, actor: Actor, wanted: EventFilter, cursor: str | None, limit: int) -> Page[PublishedEvent]:
        require_role(actor, Role.STAFF)
        return await self._db.read_apart(readings.events_of, wanted, cursor, limit)

    async def deliveries(self, actor: Actor, event_ids: Sequence[str]) -> tuple[Delivery, ...]:
        require_role(actor, Role.STAFF)
        return await self._db.read(readings.deliveries_of, self.name, event_ids)

    async def dead_letters(self, actor: Actor, wanted: LetterFilter, cursor: str | None, limit: int) -> Page[Letter]:
        require_role(actor, Role.STAFF)
        return await self._db.read_apart(dead_letters.list_letters, wanted, cursor, limit)

    async def dead_letter(self, actor: Actor, event_id: str) -> Letter:
        require_role(actor, Role.STAFF)
        return await self._db.read(dead_letters.get_letter, event_id)

    async def replay(self, actor: Actor, event_id: str, replay: Replay = AS_IT_IS) -> None:
        require_role(actor, Role.STAFF)
        await self._db.write(_replay, actor, event_id, replay)

    async def replay_all(self, actor: Actor, wanted: LetterFilter) -> Replayed:
        require_role(actor, Role.STAFF)
        found = await self._db.read_apart(dead_letters.replayable, wanted, MOST_AT_ONCE + 1)
        replayed = await self._db.write(_replay_those, actor, self.name, found[:MOST_AT_ONCE])
        return Replayed(replayed, len(found) <= MOST_AT_ONCE)

    async def discard(self, actor: Actor, event_id: str, discard: Discard) -> None:
        require_role(actor, Role.STAFF)
        await self._db.write(_discard, actor, event_id, discard)

    async def backlog(self, actor: Actor) -> Backlog:
        require_role(actor, Role.STAFF)
        return await self._db.read(readings.backlog_of)

    async def lags(self, actor: Actor, since: datetime, minutes: int) -> tuple[Spread | None, ...]:
        require_role(actor, Role.STAFF)
        return await self._db.read_apart(readings.lags_of, self.name, since, minutes)

    async def faults(self, actor: Actor) -> FaultState:
        require_role(actor, Role.ADMIN)
        if self._faults is None:
            raise NotBreakable("things go wrong on purpose in development only")
        happened = tuple(Happening(*one) for one in self._faults.happened)
        return struct_of(FaultState, self._faults, happened=happened)

    async def cause(self, actor: Actor, fault: Fault) -> FaultState:
        require_role(actor, Role.ADMIN)
        if self._faults is not None:
            self._faults.cause(fault.kind)
        return await self.faults(actor)

    async def audit(self, actor: Actor, wanted: EntryFilter, cursor: str | None, limit: int) -> Page[Entry]:
        require_role(actor, Role.ADMIN)
        return await self._db.read(readings.entries, wanted, cursor, limit)


def _replay(session: Session, actor: Actor, event_id: str, replay: Replay) -> None:
    dead_letters.replay(session, event_id, replay.data)
    note(session, actor, "dead_letter.replayed", f"event {event_id}", after={"edited": replay != AS_IT_IS})


def _replay_those(session: Session, actor: Actor, consumer: str, event_ids: Sequence[str]) -> int:
    replayed = dead_letters.replay_those(session, consumer, event_ids)
    for event_id in replayed:
        note(session, actor, "dead_letter.replayed", f"event {event_id}", after={"edited": False})
    return len(replayed)


def _discard(session: Session, actor: Actor, event_id: str, discard: Discard) -> None:
    dead_letters.discard(session, event_id)
    note(session, actor, "dead_letter.discarded", f"event {event_id}", after={"reason": discard.reason})
