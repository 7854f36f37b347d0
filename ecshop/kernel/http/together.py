"""What waits for a neighbour is sent together: one request for all that came up while an earlier one was on its way.

No timer: a call that comes alone goes at once. The models are tRPC's httpBatchLink and the batches of TigerBeetle.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar

import msgspec
import structlog
from msgspec import UNSET, Meta, Struct, UnsetType

from ecshop.kernel.deadline import Deadline, deadline
from ecshop.kernel.errors import Aborted, EcshopError, Internal, Unavailable
from ecshop.kernel.http.problems import FAILED, from_problem, to_problem
from ecshop.kernel.http.remote import Remote
from ecshop.kernel.telemetry.cause import cause
from ecshop.kernel.telemetry.logs import annotate, request_id
from ecshop.kernel.telemetry.spans import Span, shared_span, span, span_of
from ecshop.kernel.telemetry.trace import TraceContext, context_of, trace

log = structlog.get_logger("http")

MOST_ITEMS: Final = 256
_MOST_BYTES: Final = 48 * 1024
"""Of a body; one item is far smaller, and a body may have 64 KiB."""
_ON_THEIR_WAY: Final = 2
_MOST_WAITING: Final = 1000

T = TypeVar("T")


class Item(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What is asked for, in the name of a request of its own, whose id and trace `Together` sets."""

    request_id: Annotated[str, Meta(max_length=64, pattern="^[A-Za-z0-9._-]*$")] = ""
    traceparent: Annotated[str, Meta(max_length=64)] = ""


class Outcome(Struct, frozen=True):
    """What came of one item: a value, or the problem with it."""

    value: Any = UNSET
    problem: dict[str, Any] | UnsetType = UNSET


class _Told(Struct, frozen=True):
    value: msgspec.Raw | UnsetType = UNSET
    problem: dict[str, Any] | UnsetType = UNSET


class _Waiting(NamedTuple):
    item: Item
    deadline: Deadline
    answer: asyncio.Future[Any]
    span: Span


Asked = TypeVar("Asked", bound=Item)


class Together(Generic[T]):
    """Calls of one kind to one neighbour, that are answered alike however often they come.

    A request that fails fails each of its items. When the neighbour does not answer, nobody waits for it any longer.
    """

    def __init__(self, remote: Remote, path: str, returns: type[T]) -> None:
        self._remote, self._path, self._decoder = remote, path, msgspec.json.Decoder(returns)
        self._waiting: deque[_Waiting] = deque()
        self._sending: set[asyncio.Task[None]] = set()
        self._is_woken = False

    async def call(self, item: Item) -> T:
        """Raises what the other side raised, `Unavailable` without an answer, `Aborted` if it was never sent."""
        if len(self._waiting) >= _MOST_WAITING:
            raise Aborted("too much waits for another service; try again in a moment")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        with span(f"call {self._path}", "client") as own:
            own_cause = cause()
            item.request_id, item.traceparent = own_cause.request_id, own_cause.traceparent
            self._waiting.append(_Waiting(item, deadline.get(), answer, own))
            if not self._is_woken:
                self._is_woken = True
                loop.call_soon(self._go)
            return await answer

    def _go(self) -> None:
        """Once a turn of the event loop, for all that came up in it, and when a request is answered."""
        self._is_woken = False
        while self._waiting and len(self._sending) < _ON_THEIR_WAY:
            some, items = self._take()
            if some:
                task = asyncio.create_task(self._send(some, items))
                self._sending.add(task)
                task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._go()

    def _take(self) -> tuple[list[_Waiting], list[msgspec.Raw]]:
        """The next that still wait for it, as many as one request takes."""
        some: list[_Waiting] = []
        items: list[msgspec.Raw] = []
        room = _MOST_BYTES
        while self._waiting and len(some) < MOST_ITEMS and room > 0:
            one = self._waiting.popleft()
            if not one.answer.done() and one.deadline.left > 0:
                encoded = msgspec.json.encode(one.item)
                some.append(one)
                items.append(msgspec.Raw(encoded))
                room -= len(encoded)
            elif not one.answer.done():
                one.answer.set_exception(Aborted("its time was over; try again"))
        return some, items

    async def _send(self, some: Sequence[_Waiting], items: Sequence[msgspec.Raw]) -> None:
        deadline.set(max((one.deadline for one in some), key=lambda one: one.ends))
        request_id.set(some[0].item.request_id)
        trace.set(None)
        self._remote.calls += len(some) - 1
        try:
            with shared_span(f"together {self._path}", "internal", [one.span.context for one in some]) as shared:
                for one in some:
                    one.span.link(shared.context)
                told = await self._remote.call("POST", self._path, list[_Told], items, repeatable=True)
            if len(told) != len(some):
                raise Unavailable(f"{self._path} answered {len(told)} items of {len(some)}")
            for one, outcome in zip(some, told, strict=True):
                self._tell(one.answer, outcome)
        except asyncio.CancelledError:
            for one in some:
                one.answer.cancel()
            raise
        except Exception as error:
            self._fail(some, error)

    def _tell(self, answer: asyncio.Future[T], outcome: _Told) -> None:
        if answer.done():
            return
        if isinstance(outcome.value, msgspec.Raw):
            answer.set_result(self._decoder.decode(outcome.value))
        else:
            answer.set_exception(from_problem(outcome.problem or {}))

    def _fail(self, some: Sequence[_Waiting], error: Exception) -> None:
        """An exception for each: one that several tasks raise gathers the tracebacks of all of them."""
        if not isinstance(error, EcshopError):
            log.error("a neighbour's answer cannot be read", path=self._path, exc_info=error)
            error = Unavailable("another service answered something else than was asked for")
        for one in some:
            if not one.answer.done():
                one.answer.set_exception(type(error)(error.detail, **error.fields))
        if isinstance(error, Unavailable):
            while self._waiting:
                one = self._waiting.popleft()
                if not one.answer.done():
                    one.answer.set_exception(Aborted(error.detail))


async def serve_each(what: str, items: Sequence[Asked], serve: Callable[[Asked], Awaitable[Any]]) -> list[Outcome]:
    """The other side: the items are served side by side, and fail apart; `what` is done, as traces have it."""
    annotate(request_ids=[item.request_id for item in items])
    shared = trace.get()
    return await asyncio.gather(*(_outcome(what, item, serve, shared) for item in items))


async def _outcome(
    what: str, item: Asked, serve: Callable[[Asked], Awaitable[Any]], shared: TraceContext | None
) -> Outcome:
    """Each is part of the trace of its own request, and not of the one that it came in."""
    request_id.set(item.request_id)
    caller = context_of(item.traceparent)
    trace.set(caller)
    try:
        with span_of(caller, f"serve {what}", "server", links=[shared]):
            return Outcome(await serve(item))
    except EcshopError as error:
        return Outcome(problem=to_problem(error, item.request_id))
    except Exception as error:
        log.error(FAILED, request_id=item.request_id, exc_info=error)
        return Outcome(problem=to_problem(Internal(), item.request_id))
