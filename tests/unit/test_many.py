"""Many rows or keys by one statement: what is written and read is what SQLAlchemy's own way would write and read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, bindparam, insert, select, update

from ecshop.events.tables import Outbox
from ecshop.kernel.clock import now
from ecshop.kernel.db.columns import table_of
from ecshop.kernel.db.many import KEYS, change_many, execute_many, select_many
from tests.unit.notes import transaction

ADD = insert(table_of(Outbox))
POSTPONE = update(table_of(Outbox)).where(Outbox.seq == bindparam("row")).values(due_at=bindparam("due"))
MOMENT = now()


def _row(number: int) -> dict[str, Any]:
    times = {"recorded_at": MOMENT + timedelta(microseconds=number), "due_at": None if number % 2 else MOMENT}
    return {"event_id": f"e-{number} 'quoted' %s", "type": "t", "body": b"\x00\xff", "attempts": number, **times}


def _all(engine: Engine) -> list[tuple[Any, ...]]:
    with transaction(engine) as session:
        columns = (Outbox.event_id, Outbox.body, Outbox.recorded_at, Outbox.due_at, Outbox.attempts)
        return [tuple(row) for row in session.execute(select(*columns).order_by(Outbox.seq))]


def test_rows_are_added_as_core_adds_them(engine: Engine) -> None:
    rows = [_row(number) for number in range(5)]
    with transaction(engine) as session:
        session.connection().execute(ADD, rows)
    by_core = _all(engine)
    with transaction(engine) as session:
        execute_many(session, ADD, rows)
    assert _all(engine) == [*by_core, *by_core]


def test_rows_are_changed_each_by_its_own_values(engine: Engine) -> None:
    with transaction(engine) as session:
        execute_many(session, ADD, [_row(number) for number in range(3)])
        seqs = session.scalars(select(Outbox.seq).order_by(Outbox.seq)).all()
        execute_many(session, POSTPONE, [{"row": seqs[0], "due": MOMENT}, {"due": None, "row": seqs[2]}])
    assert [due for *_, due, _ in _all(engine)] == [MOMENT, None, None]


def test_no_rows_are_no_statement(engine: Engine) -> None:
    with transaction(engine) as session:
        execute_many(session, ADD, [])
    assert _all(engine) == []


FIND = (
    select(Outbox.seq, Outbox.event_id, Outbox.due_at)
    .where(Outbox.attempts < bindparam("most"), Outbox.event_id.in_(bindparam(KEYS, expanding=True)))
    .order_by(Outbox.seq)
)
PUT_OFF = (
    update(table_of(Outbox)).where(Outbox.seq.in_(bindparam(KEYS, expanding=True))).values(due_at=bindparam("due"))
)


@pytest.mark.parametrize("number", [1, 2, 7, 8, 9, 64, 1000])
def test_many_keys_are_found_as_core_finds_them(engine: Engine, number: int) -> None:
    rows = [_row(number) for number in range(1000)]
    keys = [row["event_id"] for row in rows[-number:]]
    with transaction(engine) as session:
        execute_many(session, ADD, rows)
    with transaction(engine) as session:
        by_core = [tuple(row) for row in session.execute(FIND, {KEYS: keys, "most": 999})]
        assert select_many(session, FIND, keys, most=999) == by_core
        assert select_many(session, FIND, set(keys), most=999) == by_core
    assert len(by_core) == number - 1


def test_many_keys_are_changed_alike(engine: Engine) -> None:
    with transaction(engine) as session:
        execute_many(session, ADD, [_row(number) for number in range(20)])
        seqs = session.scalars(select(Outbox.seq).order_by(Outbox.seq)).all()
        change_many(session, PUT_OFF, seqs[:11], due=MOMENT + timedelta(hours=1))
        change_many(session, PUT_OFF, [], due=None)
    changed = [due == MOMENT + timedelta(hours=1) for _, _, _, due, _ in _all(engine)]
    assert changed == [True] * 11 + [False] * 9


def test_no_keys_find_nothing(engine: Engine) -> None:
    with transaction(engine) as session:
        execute_many(session, ADD, [_row(1)])
        assert select_many(session, FIND, [], most=999) == []
