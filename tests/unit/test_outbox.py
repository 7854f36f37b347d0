"""Outbox and inbox: publishing is part of the change, applying is part of the effect."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Engine, func, insert, select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from ecshop.events import inbox
from ecshop.events.catalog import (
    CATALOG,
    Event,
    OrderCancelled,
    OrderConfirmed,
    OrderedUnits,
    OrderFulfilled,
    ReservationExpired,
    StockDepleted,
    StockReplenished,
)
from ecshop.events.dead_letters import bury
from ecshop.events.envelope import Envelope, from_bytes, seal, to_bytes
from ecshop.events.inbox import once
from ecshop.events.outbox import RETENTION, Postponed, pending, purge, record, resend, settle
from ecshop.events.tables import DeadLetter, Inbox, Outbox
from ecshop.kernel.clock import now
from ecshop.kernel.db.engine import open_engine, writing
from ecshop.kernel.db.migration import migrate
from ecshop.product.module import MIGRATIONS

HOUR = timedelta(hours=1)
EXAMPLES: list[Event] = [
    OrderConfirmed(uuid7(), 1, uuid7(), (OrderedUnits(7, 2), OrderedUnits(9, 1)), 4700, "EUR"),
    OrderCancelled(uuid7(), 2),
    OrderFulfilled(uuid7(), 2),
    StockDepleted(7, 12),
    StockReplenished(7, 13),
    ReservationExpired(uuid7()),
]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path}/shop.db")
    migrate(engine, MIGRATIONS)
    yield writing(engine)
    engine.dispose()


@contextmanager
def _transaction(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session, session.begin():
        yield session


def _recorded(engine: Engine, number: int) -> list[int]:
    """That many events, told by their place in the outbox."""
    with _transaction(engine) as session:
        record(session, [StockDepleted(product_id, 1) for product_id in range(number)])
        return list(session.scalars(select(Outbox.seq).order_by(Outbox.seq)))


def _due(engine: Engine, most: int = 100) -> list[int]:
    with _transaction(engine) as session:
        return [event.seq for event in pending(session, most)]


def _published(engine: Engine, ago: dict[int, timedelta]) -> None:
    """Have these events been published so long ago."""
    with _transaction(engine) as session:
        for seq, age in ago.items():
            session.execute(update(Outbox).where(Outbox.seq == seq).values(published_at=now() - age))


def test_an_event_is_recorded_with_the_change_that_it_tells_of(engine: Engine) -> None:
    with _transaction(engine) as session:
        record(session, [StockDepleted(7, 12)])
    with _transaction(engine) as session:
        [event] = pending(session, 100)
    envelope = from_bytes(event.body)
    assert (event.type, event.event_id, event.attempts) == (StockDepleted.type, envelope.id, 0)
    assert msgspec.json.decode(envelope.data, type=StockDepleted) == StockDepleted(7, 12)


def test_a_change_that_is_rolled_back_tells_nothing(engine: Engine) -> None:
    with Session(engine) as session:
        record(session, [StockDepleted(7, 12)])
        session.rollback()
    assert _due(engine) == []


def test_a_change_may_tell_nothing(engine: Engine) -> None:
    with _transaction(engine) as session:
        record(session, [])
    assert _due(engine) == []


def test_events_are_due_in_the_order_in_which_they_were_recorded(engine: Engine) -> None:
    recorded = _recorded(engine, 5)
    assert _due(engine) == recorded == sorted(recorded)


def test_only_so_many_events_are_taken_at_a_time(engine: Engine) -> None:
    recorded = _recorded(engine, 5)
    assert _due(engine, most=3) == recorded[:3]


def test_a_published_event_is_not_due_again(engine: Engine) -> None:
    first, second, third = _recorded(engine, 3)
    with _transaction(engine) as session:
        settle(session, [first, third], [])
    assert _due(engine) == [second]


def test_a_postponed_event_is_not_due_before_its_time(engine: Engine) -> None:
    first, second = _recorded(engine, 2)
    with _transaction(engine) as session:
        settle(session, [], [Postponed(first, now() + HOUR)])
    assert _due(engine) == [second]


def test_a_postponed_event_comes_back_with_its_attempts_counted(engine: Engine) -> None:
    first, second = _recorded(engine, 2)
    with _transaction(engine) as session:
        for _ in range(3):
            settle(session, [], [Postponed(first, now() - HOUR)])
    with _transaction(engine) as session:
        assert [(event.seq, event.attempts) for event in pending(session, 100)] == [(first, 3), (second, 0)]


def test_what_was_published_since_a_moment_can_be_sent_again(engine: Engine) -> None:
    old, young, never = _recorded(engine, 3)
    _published(engine, {old: 3 * HOUR, young: HOUR})
    with _transaction(engine) as session:
        assert resend(session, now() - 2 * HOUR) == 1
    assert _due(engine) == [young, never]


def test_an_event_that_is_sent_again_has_all_its_attempts_again(engine: Engine) -> None:
    [seq] = _recorded(engine, 1)
    with _transaction(engine) as session:
        settle(session, [], [Postponed(seq, now() - HOUR)])
        settle(session, [seq], [])
        resend(session, now() - HOUR)
        [event] = pending(session, 1)
    assert event.attempts == 0


def _envelopes(number: int) -> list[Envelope]:
    return [seal(StockDepleted(product_id, 1)) for product_id in range(number)]


def test_a_consumer_is_given_an_event_once(engine: Engine) -> None:
    first, second, third = _envelopes(3)
    with _transaction(engine) as session:
        assert once(session, "product", [first, second]) == [first, second]
    with _transaction(engine) as session:
        assert once(session, "product", [first, third, second]) == [third]


def test_an_event_that_comes_twice_in_a_batch_is_given_once(engine: Engine) -> None:
    first, second = _envelopes(2)
    with _transaction(engine) as session:
        assert once(session, "product", [first, second, first]) == [first, second]
        assert once(session, "product", [second, second]) == []


def test_each_consumer_is_given_the_event(engine: Engine) -> None:
    [event] = _envelopes(1)
    with _transaction(engine) as session:
        assert once(session, "product", [event]) == once(session, "order", [event]) == [event]


def test_an_event_whose_effect_was_rolled_back_is_given_again(engine: Engine) -> None:
    [event] = _envelopes(1)
    with Session(engine) as session:
        once(session, "product", [event])
        session.rollback()
    with _transaction(engine) as session:
        assert once(session, "product", [event]) == [event]


def test_a_later_failure_of_an_event_replaces_the_earlier_one(engine: Engine) -> None:
    for attempts in (6, 12):
        with _transaction(engine) as session:
            bury(session, DeadLetter(**_letter(attempts)))
    with _transaction(engine) as session:
        assert list(session.scalars(select(DeadLetter.attempts))) == [12]


def _letter(attempts: int) -> dict[str, object]:
    return {
        "consumer": "product",
        "event_id": "1",
        "type": StockDepleted.type,
        "body": b"{}",
        "error": "ValueError: no",
        "attempts": attempts,
        "buried_at": now(),
    }


def test_a_published_event_is_forgotten_after_its_retention_and_not_before(engine: Engine) -> None:
    past, kept, waiting = _recorded(engine, 3)
    _published(engine, {past: RETENTION + HOUR, kept: RETENTION - HOUR})
    with _transaction(engine) as session:
        session.execute(update(Outbox).values(recorded_at=now() - 10 * RETENTION, due_at=now() - 10 * RETENTION))
        assert purge(session) == 1
        assert list(session.scalars(select(Outbox.seq))) == [kept, waiting]


def _id_from(moment: datetime) -> str:
    """A UUID of version 7 made at that moment."""
    return str(UUID(int=(int(moment.timestamp() * 1000) << 80) | (uuid7().int & (2**80 - 1))))


def test_an_applied_event_is_forgotten_only_when_it_cannot_come_again(engine: Engine) -> None:
    past, kept, fresh = (_id_from(now() - age) for age in (2 * RETENTION + HOUR, 2 * RETENTION - HOUR, timedelta()))
    with _transaction(engine) as session:
        rows = [{"consumer": "product", "event_id": id_, "applied_at": now()} for id_ in (past, kept, fresh)]
        session.execute(insert(Inbox), rows)
        assert inbox.purge(session, "product") == 1
        assert list(session.scalars(select(Inbox.event_id).order_by(Inbox.event_id))) == [kept, fresh]


def test_a_purge_is_bounded_and_tells_when_nothing_is_left(engine: Engine) -> None:
    recorded = _recorded(engine, 1500)
    with _transaction(engine) as session:
        session.execute(update(Outbox).values(published_at=now() - RETENTION - HOUR))
    purged: list[int] = []
    for _ in range(3):
        with _transaction(engine) as session:
            purged.append(purge(session))
    assert purged[0] < len(recorded)
    assert (sum(purged), purged[-1]) == (len(recorded), 0)
    with _transaction(engine) as session:
        assert session.scalar(select(func.count()).select_from(Outbox)) == 0


def test_events_that_still_wait_do_not_keep_the_purge_from_those_behind_them(engine: Engine) -> None:
    *waiting, past = _recorded(engine, 1100)
    _published(engine, {past: RETENTION + HOUR})
    with _transaction(engine) as session:
        assert purge(session) == 1
    assert _due(engine, most=2000) == waiting


def test_there_is_an_example_of_every_event() -> None:
    assert {example.type for example in EXAMPLES} == set(CATALOG)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.type)
def test_an_event_travels_as_cloudevents_1_0(event: Event) -> None:
    before = datetime.now(UTC)
    told = json.loads(to_bytes(seal(event)))
    assert set(told) == {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
    assert (told["specversion"], told["datacontenttype"]) == ("1.0", "application/json")
    assert UUID(told["id"]).version == 7
    assert told["source"] == f"/ecshop/{event.type.split('.')[1]}"
    assert (told["type"], told["subject"]) == (event.type, event.subject)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", told["time"])
    assert before <= datetime.fromisoformat(told["time"]) <= datetime.now(UTC)
    assert isinstance(told["data"], dict)


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.type)
def test_an_event_is_the_same_after_its_travel(event: Event) -> None:
    envelope = from_bytes(to_bytes(seal(event)))
    assert msgspec.json.decode(envelope.data, type=CATALOG[envelope.type]) == event


def test_no_two_events_have_the_same_id() -> None:
    assert len({seal(EXAMPLES[0]).id for _ in range(100)}) == 100


def test_an_envelope_may_say_more_than_is_known_here() -> None:
    told = json.loads(to_bytes(seal(StockDepleted(7, 12)))) | {"traceparent": "00-1-1-00"}
    assert from_bytes(json.dumps(told).encode()).subject == "7"
