"""Applies events to one context's database: in batches, exactly once, and never stuck behind one that fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from sqlalchemy.orm import Session

from ecshop.events.attempts import Failure, told
from ecshop.events.attempts import keep as keep_attempts
from ecshop.events.catalog import Event
from ecshop.events.dead_letters import keep as keep_letter
from ecshop.events.envelope import AnyEnvelope, Envelope, body_of, from_bytes, opened, trace_of
from ecshop.events.faults import Faults
from ecshop.events.inbox import once
from ecshop.events.tables import DeadLetter
from ecshop.events.tracing import received
from ecshop.kernel.clock import now
from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import Unavailable
from ecshop.kernel.telemetry.spans import Span

log = structlog.get_logger("events")

BACKOFF: Final = tuple(timedelta(seconds=seconds) for seconds in (0.5, 1, 2, 4, 8))
"""The pauses before the retries of an event that fails; after the last one it becomes a dead letter."""

_LONGEST_ERROR: Final = 2000

Handler = Callable[[Session, Sequence[Any]], Sequence[str]]
"""Applies events of one type set-wise, in the consumer's transaction; says for the log what it did with each."""


class Outcome(NamedTuple):
    type: str
    did: str


class Delivery(NamedTuple):
    message: Envelope[Event] | bytes
    """The bytes that a broker has brought, or an envelope that has never left this process."""
    attempts: int
    """How often this event was tried before."""


def _envelope_in(message: Envelope[Event] | bytes) -> AnyEnvelope:
    return from_bytes(message) if isinstance(message, bytes) else message


class Consumer:
    """Hears the events that `handlers` names, under the name of its context."""

    def __init__(
        self,
        name: str,
        database: Database,
        handlers: Mapping[type[Event], Handler],
        backoff: Sequence[timedelta] = BACKOFF,
        faults: Faults | None = None,
    ) -> None:
        self.name, self._database, self._backoff = name, database, backoff
        self.outcomes: Counter[Outcome] = Counter()
        """How often it did what, since it began."""
        self.observe_lag: Callable[[float], None] | None = None
        """Told of each event that was applied, how many seconds before it had begun."""
        self._faults = faults
        self._handlers = {event.type: handler for event, handler in handlers.items()}

    @property
    def types(self) -> frozenset[str]:
        return frozenset(self._handlers)

    async def handle(self, deliveries: Sequence[Delivery]) -> list[timedelta | None]:
        """Apply the deliveries; for each, None when it is done with, else the pause before its next try.

        Raises `Unavailable` when the database is away: that is nobody's failed attempt.
        """
        verdicts: list[timedelta | None] = [None] * len(deliveries)
        known: list[tuple[int, AnyEnvelope]] = []
        spans: dict[int, Span] = {}
        for place, delivery in enumerate(deliveries):
            try:
                envelope = _envelope_in(delivery.message)
            except msgspec.DecodeError as cause:
                await self._give_up(delivery, None, cause)
                continue
            if envelope.type in self._handlers:
                if envelope.traceparent:
                    envelope, spans[place] = received(envelope, self.name)
                known.append((place, envelope))
            else:
                self._log(envelope, "ignored: not listened to")
        outcomes = await self._apply_each([envelope for _, envelope in known])
        if spans:
            _end(spans, {place: outcome for (place, _), outcome in zip(known, outcomes, strict=True)})
        await self._keep_failures([envelope for _, envelope in known], outcomes)
        applied_at = now()
        for (place, envelope), outcome in zip(known, outcomes, strict=True):
            if isinstance(outcome, Exception):
                verdicts[place] = await self._failed(deliveries[place], envelope, outcome)
            else:
                self._log(envelope, outcome)
                if self.observe_lag:
                    self.observe_lag((applied_at - envelope.time).total_seconds())
        return verdicts

    async def reject(self, delivery: Delivery) -> None:
        """Make it a dead letter without another try."""
        cause = RuntimeError(f"handed out {delivery.attempts} times and never settled")
        try:
            envelope = _envelope_in(delivery.message)
        except msgspec.DecodeError:
            envelope = None
        await self._give_up(delivery, envelope, cause)

    async def _apply_each(self, envelopes: Sequence[AnyEnvelope]) -> Sequence[str | Exception]:
        apply = partial(self._database.write_each, self._apply)
        return await (self._faults.around(apply, envelopes) if self._faults else apply(envelopes))

    def _apply(self, session: Session, envelopes: Sequence[AnyEnvelope]) -> list[str]:
        by_type: dict[str, list[AnyEnvelope]] = {}
        for envelope in once(session, self.name, envelopes):
            by_type.setdefault(envelope.type, []).append(envelope)
        done: dict[str, str] = {}
        for type_, together in by_type.items():
            did = self._handlers[type_](session, [opened(envelope) for envelope in together])
            session.flush()  # the next handler may read by statements that know nothing of the session's objects
            done |= zip((envelope.id for envelope in together), did, strict=True)
        return [done.pop(envelope.id, "ignored: applied before") for envelope in envelopes]

    async def _keep_failures(self, envelopes: Sequence[AnyEnvelope], outcomes: Sequence[str | Exception]) -> None:
        failures: list[Failure] = []
        for envelope, outcome in zip(envelopes, outcomes, strict=True):
            if isinstance(outcome, Unavailable):
                raise outcome
            if isinstance(outcome, Exception):
                failures.append(Failure(envelope.id, outcome))
        if failures:
            await self._database.write(keep_attempts, self.name, failures)

    async def _failed(self, delivery: Delivery, envelope: AnyEnvelope, cause: Exception) -> timedelta | None:
        if delivery.attempts >= len(self._backoff):
            await self._give_up(delivery, envelope, cause)
            return None
        pause = self._backoff[delivery.attempts]
        self._warn("failed, will be tried again", envelope, cause, pause=pause.total_seconds())
        return pause

    async def _give_up(self, delivery: Delivery, envelope: AnyEnvelope | None, cause: Exception) -> None:
        body = body_of(delivery.message)
        letter = DeadLetter(
            consumer=self.name,
            event_id=envelope.id if envelope else f"sha256-{sha256(body).hexdigest()}",
            type=envelope.type if envelope else "",
            body=body,
            error=told(cause, _LONGEST_ERROR),
            attempts=delivery.attempts + 1,
            failed_at=now(),
        )
        await self._database.write(keep_letter, letter)
        self._warn("became a dead letter", envelope, cause)

    def _log(self, envelope: AnyEnvelope, did: str) -> None:
        self.outcomes[Outcome(envelope.type, did)] += 1
        log.info(
            "event received",
            consumer=self.name,
            type=envelope.type,
            subject=envelope.subject,
            did=did,
            event_id=envelope.id,
            request_id=envelope.requestid or "",
            **(_trace_fields(envelope) if envelope.traceparent else {}),
        )

    def _warn(self, did: str, envelope: AnyEnvelope | None, cause: Exception, **fields: Any) -> None:
        type_ = envelope.type if envelope else "undecodable"
        self.outcomes[Outcome(type_, did)] += 1
        log.warning(
            "event received",
            consumer=self.name,
            type=type_,
            subject=envelope.subject if envelope else "",
            did=did,
            event_id=envelope.id if envelope else "",
            request_id=(envelope and envelope.requestid) or "",
            **(_trace_fields(envelope) if envelope else {}),
            error=f"{type(cause).__name__}: {cause}",
            **fields,
        )


def _end(spans: Mapping[int, Span], outcomes: Mapping[int, str | Exception]) -> None:
    for place, span in spans.items():
        outcome = outcomes[place]
        if isinstance(outcome, Exception):
            span.end_with(outcome)
        else:
            span.note({"ecshop.outcome": outcome})
            span.end()


def _trace_fields(envelope: AnyEnvelope) -> dict[str, Any]:
    context = trace_of(envelope)
    return context.fields if context else {}
