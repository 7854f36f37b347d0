"""The inbox: applying is part of the effect, and happens once."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from ecshop.events import inbox
from ecshop.events.catalog import StockDepleted
from ecshop.events.dead_letters import keep
from ecshop.events.envelope import AnyEnvelope
from ecshop.events.inbox import once
from ecshop.events.outbox import Purged
from ecshop.events.tables import DeadLetter, Inbox
from ecshop.kernel.clock import now
from tests.events import seal
from tests.unit.notes import transaction

HOUR = timedelta(hours=1)
KEPT = timedelta(hours=144)


def test_a_consumer_is_given_an_event_once(engine: Engine) -> None:
    first, second, third = _envelopes(3)
    with transaction(engine) as session:
        assert once(session, "product", [first, second]) == [first, second]
    with transaction(engine) as session:
        assert once(session, "product", [first, third, second]) == [third]


def test_an_event_that_comes_twice_in_a_batch_is_given_once(engine: Engine) -> None:
    first, second = _envelopes(2)
    with transaction(engine) as session:
        assert once(session, "product", [first, second, first]) == [first, second]
        assert once(session, "product", [second, second]) == []


def test_each_consumer_is_given_the_event(engine: Engine) -> None:
    [event] = _envelopes(1)
    with transaction(engine) as session:
        assert once(session, "product", [event]) == once(session, "order", [event]) == [event]


def test_an_event_whose_effect_was_rolled_back_is_given_again(engine: Engine) -> None:
    [event] = _envelopes(1)
    with Session(engine) as session:
        once(session, "product", [event])
        session.rollback()
    with transaction(engine) as session:
        assert once(session, "product", [event]) == [event]


def test_an_applied_event_is_forgotten_only_when_it_cannot_come_again(engine: Engine) -> None:
    past, kept, fresh = (_id_from(now() - age) for age in (KEPT + HOUR, KEPT - HOUR, timedelta()))
    with transaction(engine) as session:
        long_ago = now() - KEPT - HOUR
        rows = [{"consumer": "product", "event_id": id_, "applied_at": long_ago} for id_ in (past, kept, fresh)]
        session.execute(insert(Inbox), rows)
        assert inbox.purge(session, "product", now() - KEPT, "", 10) == Purged(1, None)
        assert list(session.scalars(select(Inbox.event_id).order_by(Inbox.event_id))) == [kept, fresh]


def test_an_old_event_that_was_applied_just_now_is_remembered(engine: Engine) -> None:
    """It waited long for its listener, or was recorded by a clock that was behind."""
    old = _id_from(now() - 100 * KEPT)
    with transaction(engine) as session:
        session.execute(insert(Inbox), [{"consumer": "product", "event_id": old, "applied_at": now()}])
        assert inbox.purge(session, "product", now() - KEPT, "", 10) == Purged(0, None)


def test_a_purge_goes_over_few_events_at_a_time_and_says_where_it_was(engine: Engine) -> None:
    long_ago = now() - KEPT - HOUR
    ids = sorted(_id_from(long_ago + number * timedelta(seconds=1)) for number in range(5))
    times = [long_ago, now(), long_ago, long_ago, long_ago]
    with transaction(engine) as session:
        rows = [{"consumer": "product", "event_id": id_, "applied_at": at} for id_, at in zip(ids, times, strict=True)]
        session.execute(insert(Inbox), rows)
        assert inbox.purge(session, "product", now() - KEPT, "", 2) == Purged(1, ids[1])
        assert inbox.purge(session, "product", now() - KEPT, ids[1], 2) == Purged(2, ids[3])
        assert inbox.purge(session, "product", now() - KEPT, ids[3], 2) == Purged(1, None)
        assert list(session.scalars(select(Inbox.event_id))) == [ids[1]]


def test_a_later_failure_of_an_event_replaces_the_earlier_one_and_is_counted(engine: Engine) -> None:
    for attempts in (6, 12):
        with transaction(engine) as session:
            keep(session, DeadLetter(**_letter(attempts)))
    with transaction(engine) as session:
        [letter] = session.scalars(select(DeadLetter))
        assert (letter.attempts, letter.times) == (12, 2)


def _envelopes(number: int) -> list[AnyEnvelope]:
    return [seal(StockDepleted(product_id, 1)) for product_id in range(number)]


def _id_from(moment: datetime) -> str:
    """A UUID of version 7 made at that moment."""
    return str(UUID(int=(int(moment.timestamp() * 1000) << 80) | (uuid7().int & (2**80 - 1))))


def _letter(attempts: int) -> dict[str, object]:
    return {
        "consumer": "product",
        "event_id": "1",
        "type": StockDepleted.type,
        "body": b"{}",
        "error": "ValueError: no",
        "attempts": attempts,
        "failed_at": now(),
    }
