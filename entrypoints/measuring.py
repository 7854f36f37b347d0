"""What of a shop is measured in a process, and under which names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy.orm import Session

from ecshop import __version__
from ecshop.context import Context, Counted
from ecshop.events.consumer import Consumer
from ecshop.events.dead_letters import count_letters
from ecshop.events.outbox import Backlog, count_due, count_unheard
from ecshop.events.relay import Relay
from ecshop.kernel.clock import now
from ecshop.kernel.telemetry.metrics import Metrics
from ecshop.kernel.tokens import Verifier
from entrypoints.neighbours import Neighbours

_OF_OUTBOXES: Final = {
    "ecshop_outbox_events": "Events that not all their listeners have heard yet: due ones, and published ones",
    "ecshop_outbox_oldest_seconds": "For how long the oldest of them waits; 0 without any",
}


class Measuring:
    """Asks databases only when somebody asks for metrics; everything else is counted as it happens."""

    def __init__(
        self,
        contexts: Sequence[Context[Any]],
        consumers: Sequence[Consumer],
        relays: Sequence[Relay],
        verifier: Verifier,
        neighbours: Neighbours,
    ) -> None:
        self.metrics = Metrics(__version__)
        self._contexts = contexts
        self._found: dict[str, dict[tuple[str, ...], float]] = {}
        watch = self.metrics.watch
        for context in contexts:
            for lane, one in context.database.lanes.items():
                one.observe = self.metrics.transactions(context.name, lane)
            for counted in context.counted:
                watch("counter", counted.name, counted.about, [counted.label], partial(_by_label, counted))
            for measured in context.measured:
                watch("gauge", measured.name, measured.about, [], partial(self._last, measured.name))
        for name, about in _OF_OUTBOXES.items():
            watch("gauge", name, about, ["context", "state"], partial(self._last, name))
        watch(
            "gauge",
            "ecshop_dead_letters",
            "Events that a context gave up on, and that nobody has settled yet",
            ["context"],
            partial(self._last, "ecshop_dead_letters"),
        )
        watch(
            "gauge",
            "ecshop_database_waiting",
            "Calls that a database has not answered yet",
            ["db_namespace", "db_operation_name"],
            self._waiting,
        )
        for consumer in consumers:
            consumer.observe_lag = self.metrics.lag(consumer.name)
        watch(
            "counter",
            "ecshop_events_handled",
            "Events that were brought to a listener, and what it did with them",
            ["consumer", "type", "outcome"],
            lambda: {(one.name, *outcome): count for one in consumers for outcome, count in one.outcomes.items()},
        )
        watch(
            "counter",
            "ecshop_events_published",
            "Events that a bus has taken",
            ["context"],
            lambda: {(relay.name,): relay.published for relay in relays},
        )
        watch("counter", "ecshop_tokens_refused", "Tokens that were no good", [], lambda: {(): verifier.refused})
        watch("counter", "ecshop_neighbour_calls", "Calls to other services", ["neighbour"], neighbours.calls)
        about = "Requests that these calls took, of which several may share one"
        watch("counter", "ecshop_neighbour_requests", about, ["neighbour"], neighbours.requests)

    async def written(self, accept: str) -> tuple[bytes, str]:
        for context in self._contexts:
            for name, values in (await context.database.read(_look, context)).items():
                self._found.setdefault(name, {}).update(values)
        return self.metrics.written(accept)

    def _last(self, name: str) -> Mapping[tuple[str, ...], float]:
        return self._found.get(name, {})

    def _waiting(self) -> Mapping[tuple[str, ...], float]:
        return {
            (context.name, lane): one.waiting
            for context in self._contexts
            for lane, one in context.database.lanes.items()
        }


def _look(session: Session, context: Context[Any]) -> dict[str, dict[tuple[str, ...], float]]:
    backlogs = {(context.name, "due"): count_due(session), (context.name, "published"): count_unheard(session)}
    return {
        "ecshop_outbox_events": {state: backlog.events if backlog else 0 for state, backlog in backlogs.items()},
        "ecshop_outbox_oldest_seconds": {state: _age(backlog) for state, backlog in backlogs.items()},
        "ecshop_dead_letters": {(context.name,): count_letters(session)},
        **{measured.name: {(): measured.read(session)} for measured in context.measured},
    }


def _age(backlog: Backlog | None) -> float:
    return max(0.0, (now() - backlog.since).total_seconds()) if backlog else 0.0


def _by_label(counted: Counted) -> Mapping[tuple[str, ...], float]:
    return {(value,): count for value, count in counted.counts.items()}
