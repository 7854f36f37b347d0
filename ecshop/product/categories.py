"""The categories that products belong to. Each function runs inside somebody's transaction."""

from __future__ import annotations

from functools import partial
from typing import Final

from sqlalchemy import delete as delete_from
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ecshop.events.audit import note
from ecshop.kernel.conditions import UNCONDITIONAL, Conditions
from ecshop.kernel.db.keyset import Keyset
from ecshop.kernel.db.mapping import struct_of
from ecshop.kernel.identity import Actor
from ecshop.kernel.values import Page
from ecshop.product.contract import Category, CategoryBody, CategoryExists, CategoryInUse, CategoryNotFound
from ecshop.product.models import CategoryRow

_BY_ID: Final = Keyset("id", CategoryRow.id, CategoryRow.id)
_category: Final = partial(struct_of, Category)


def get(session: Session, category_id: int) -> Category:
    return _category(_row(session, category_id))


def list_categories(session: Session, cursor: str | None, limit: int) -> Page[Category]:
    return _BY_ID.fetch(session, select(CategoryRow), cursor, limit, _category)


def create(session: Session, actor: Actor, body: CategoryBody) -> Category:
    made = _save(session, CategoryRow(name=body.name))
    note(session, actor, "category.created", _subject(made.id), after={"name": made.name})
    return made


def rename(
    session: Session, actor: Actor, category_id: int, body: CategoryBody, conditions: Conditions = UNCONDITIONAL
) -> Category:
    row = _row(session, category_id, lock=True)
    conditions.require_seen(_category(row))
    before = {"name": row.name}
    row.name = body.name
    renamed = _save(session, row)
    note(session, actor, "category.renamed", _subject(category_id), before, {"name": renamed.name})
    return renamed


def delete(session: Session, actor: Actor, category_id: int, conditions: Conditions = UNCONDITIONAL) -> None:
    row = _row(session, category_id, lock=True)
    conditions.require_seen(_category(row))
    note(session, actor, "category.deleted", _subject(category_id), before={"name": row.name})
    try:
        session.execute(delete_from(CategoryRow).where(CategoryRow.id == category_id))
    except IntegrityError as cause:
        raise CategoryInUse("products belong to the category; move or delete them first") from cause


def _subject(category_id: int) -> str:
    return f"category {category_id}"


def _save(session: Session, row: CategoryRow) -> Category:
    name = row.name  # cannot be read any more when the flush has failed
    session.add(row)
    try:
        session.flush()
    except IntegrityError as cause:
        raise CategoryExists(f"a category is already called {name}") from cause
    return _category(row)


def _row(session: Session, category_id: int, *, lock: bool = False) -> CategoryRow:
    row = session.get(CategoryRow, category_id, with_for_update=lock or None)
    if row is None:
        raise CategoryNotFound(f"no category has the id {category_id}")
    return row
