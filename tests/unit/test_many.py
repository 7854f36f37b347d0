"""Many rows by one statement: what is written is what SQLAlchemy's own way would have written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, bindparam, insert, select, update

from ecshop.events.tables import Outbox
from ecshop.kernel.clock import now
from ecshop.kernel.db.columns import table_of
from ecshop.kernel.db.many import execute_many
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
