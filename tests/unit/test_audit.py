"""The audit trail: it is only added to, and shows when somebody has got around that."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ecshop.events.audit import COMMAND_LINE, note, verify
from ecshop.events.tables import AuditRow
from ecshop.kernel.db.database import Database
from ecshop.kernel.identity import Actor, Role
from ecshop.oversight.contract import EntryFilter
from ecshop.oversight.readings import entries
from tests.unit.notes import OddNumber

pytestmark = pytest.mark.anyio

STAFF = Actor(uuid4(), Role.STAFF, session=uuid4())


def note_some(session: Session, *subjects: str) -> None:
    for subject in subjects:
        note(session, STAFF, "stock.adjusted", subject, {"stock": 5}, {"stock": 3, "reason": "breakage"})


def run(session: Session, *statements: Any) -> None:
    for statement in statements:
        session.execute(statement)


def without_guards(session: Session) -> None:
    """As whoever owns the database can."""
    if session.get_bind().dialect.name == "sqlite":
        run(session, text("DROP TRIGGER audit_update"), text("DROP TRIGGER audit_delete"))
    else:
        run(session, text("DROP TRIGGER audit_change ON audit"))


def seqs(session: Session) -> list[int]:
    return list(session.scalars(select(AuditRow.seq).order_by(AuditRow.seq)))


async def test_an_entry_says_who_what_on_what_and_how_it_was_before(database: Database) -> None:
    await database.write(note_some, "product 1")
    await database.write(note, None, "user.added", "user 7", role=COMMAND_LINE)
    newest, first = (await database.read(entries, EntryFilter(), None, 10)).items
    assert (first.actor, first.role, first.session) == (STAFF.user_id, "staff", STAFF.session)
    assert (first.action, first.subject) == ("stock.adjusted", "product 1")
    assert (first.before, first.after) == ({"stock": 5}, {"stock": 3, "reason": "breakage"})
    assert (newest.actor, newest.role, newest.before, newest.after) == (None, "command line", None, None)


async def test_entries_are_found_by_who_what_and_on_what(database: Database) -> None:
    await database.write(note_some, "product 1", "product 2")
    await database.write(note, None, "user.added", "user 7", role=COMMAND_LINE)
    for wanted, subjects in (
        (EntryFilter(actor=STAFF.user_id), ["product 2", "product 1"]),
        (EntryFilter(action="user.added"), ["user 7"]),
        (EntryFilter(subject="product 1"), ["product 1"]),
        (EntryFilter(actor=uuid4()), []),
    ):
        found = await database.read(entries, wanted, None, 10)
        assert [entry.subject for entry in found.items] == subjects


async def test_what_comes_to_nothing_leaves_no_entry(database: Database) -> None:
    def fail(session: Session) -> None:
        note_some(session, "product 1")
        raise OddNumber

    with pytest.raises(OddNumber):
        await database.write(fail)
    assert await database.read(verify) == (0, None)


async def test_notes_of_many_at_once_make_one_chain(database: Database) -> None:
    await asyncio.gather(*(database.write(note_some, f"product {number}") for number in range(50)))
    assert await database.read(verify) == (50, None)


async def test_the_database_refuses_to_change_an_entry(database: Database) -> None:
    await database.write(note_some, "product 1")
    is_file = database.url.get_backend_name() == "sqlite"
    emptying = [] if is_file else [text("TRUNCATE audit")]
    for statement in (update(AuditRow).values(role="nobody"), delete(AuditRow), *emptying):
        with pytest.raises(DBAPIError, match="only ever added to"):
            await database.write(run, statement)
    assert await database.read(verify) == (1, None)


@pytest.mark.parametrize("column", ["role", "address", "request_id", "action", "subject", "before", "after"])
async def test_an_entry_that_was_changed_is_found(database: Database, column: str) -> None:
    await database.write(note_some, *(f"product {number}" for number in range(5)))
    third = (await database.read(seqs))[2]
    await database.write(without_guards)
    await database.write(run, update(AuditRow).where(AuditRow.seq == third).values({column: "{}"}))
    good, broken = await database.read(verify)
    assert good == 2
    assert broken is not None
    assert broken.seq == third


async def test_an_entry_that_was_taken_out_is_missed(database: Database) -> None:
    await database.write(note_some, *(f"product {number}" for number in range(5)))
    _, second, third, *_ = await database.read(seqs)
    await database.write(without_guards)
    await database.write(run, delete(AuditRow).where(AuditRow.seq == second))
    good, broken = await database.read(verify)
    assert good == 1
    assert broken is not None
    assert broken.seq == third
