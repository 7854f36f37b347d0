"""Products in memory: they are no older than what this process has changed, or than what another one changed lately."""

from __future__ import annotations

import pytest
from sqlalchemy import event, update

from ecshop.kernel.db.database import Database
from ecshop.product import snapshots
from ecshop.product.contract import NewProduct
from ecshop.product.models import ProductRow
from ecshop.product.module import MIGRATIONS
from ecshop.product.service import ProductService
from tests.actors import STAFF
from tests.databases import Databases
from tests.unit.notes import transaction
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio


async def test_what_another_process_changes_is_seen_soon(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "_GOOD_FOR", 1.0)  # a file is written to by hand at most, and that is seen later
    database = Database(databases.url("product", MIGRATIONS))
    database.open(MIGRATIONS)
    service = ProductService(database)
    tea = await service.create(STAFF, NewProduct("Tea", 1200))

    async def price() -> int:
        return (await service.quote([tea.id]))[0].price

    assert await price() == 1200
    with transaction(database.engine) as session:
        session.execute(update(ProductRow).values(price=1300))
    await eventually_async(price, 1300)
    await database.close()


async def test_what_is_asked_for_again_and_again_is_read_now_and_then(databases: Databases) -> None:
    database = Database(databases.url("product", MIGRATIONS))
    database.open(MIGRATIONS)
    service = ProductService(database)
    tea = await service.create(STAFF, NewProduct("Tea", 1200))
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    for _ in range(500):
        await service.quote([tea.id])
        await service.get(tea.id)
    assert 0 < len(statements) < 50
    await database.close()


async def test_the_latest_of_many_are_kept(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "_MOST", 2)
    database = Database(databases.url("product", MIGRATIONS))
    database.open(MIGRATIONS)
    service = ProductService(database)
    ids = [(await service.create(STAFF, NewProduct(name, 1200))).id for name in ("Tea", "Cup", "Pot")]
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))

    async def read(*asked: int) -> int:
        statements.clear()
        assert [one.product_id for one in await service.quote(asked)] == list(asked)
        return len(statements)

    assert [await read(one) for one in ids] == [1, 1, 1]
    assert await read(*ids[1:]) == 0
    assert await read(ids[0]) == 1
    await database.close()
