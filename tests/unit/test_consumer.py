"""A consumer: each event once, no event held back by another, and none lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from ecshop.events.catalog import OrderFulfilled, StockDepleted, StockReplenished
from ecshop.events.consumer import BACKOFF, Consumer, Delivery
from ecshop.events.envelope import to_bytes
from ecshop.events.tables import DeadLetter, Inbox
from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import Unavailable
from tests.events import seal
from tests.unit.notes import Note, OpenDatabase

pytestmark = pytest.mark.anyio

BAD = 666
GOOD_ONES = [1, 2, 3]


class Shelf:
    """Handlers whose effect is a row an event; they fail for the product `BAD`, after they have written."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.sizes: list[int] = []
        self._fault = fault or ValueError("a bug")

    def depleted(self, session: Session, events: Sequence[StockDepleted]) -> list[str]:
        self.sizes.append(len(events))
        session.add_all(Note(text=f"{event.product_id} depleted") for event in events)
        session.flush()
        if any(event.product_id == BAD for event in events):
            raise self._fault
        return ["noted"] * len(events)

    def replenished(self, session: Session, events: Sequence[StockReplenished]) -> list[str]:
        session.add_all(Note(text=f"{event.product_id} replenished") for event in events)
        return ["noted"] * len(events)


def _consumer(database: Database, shelf: Shelf | None = None) -> Consumer:
    shelf = shelf or Shelf()
    return Consumer(
        "shelf", database, {StockDepleted: shelf.depleted, StockReplenished: shelf.replenished}, backoff=BACKOFF
    )


def _body(product_id: int) -> bytes:
    return to_bytes(seal(StockDepleted(product_id, 1)))


def _delivery(product_id: int, attempts: int = 0) -> Delivery:
    return Delivery(_body(product_id), attempts)


def _changed(**members: object) -> Delivery:
    """An event whose envelope was changed on its way."""
    told = json.loads(_body(1)) | members
    return Delivery(json.dumps(told).encode(), 0)


async def _effects(database: Database) -> list[str]:
    return await database.read(lambda session: sorted(session.scalars(select(Note.text))))


async def _dead_letters(database: Database) -> list[DeadLetter]:
    return await database.read(lambda session: list(session.scalars(select(DeadLetter))))


async def test_a_consumer_listens_to_the_types_that_it_handles(database: Database) -> None:
    assert _consumer(database).types == {StockDepleted.type, StockReplenished.type}


async def test_an_event_is_applied(database: Database) -> None:
    assert await _consumer(database).handle([_delivery(1)]) == [None]
    assert await _effects(database) == ["1 depleted"]


async def test_events_of_a_type_are_applied_together(database: Database) -> None:
    shelf = Shelf()
    replenished = Delivery(to_bytes(seal(StockReplenished(4, 2))), 0)
    deliveries = [_delivery(1), replenished, _delivery(2), _delivery(3)]
    assert await _consumer(database, shelf).handle(deliveries) == [None] * 4
    assert shelf.sizes == [3]
    assert await _effects(database) == ["1 depleted", "2 depleted", "3 depleted", "4 replenished"]


async def test_what_one_handler_has_changed_is_there_for_the_next_one_of_the_batch(database: Database) -> None:
    found: list[str] = []

    def note(session: Session, events: Sequence[StockDepleted]) -> list[str]:
        session.add(Note(text="noted"))
        return ["noted"]

    def look(session: Session, events: Sequence[StockReplenished]) -> list[str]:
        found.extend(session.connection().scalars(select(Note.text)))
        return ["seen"]

    consumer = Consumer("shelf", database, {StockDepleted: note, StockReplenished: look})
    await consumer.handle([_delivery(1), Delivery(to_bytes(seal(StockReplenished(1, 2))), 0)])
    assert found == ["noted"]


async def test_an_event_that_is_delivered_twice_is_applied_once(database: Database) -> None:
    shelf, delivery = Shelf(), _delivery(1)
    consumer = _consumer(database, shelf)
    assert await consumer.handle([delivery]) == [None]
    assert await consumer.handle([delivery]) == [None]
    assert shelf.sizes == [1]
    assert await _effects(database) == ["1 depleted"]


async def test_an_event_that_comes_twice_in_a_batch_is_applied_once(database: Database) -> None:
    shelf, delivery = Shelf(), _delivery(1)
    assert await _consumer(database, shelf).handle([delivery, _delivery(2), delivery]) == [None] * 3
    assert shelf.sizes == [2]


async def test_another_process_of_the_consumer_does_not_apply_it_again(open_database: OpenDatabase) -> None:
    delivery = _delivery(1)
    assert await _consumer(open_database()).handle([delivery]) == [None]
    shelf = Shelf()
    assert await _consumer(open_database(guest=True), shelf).handle([delivery]) == [None]
    assert shelf.sizes == []


@pytest.mark.parametrize("unknown", [OrderFulfilled.type, "ecshop.stock.depleted.v2", "", "moon.full"])
async def test_an_event_that_nobody_here_handles_is_done_with(unknown: str, database: Database) -> None:
    assert await _consumer(database).handle([_changed(type=unknown), _delivery(1)]) == [None, None]
    assert await _effects(database) == ["1 depleted"]
    assert await _dead_letters(database) == []


async def test_a_handled_event_of_another_type_has_no_effect(database: Database) -> None:
    delivery = Delivery(to_bytes(seal(OrderFulfilled(uuid7(), 2))), 0)
    assert await _consumer(database).handle([delivery]) == [None]
    assert await database.read(lambda session: list(session.scalars(select(Inbox.event_id)))) == []


UNDECODABLE = {
    "nothing": b"",
    "broken JSON": b'{"id": "1", "type"',
    "no object": b"[1, 2, 3]",
    "nothing of an envelope": b"{}",
    "invalid UTF-8": b'{"id": "\xff", "type": "\xfe"}',
    "no text at all": b"\xff\xfe\x00\x80",
    "nested without end": b"[" * 100_000,
    "an id that is no text": to_bytes(seal(StockDepleted(1, 1))).replace(b'"id":"', b'"id":7,"other":"'),
}


@pytest.mark.parametrize("body", UNDECODABLE.values(), ids=UNDECODABLE)
async def test_what_cannot_be_decoded_becomes_a_dead_letter_at_once(body: bytes, database: Database) -> None:
    consumer = _consumer(database)
    assert await consumer.handle([_delivery(1), Delivery(body, 0), _delivery(2)]) == [None] * 3
    [letter] = await _dead_letters(database)
    assert (letter.consumer, letter.type, letter.body, letter.attempts) == ("shelf", "", body, 1)
    assert letter.error
    assert await _effects(database) == ["1 depleted", "2 depleted"]


async def test_what_cannot_be_decoded_is_one_dead_letter_however_often_it_comes(database: Database) -> None:
    consumer, body = _consumer(database), Delivery(b"{", 0)
    await consumer.handle([body, body])
    await consumer.handle([body])
    assert len(await _dead_letters(database)) == 1


async def test_a_failing_event_does_not_hold_back_the_others(database: Database) -> None:
    deliveries = [_delivery(product_id) for product_id in (1, BAD, 2, 3)]
    assert await _consumer(database).handle(deliveries) == [None, BACKOFF[0], None, None]
    assert await _effects(database) == ["1 depleted", "2 depleted", "3 depleted"]


async def test_a_failing_event_leaves_no_trace_of_its_attempt(database: Database) -> None:
    assert await _consumer(database).handle([_delivery(BAD)]) == [BACKOFF[0]]
    assert await _effects(database) == []
    assert await database.read(lambda session: list(session.scalars(select(Inbox.event_id)))) == []


async def test_a_failing_event_is_applied_when_it_fails_no_more(database: Database) -> None:
    body = _body(BAD)
    await _consumer(database).handle([Delivery(body, 0)])
    healed = Consumer("shelf", database, {StockDepleted: lambda _, events: ["noted"] * len(events)})
    assert await healed.handle([Delivery(body, 1)]) == [None]
    assert len(await database.read(lambda session: list(session.scalars(select(Inbox.event_id))))) == 1


async def test_the_pauses_grow_and_after_the_last_one_a_failing_event_becomes_a_dead_letter(database: Database) -> None:
    consumer, body = _consumer(database), _body(BAD)
    pauses: list[timedelta] = []
    while pause := (await consumer.handle([Delivery(body, len(pauses))]))[0]:
        assert await _dead_letters(database) == []
        pauses.append(pause)
    assert pauses == sorted(set(pauses)) == list(BACKOFF)
    [letter] = await _dead_letters(database)
    envelope = json.loads(body)
    assert (letter.event_id, letter.type, letter.body) == (envelope["id"], StockDepleted.type, body)
    assert (letter.error, letter.attempts) == ("ValueError: a bug", len(BACKOFF) + 1)


async def test_a_dead_letter_does_not_hold_back_the_others(database: Database) -> None:
    deliveries = [_delivery(1), _delivery(BAD, attempts=len(BACKOFF)), _delivery(2)]
    assert await _consumer(database).handle(deliveries) == [None, None, None]
    assert await _effects(database) == ["1 depleted", "2 depleted"]
    assert len(await _dead_letters(database)) == 1


@pytest.mark.parametrize("data", [None, [], "text", {}, {"product_id": "1", "version": 1}], ids=str)
async def test_data_of_a_wrong_shape_ends_as_a_dead_letter(data: object, database: Database) -> None:
    consumer, delivery = _consumer(database), _changed(data=data)
    assert await consumer.handle([_delivery(1), delivery]) == [None, BACKOFF[0]]
    assert await consumer.handle([delivery._replace(attempts=len(BACKOFF))]) == [None]
    [letter] = await _dead_letters(database)
    assert letter.error.startswith("ValidationError: ")
    assert await _effects(database) == ["1 depleted"]


async def test_a_handler_has_to_tell_what_it_did_with_each_event(database: Database) -> None:
    def silent(session: Session, events: Sequence[StockDepleted]) -> list[str]:
        session.add_all(Note(text=str(event.product_id)) for event in events)
        return []

    assert await Consumer("shelf", database, {StockDepleted: silent}).handle([_delivery(1)]) == [BACKOFF[0]]
    assert await _effects(database) == []


async def test_a_database_that_is_away_is_nobodys_failed_attempt(open_database: OpenDatabase) -> None:
    deliveries = [_delivery(product_id, attempts=len(BACKOFF)) for product_id in GOOD_ONES]
    database = open_database()
    await database.close()
    with pytest.raises(Unavailable):
        await _consumer(database).handle(deliveries)
    database = open_database()
    assert await _dead_letters(database) == []
    assert await _consumer(database).handle(deliveries) == [None] * 3
    assert await _effects(database) == ["1 depleted", "2 depleted", "3 depleted"]


async def test_a_database_that_goes_away_meanwhile_is_nobodys_failed_attempt(database: Database) -> None:
    deliveries = [_delivery(1), _delivery(BAD, attempts=len(BACKOFF))]
    with pytest.raises(Unavailable):
        await _consumer(database, Shelf(Unavailable("the database did not answer"))).handle(deliveries)
    assert await _dead_letters(database) == []
    assert await _consumer(database).handle(deliveries[:1]) == [None]
