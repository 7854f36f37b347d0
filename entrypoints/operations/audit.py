"""What people did, for whoever looks after the shop; and whether it still says what it said."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

import msgspec
from sqlalchemy.orm import Session

from ecshop.events import audit
from ecshop.events.audit import Broken
from ecshop.oversight.contract import Entry, EntryFilter
from ecshop.oversight.readings import entries
from entrypoints.contexts import NAMES
from entrypoints.operations.shop_data import beside_the_shop
from entrypoints.settings import Settings

_PAGE: Final = 100


class Verified(NamedTuple):
    context: str
    entries: int
    broken: Broken | None


def audit_lines(settings: Settings, context: str, subject: str | None, most: int) -> Iterator[str]:
    """The newest of a context, the oldest of these first. Raises `NoShop`."""
    wanted = EntryFilter(subject=subject)
    for entry in reversed(beside_the_shop(settings, context, partial(_newest, wanted=wanted, most=most))):
        who = str(entry.actor or "-")
        change = f"{_short(entry.before)} -> {_short(entry.after)}" if entry.before or entry.after else ""
        what = f"{entry.role:<12}  {entry.action}  {entry.subject}  {change}"
        yield f"{entry.at:%Y-%m-%d %H:%M:%S}  {who:<36}  {what}".rstrip()


def verify_all(settings: Settings) -> Iterator[Verified]:
    """Raises `NoShop`."""
    for name in NAMES:
        yield Verified(name, *beside_the_shop(settings, name, audit.verify))


def _newest(session: Session, wanted: EntryFilter, most: int) -> list[Entry]:
    found: list[Entry] = []
    cursor: str | None = None
    while len(found) < most:
        page = entries(session, wanted, cursor, min(_PAGE, most - len(found)))
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def _short(values: object) -> str:
    return "-" if values is None else msgspec.json.encode(values).decode()
