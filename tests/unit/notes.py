"""What the tests of the kernel and of the events write: notes, in a table that belongs to no context."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from ecshop.kernel.db.columns import COLUMN_TYPES, CountedKey
from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import EcshopError

OpenDatabase = Callable[..., Database]
MIGRATIONS: Final = Path(__file__).parent / "note_migrations"


class Base(DeclarativeBase):
    type_annotation_map = COLUMN_TYPES


class Note(Base):
    """No two have the same text."""

    __tablename__ = "note"

    id: Mapped[int] = mapped_column(CountedKey, primary_key=True)
    text: Mapped[str] = mapped_column(String(100), unique=True)


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session, session.begin():
        yield session


def add(session: Session, *texts: str) -> None:
    session.add_all(Note(text=text) for text in texts)
    session.flush()


def texts(session: Session) -> list[str]:
    """In the order in which they were written."""
    return list(session.scalars(select(Note.text).order_by(Note.id)))


def hang(_: Session, began: threading.Event, ended: threading.Event) -> bool:
    began.set()
    return ended.wait(30)


class OddNumber(EcshopError, code="test.odd_number", status=409):
    """The number cannot be halved."""


class Halving:
    """Work for a batch that counts how much came at a time, and adds a note for each number."""

    def __init__(self, breaks_at: int | None = None) -> None:
        self.sizes: list[int] = []
        self._breaks_at = breaks_at

    def __call__(self, session: Session, numbers: Sequence[int]) -> list[int | EcshopError]:
        self.sizes.append(len(numbers))
        add(session, *(str(number) for number in numbers))
        if self._breaks_at in numbers:
            raise ValueError("broken")
        return [number // 2 if number % 2 == 0 else OddNumber(f"{number} is odd") for number in numbers]
