"""The parts of a trace: what took how long, and because of what. Only traces that are sampled have any.

A span costs many times as much as to see that there is none to be made, so that nothing else is done for the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import Token
from random import random
from types import TracebackType
from typing import Final, Literal, Protocol

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.telemetry.trace import TraceContext, new_span_id, new_trace_id, trace

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int]

SERVER_ERROR: Final = 500
NOTHING: Final[Attributes] = {}


class Recorded(Protocol):
    """A span that has begun."""

    @property
    def context(self) -> TraceContext: ...

    def name(self, name: str) -> None: ...

    def note(self, attributes: Attributes) -> None: ...

    def link(self, to: TraceContext) -> None: ...

    def end(self, error: str) -> None:
        """`error` is empty where nothing failed."""
        ...


class Recorder(Protocol):
    """Where spans go."""

    ratio: float
    """Of the traces that begin here, how many are sampled."""

    def begin(
        self,
        name: str,
        kind: Kind,
        parent: TraceContext | None,
        links: Sequence[TraceContext],
        attributes: Attributes,
    ) -> Recorded: ...


class _InUse:
    recorder: Recorder | None = None


class Span:
    """What is done in its context is part of it. Of a trace that is not sampled it does nothing."""

    __slots__ = ("_recorded", "_token", "context")

    def __init__(self, recorded: Recorded | None) -> None:
        self._recorded = recorded
        self.context = recorded.context if recorded else None
        self._token: Token[TraceContext | None] | None = None

    def name(self, name: str) -> None:
        if self._recorded:
            self._recorded.name(name)

    def note(self, attributes: Attributes) -> None:
        if self._recorded:
            self._recorded.note(attributes)

    def link(self, to: TraceContext | None) -> None:
        """Say that they belong together, where one is not the other's cause alone."""
        if self._recorded and to is not None:
            self._recorded.link(to)

    def end(self, error: str = "") -> None:
        if self._recorded:
            self._recorded.end(error)

    def end_with(self, error: BaseException) -> None:
        """A refusal is an answer as any other: what the shop could not do is an error."""
        told = error if isinstance(error, EcshopError) else None
        self.note({"error.type": told.code if told else type(error).__name__})
        self.end("" if told and told.status < SERVER_ERROR else f"{type(error).__name__}: {error}")

    def __enter__(self) -> Span:
        if self._recorded:
            self._token = trace.set(self._recorded.context)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._token:
            trace.reset(self._token)
            self.end_with(error) if error else self.end()


_NONE: Final = Span(None)


def record_by(recorder: Recorder | None) -> None:
    """From here on; None records nothing."""
    _InUse.recorder = recorder


def span(name: str, kind: Kind = "internal", attributes: Attributes = NOTHING) -> Span:
    """A part of what is being done."""
    parent = trace.get()
    return _NONE if parent is None or not parent.is_sampled else span_of(parent, name, kind, attributes=attributes)


def span_of(
    parent: TraceContext | None,
    name: str,
    kind: Kind,
    *,
    links: Sequence[TraceContext | None] = (),
    attributes: Attributes = NOTHING,
) -> Span:
    """A part of the `parent`, which may be over."""
    recorder = _InUse.recorder
    if recorder is None or parent is None or not (parent.is_sampled and parent.span_id):
        return _NONE
    return Span(recorder.begin(name, kind, parent, _sampled(links), attributes))


def shared_span(name: str, kind: Kind, links: Sequence[TraceContext | None]) -> Span:
    """Of what is done for several at once: a trace of its own, linked with each of theirs that is sampled."""
    recorder, sampled = _InUse.recorder, _sampled(links)
    return Span(recorder.begin(name, kind, None, sampled, NOTHING)) if recorder and sampled else _NONE


def served_span(caller: TraceContext | None) -> Span:
    """Of a request: a part of its caller's trace, who says whether that is sampled, or the root of one."""
    recorder = _InUse.recorder
    if recorder is None:
        return _NONE
    if caller is not None:
        return span_of(caller, "", "server")
    if random() >= recorder.ratio:  # noqa: S311 - a share of them, no secret
        return _NONE
    return Span(recorder.begin("", "server", None, (), NOTHING))


def outgoing_traceparent() -> str:
    """For a call to another service. Without a trace here none is to begin there; it is empty where nobody traces."""
    context = trace.get()
    if context is not None and context.span_id:
        return context.traceparent
    if _InUse.recorder is None:
        return ""
    return TraceContext(new_trace_id(), new_span_id(), is_sampled=False).traceparent


def _sampled(contexts: Sequence[TraceContext | None]) -> list[TraceContext]:
    return [one for one in contexts if one is not None and one.is_sampled and one.span_id]
