"""What the pages, and others who look after the shop, may know of a context's events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Protocol, get_args, runtime_checkable
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from ecshop.events.faults import FaultKind
from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor
from ecshop.kernel.values import LONGEST_REASON, Page, Reason, Spread
from ecshop.kernel.words import keep_name

AUDIT: Final = "audit.read"
"""What an API key is good for."""
MOST_EVENTS: Final = 100
"""That are asked for at once by their ids."""
MOST_MINUTES: Final = 60
MOST_AT_ONCE: Final = 50
"""Dead letters that one call replays: what one transaction can hold without others waiting for it."""

FAULTS: Final = frozenset(get_args(FaultKind))

EventId = Annotated[str, Meta(examples=["019a2b1c-7f3d-8a10-9c55-4be07f3d5c18"])]
Envelope = Annotated[Any, Meta(description="As CloudEvents 1.0 has it; the text itself where it is no such envelope.")]


class PublishedEvent(Struct, frozen=True):
    """An event of the context's outbox, where it stays for some days after it was heard.

    `published_at` is when a broker had it, and null inside one process; `heard_at` when all listeners had applied it.
    `attempts` counts how often it could not be handed on.
    """

    seq: int
    event_id: EventId
    type: Annotated[str, Meta(examples=["ecshop.order.confirmed.v1"])]
    subject: Annotated[str, Meta(description="The id of what it is about.")]
    recorded_at: datetime
    published_at: datetime | None
    heard_at: datetime | None
    attempts: int
    request_id: str | None
    trace_id: str | None
    envelope: Envelope


class EventFilter(Struct, frozen=True):
    """The bounds of times are not part of them. Those that are asked for by their ids are found where they are due."""

    type: str | None = None
    recorded_after: datetime | None = None
    recorded_before: datetime | None = None
    event_id: tuple[str, ...] = ()


class FailedTry(Struct, frozen=True):
    at: datetime
    error: str


class Delivery(Struct, frozen=True):
    """What became of an event at this context: nothing yet, where it says nothing.

    `applied_at` is forgotten after some days, failed tries are not; of them the first ones are kept.
    """

    event_id: EventId
    applied_at: datetime | None
    failed: tuple[FailedTry, ...]
    given_up_at: datetime | None


class Letter(Struct, frozen=True):
    """A dead letter: an event that the context gave up on after `attempts`, for the `times`th time."""

    event_id: EventId
    type: Annotated[str, Meta(description="Empty for what is no event.")]
    error: str
    attempts: int
    times: int
    failed_at: datetime
    envelope: Envelope


class LetterFilter(Struct, frozen=True):
    """`q` is a part of the error in whatever case, or of the event as it was sent, as given or in small letters."""

    type: str | None = None
    q: str | None = None
    failed_before: datetime | None = None


class Replayed(Struct, frozen=True):
    """How many were put back; `is_all` where no more of them are left that could be tried again."""

    replayed: int
    is_all: bool


class Replay(Struct, frozen=True, forbid_unknown_fields=True):
    """With `data` the event says that instead of what it said; it is checked as the data of its type."""

    data: Annotated[Any | UnsetType, Meta(examples=[{"product_id": 7, "version": 23}])] = UNSET


AS_IT_IS: Final = Replay()
ALL_LETTERS: Final = LetterFilter()


class Discard(Struct, frozen=True, forbid_unknown_fields=True):
    reason: Reason

    def __post_init__(self) -> None:
        keep_name(self, "reason", LONGEST_REASON)


class Backlog(Struct, frozen=True):
    """How many events wait, and since when the oldest does: for a broker or a listener (`due`), for the receipt of all
    listeners (`unheard`), and for an operator (`dead_letters`).
    """

    due: int
    due_since: datetime | None
    unheard: int
    unheard_since: datetime | None
    dead_letters: int


class Entry(Struct, frozen=True):
    """What somebody did; `before` and `after` have what was changed, or what it was changed by."""

    seq: int
    at: datetime
    actor: Annotated[UUID | None, Meta(description="Who; null on the command line, and for a login that was refused.")]
    role: Annotated[str, Meta(examples=["staff", "command line"])]
    session: UUID | None
    address: Annotated[str, Meta(description="From where.", examples=["192.0.2.1"])]
    request_id: str
    action: Annotated[str, Meta(examples=["stock.adjusted"])]
    subject: Annotated[str, Meta(examples=["product 7"])]
    before: Any
    after: Any


class EntryFilter(Struct, frozen=True):
    actor: UUID | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None


class Fault(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to go wrong: a pause of the listener (30 s at most) and its end, the next event failing or coming twice,
    or the process being killed, or the broker.
    """

    kind: Annotated[FaultKind, Meta(examples=["fail"])]


class Happening(Struct, frozen=True):
    """What became of an event that was hurt on purpose."""

    at: datetime
    event_id: EventId
    type: str
    did: Annotated[str, Meta(examples=["came twice: ignored: applied before"])]


class FaultState(Struct, frozen=True):
    """How many events are still to fail and to come twice; whether somebody would start the process again,
    and the broker.
    """

    paused_until: datetime | None
    failing: int
    duplicating: int
    can_die: bool
    can_stop_broker: bool
    happened: tuple[Happening, ...]


class DeadLetterNotFound(EcshopError, code="dead_letter.not_found", status=404):
    """There is no such dead letter."""


class DeadLetterUndecodable(EcshopError, code="dead_letter.undecodable", status=409):
    """It is no event that could be tried again; all that is left is to discard it."""


class NotBreakable(EcshopError, code="events.not_breakable", status=404):
    """Things go wrong on purpose in development only."""


@runtime_checkable
class OversightClient(Protocol):
    """Of one context, for staff; what people did is for admins."""

    async def events(self, actor: Actor, wanted: EventFilter, cursor: str | None, limit: int) -> Page[PublishedEvent]:
        """Newest first. Raises `InvalidCursor`."""
        ...

    async def deliveries(self, actor: Actor, event_ids: Sequence[str]) -> tuple[Delivery, ...]:
        """What became of these events here, in their order."""
        ...

    async def dead_letters(self, actor: Actor, wanted: LetterFilter, cursor: str | None, limit: int) -> Page[Letter]:
        """Newest first. Raises `InvalidCursor`."""
        ...

    async def dead_letter(self, actor: Actor, event_id: str) -> Letter:
        """Raises `DeadLetterNotFound`."""
        ...

    async def replay(self, actor: Actor, event_id: str, replay: Replay = AS_IT_IS) -> None:
        """Try it once more: whoever has applied it already does nothing.

        Raises `DeadLetterNotFound`, `DeadLetterUndecodable`, or `InvalidRequest` for data that is not of its type.
        """
        ...

    async def replay_all(self, actor: Actor, wanted: LetterFilter) -> Replayed:
        """Try the oldest `MOST_AT_ONCE` of these once more; those that are no events stay as they are."""
        ...

    async def discard(self, actor: Actor, event_id: str, discard: Discard) -> None:
        """Let it go for good. Raises `DeadLetterNotFound`."""
        ...

    async def backlog(self, actor: Actor) -> Backlog:
        """What waits in this context's database."""
        ...

    async def lags(self, actor: Actor, since: datetime, minutes: int) -> tuple[Spread | None, ...]:
        """For each of so many minutes from `since` on, at most `MOST_MINUTES`: how long after they happened events were
        applied here, of the minute's first ones; null where none was.
        """
        ...

    async def faults(self, actor: Actor) -> FaultState:
        """For admins. Raises `NotBreakable`."""
        ...

    async def cause(self, actor: Actor, fault: Fault) -> FaultState:
        """For admins. Raises `NotBreakable`."""
        ...

    async def audit(self, actor: Actor, wanted: EntryFilter, cursor: str | None, limit: int) -> Page[Entry]:
        """What people did in this context, newest first. Raises `InvalidCursor`."""
        ...
