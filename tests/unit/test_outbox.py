"""The outbox: publishing is part of the change, and nothing is forgotten before its time."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from ecshop.events.catalog import StockDepleted
from ecshop.events.envelope import body_of, from_bytes
from ecshop.events.outbox import (
    LONGEST_PAUSE,
    Postponed,
    Purged,
    Receipt,
    Taken,
    confirm,
    count_unheard,
    pending,
    purge,
    read,
    record,
    resend,
    settle,
    unheard,
)
from ecshop.events.tables import Outbox
from ecshop.kernel.clock import now
from tests.unit.notes import transaction

HOUR = timedelta(hours=1)
RETENTION = timedelta(hours=72)


def test_an_event_is_recorded_with_the_change_that_it_tells_of(engine: Engine) -> None:
    with transaction(engine) as session:
        record(session, [StockDepleted(7, 12)])
    with transaction(engine) as session:
        [event] = pending(session, 100)
    [outgoing] = read([event])
    envelope = from_bytes(body_of(outgoing.message))
    assert (outgoing.type, outgoing.event_id, outgoing.attempts) == (StockDepleted.type, envelope.id, 0)
    assert msgspec.json.decode(envelope.data, type=StockDepleted) == StockDepleted(7, 12)


def test_a_change_that_is_rolled_back_tells_nothing(engine: Engine) -> None:
    with Session(engine) as session:
        record(session, [StockDepleted(7, 12)])
        session.rollback()
    assert _due(engine) == []


def test_a_change_may_tell_nothing(engine: Engine) -> None:
    with transaction(engine) as session:
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
    with transaction(engine) as session:
        settle(session, taken=[_taken(first), _taken(third)])
    assert _due(engine) == [second]


def test_a_postponed_event_is_not_due_before_its_time(engine: Engine) -> None:
    first, second = _recorded(engine, 2)
    with transaction(engine) as session:
        settle(session, postponed=[Postponed(first, now() + LONGEST_PAUSE / 2)])
    assert _due(engine) == [second]


def test_what_was_postponed_by_a_clock_that_was_ahead_is_due(engine: Engine) -> None:
    """Also what was postponed before the clock was set back."""
    [first] = _recorded(engine, 1)
    with transaction(engine) as session:
        settle(session, postponed=[Postponed(first, now() + 2 * HOUR)])
    assert _due(engine) == [first]


@pytest.mark.parametrize("ahead", [LONGEST_PAUSE / 2, 365 * 24 * HOUR])
def test_a_new_event_is_due_whatever_the_clock_said_when_it_was_recorded(engine: Engine, ahead: timedelta) -> None:
    [first] = _recorded(engine, 1)
    moment = now() + ahead
    with transaction(engine) as session:
        session.execute(update(Outbox).values(recorded_at=moment, due_at=moment))
    assert _due(engine) == [first]


def test_a_postponed_event_has_its_pause_although_it_was_recorded_by_a_clock_that_was_ahead(engine: Engine) -> None:
    [first] = _recorded(engine, 1)
    with transaction(engine) as session:
        session.execute(update(Outbox).values(recorded_at=now() + HOUR))
        settle(session, postponed=[Postponed(first, now() + LONGEST_PAUSE / 2)])
    assert _due(engine) == []


def test_a_postponed_event_comes_back_with_its_attempts_counted(engine: Engine) -> None:
    first, second = _recorded(engine, 2)
    with transaction(engine) as session:
        for _ in range(3):
            settle(session, postponed=[Postponed(first, now() - HOUR)])
    with transaction(engine) as session:
        assert [(event.seq, event.attempts) for event in pending(session, 100)] == [(first, 3), (second, 0)]


def test_what_is_published_and_not_heard_can_be_sent_again(engine: Engine) -> None:
    heard, lost, never = _recorded(engine, 3)
    with transaction(engine) as session:
        settle(session, heard=[heard], taken=[_taken(lost)])
        resend(session, [heard, lost])
    assert _due(engine) == [lost, never]


def test_an_event_that_is_sent_again_has_all_its_attempts_again(engine: Engine) -> None:
    [seq] = _recorded(engine, 1)
    with transaction(engine) as session:
        settle(session, postponed=[Postponed(seq, now() - HOUR)])
        settle(session, taken=[_taken(seq)])
        resend(session, [seq])
        [event] = pending(session, 1)
    assert event.attempts == 0


def test_what_is_published_and_not_heard_is_counted(engine: Engine) -> None:
    first, second, third = _recorded(engine, 3)
    with transaction(engine) as session:
        assert count_unheard(session) is None
        settle(session, heard=[first], taken=[_taken(second), _taken(third)])
        found = count_unheard(session)
        assert found is not None
        assert found.events == 2
        confirm(session, [Receipt(one.seq, one.event_id) for one in unheard(session, now(), 0, 10)])
        assert count_unheard(session) is None


def test_a_heard_event_is_forgotten_after_its_retention_and_not_before(engine: Engine) -> None:
    past, kept, waiting = _recorded(engine, 3)
    _heard(engine, {past: RETENTION + HOUR, kept: RETENTION - HOUR})
    with transaction(engine) as session:
        session.execute(update(Outbox).values(recorded_at=now() - 10 * RETENTION, due_at=now() - 10 * RETENTION))
        assert purge(session, now() - RETENTION, 0, 10) == Purged(1, None)
        assert list(session.scalars(select(Outbox.seq).order_by(Outbox.seq))) == [kept, waiting]


def test_an_event_that_is_not_heard_is_never_forgotten(engine: Engine) -> None:
    published, due = _recorded(engine, 2)
    with transaction(engine) as session:
        settle(session, taken=[_taken(published)])
        long_ago = now() - 100 * RETENTION
        session.execute(update(Outbox).values(recorded_at=long_ago))
        session.execute(update(Outbox).where(Outbox.seq == published).values(published_at=long_ago))
        assert purge(session, now() - RETENTION, 0, 10) == Purged(0, None)
        assert list(session.scalars(select(Outbox.seq).order_by(Outbox.seq))) == [published, due]


def test_a_purge_goes_over_few_events_at_a_time_and_says_where_it_was(engine: Engine) -> None:
    first, second, third, fourth, fifth = _recorded(engine, 5)
    _heard(engine, dict.fromkeys((first, second, fourth, fifth), RETENTION + HOUR))
    with transaction(engine) as session:
        session.execute(update(Outbox).values(recorded_at=now() - 10 * RETENTION))
        assert purge(session, now() - RETENTION, 0, 2) == Purged(2, second)
        assert purge(session, now() - RETENTION, second, 2) == Purged(1, fourth)
        assert purge(session, now() - RETENTION, fourth, 2) == Purged(1, None)
        assert list(session.scalars(select(Outbox.seq))) == [third]


def test_a_purge_ends_where_all_that_follows_is_younger(engine: Engine) -> None:
    recorded = _recorded(engine, 5)
    _heard(engine, dict.fromkeys(recorded, HOUR))
    with transaction(engine) as session:
        assert purge(session, now() - RETENTION, 0, 2) == Purged(0, None)


def _recorded(engine: Engine, number: int) -> list[int]:
    """That many events, told by their place in the outbox."""
    with transaction(engine) as session:
        record(session, [StockDepleted(product_id, 1) for product_id in range(number)])
        return list(session.scalars(select(Outbox.seq).order_by(Outbox.seq)))


def _due(engine: Engine, most: int = 100) -> list[int]:
    with transaction(engine) as session:
        return [event.seq for event in pending(session, most)]


def _heard(engine: Engine, ago: dict[int, timedelta]) -> None:
    """Have these events been heard so long ago."""
    with transaction(engine) as session:
        for seq, age in ago.items():
            moment = now() - age
            session.execute(update(Outbox).where(Outbox.seq == seq).values(published_at=moment, heard_at=moment))


def _taken(seq: int) -> Taken:
    return Taken(seq, "an id", "a place")
