"""Whatever claims to be a `ProductClient` must pass this file."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from ecshop.events.catalog import StockDepleted, StockReplenished
from ecshop.kernel.errors import Forbidden
from ecshop.kernel.identity import Role
from ecshop.product import availability
from ecshop.product.contract import (
    CategoryBody,
    CategoryExists,
    CategoryInUse,
    CategoryNotFound,
    NewProduct,
    PictureNotFound,
    ProductChange,
    ProductDiscontinued,
    ProductFilter,
    ProductNotFound,
    Quote,
    StaffProductClient,
    UnusablePicture,
)
from tests.actors import STAFF
from tests.contract.conftest import Doors
from tests.images import image, opened

pytestmark = pytest.mark.anyio


async def test_it_satisfies_the_protocol(doors: Doors) -> None:
    assert isinstance(doors.product, StaffProductClient)


async def test_a_product_is_what_was_created(doors: Doors) -> None:
    made = await doors.catalogue.create(STAFF, NewProduct("Green tea", 1200, detail="First flush"))
    assert await doors.product.get(made.id) == made


async def test_an_unknown_product_is_named(doors: Doors) -> None:
    with pytest.raises(ProductNotFound) as refusal:
        await doors.product.get(7_000)
    assert refusal.value.fields == {"product_ids": [7_000]}


async def test_quotes_come_in_the_order_that_was_asked_for(doors: Doors) -> None:
    tea = await doors.catalogue.create(STAFF, NewProduct("Tea", 1200))
    pot = await doors.catalogue.create(STAFF, NewProduct("Pot", 40, currency="EUR"))
    quotes = await doors.product.quote([pot.id, tea.id])
    assert quotes == (Quote(pot.id, "Pot", 40, "EUR"), Quote(tea.id, "Tea", 1200, "JPY"))


async def test_a_quote_needs_every_product_to_exist(doors: Doors) -> None:
    tea = await doors.catalogue.create(STAFF, NewProduct("Tea", 1200))
    with pytest.raises(ProductNotFound) as refusal:
        await doors.product.quote([8_000, tea.id, 9_000])
    assert refusal.value.fields == {"product_ids": [8_000, 9_000]}


async def test_a_quote_needs_every_product_to_be_on_sale(doors: Doors) -> None:
    tea = await doors.catalogue.create(STAFF, NewProduct("Tea", 1200))
    await doors.catalogue.change(STAFF, tea.id, ProductChange(on_sale=False))
    with pytest.raises(ProductDiscontinued) as refusal:
        await doors.product.quote([tea.id])
    assert refusal.value.fields == {"product_id": tea.id, "reason": "off_sale"}


async def test_a_list_has_what_its_filter_tells_of_page_by_page(doors: Doors) -> None:
    mark = str(uuid4())
    tea, paper = [await doors.catalogue.create_category(STAFF, CategoryBody(f"{word} {mark}")) for word in ("A", "B")]
    for price, category in ((300, tea), (100, paper), (200, tea), (400, None)):
        of = category.id if category else None
        await doors.catalogue.create(STAFF, NewProduct(f"Product {price}", price, category_id=of, detail=mark))

    async def prices(**wanted: Any) -> list[int]:
        """Two on a page."""
        found, cursor = [], None
        while True:
            page = await doors.product.list(ProductFilter(**wanted, sort="price"), cursor, 2)
            found += [product.price for product in page.items]
            if (cursor := page.next_cursor) is None:
                return found

    assert await prices(q=mark) == [100, 200, 300, 400]
    assert await prices(category_id=(tea.id,)) == [200, 300]
    assert await prices(category_id=(paper.id, tea.id, paper.id)) == [100, 200, 300]
    assert await prices(category_id=(paper.id, tea.id), price_from=200) == [200, 300]
    assert await prices(q=mark, price_from=200, price_to=300) == [200, 300]
    assert await prices(q=mark, category_id=(tea.id, paper.id), price_to=100) == [100]
    assert await prices(q=mark, price_from=401) == []
    by_relevance = await doors.product.list(ProductFilter(q=mark, category_id=(tea.id, paper.id)), None, 10)
    assert [product.price for product in by_relevance.items] == [300, 100, 200]
    names = {one.name for one in (await doors.product.list_categories(None, 100)).items}
    assert {tea.name, paper.name} <= names


async def test_whoever_has_changed_a_product_finds_it_changed(doors: Doors) -> None:
    """However many look at it meanwhile."""
    tea = await doors.catalogue.create(STAFF, NewProduct("Tea", 1200))
    looking = [asyncio.create_task(_look_at(doors, tea.id)) for _ in range(8)]
    for price in range(1000, 1050):
        changed = await doors.catalogue.change(STAFF, tea.id, ProductChange(price=price))
        assert await doors.product.get(tea.id) == changed
        assert await doors.product.quote([tea.id]) == (Quote(tea.id, "Tea", price, "JPY"),)
    await doors.catalogue.delete(STAFF, tea.id)
    with pytest.raises(ProductNotFound):
        await doors.product.quote([tea.id])
    for task in looking:
        task.cancel()
    await asyncio.gather(*looking, return_exceptions=True)


async def _look_at(doors: Doors, product_id: int) -> None:
    while True:
        await doors.product.quote([product_id])
        await asyncio.sleep(0)  # what is in memory is answered without giving the loop to anybody else


async def test_quotes_that_are_looked_up_together_do_not_fail_for_each_other(doors: Doors) -> None:
    tea = await doors.catalogue.create(STAFF, NewProduct("Tea", 1200))
    outcomes = await asyncio.gather(
        *(doors.product.quote([tea.id if turn % 2 else 10**9 + turn]) for turn in range(20)), return_exceptions=True
    )
    assert [isinstance(outcome, ProductNotFound) for outcome in outcomes] == [True, False] * 10


async def test_it_tells_when_a_product_was_there_and_when_not(doors: Doors) -> None:
    product = await doors.stocked(5)
    database = doors.databases["product"]
    await database.write(availability.sell_out, [StockDepleted(product, 7)])
    await database.write(availability.restock, [StockReplenished(product, 9)])
    await database.write(availability.sell_out, [StockDepleted(product, 8)])  # too late: a newer one is known
    told = await doors.product.availability(product)
    assert [(one.version, one.in_stock) for one in told.items] == [(9, True), (7, False)]
    first = await doors.product.availability(product, limit=1)
    assert (await doors.product.availability(product, cursor=first.next_cursor)).items == told.items[1:]
    assert (await doors.product.availability(product, 7)).items == told.items[1:]
    with pytest.raises(ProductNotFound):
        await doors.product.availability(10**9)


async def test_staff_adds_and_changes_products_and_customers_do_not(doors: Doors) -> None:
    staff = doors.actor(Role.STAFF)
    made = await doors.product.create(staff, NewProduct("Sencha", 1200))
    changed = await doors.product.change(staff, made.id, ProductChange(price=1300, on_sale=False))
    assert (changed.name, changed.price, changed.status) == ("Sencha", 1300, False)
    with pytest.raises(CategoryNotFound):
        await doors.product.change(staff, made.id, ProductChange(category_id=10**9))
    with pytest.raises(Forbidden):
        await doors.product.create(doors.actor(), NewProduct("Sencha", 1))
    with pytest.raises(Forbidden):
        await doors.product.change(doors.actor(), made.id, ProductChange(price=1))


async def test_staff_adds_renames_and_takes_away_categories(doors: Doors) -> None:
    staff, mark = doors.actor(Role.STAFF), uuid4()
    shelf = await doors.product.create_category(staff, CategoryBody(f"Tea {mark}"))
    with pytest.raises(CategoryExists):
        await doors.product.create_category(staff, CategoryBody(f"TEA {mark}"))
    renamed = await doors.product.rename_category(staff, shelf.id, CategoryBody(f"Cups {mark}"))
    assert (renamed.id, renamed.name) == (shelf.id, f"Cups {mark}")
    product = await doors.product.create(staff, NewProduct("Cup", 1, category_id=shelf.id))
    with pytest.raises(CategoryInUse):
        await doors.product.delete_category(staff, shelf.id)
    await doors.product.change(staff, product.id, ProductChange(category_id=None))
    await doors.product.delete_category(staff, shelf.id)
    with pytest.raises(CategoryNotFound):
        await doors.product.rename_category(staff, shelf.id, CategoryBody("x"))


async def test_customers_change_no_category(doors: Doors) -> None:
    buyer, body = doors.actor(), CategoryBody(f"Tea {uuid4()}")
    for call in (
        doors.product.create_category(buyer, body),
        doors.product.rename_category(buyer, 1, body),
        doors.product.delete_category(buyer, 1),
    ):
        with pytest.raises(Forbidden):
            await call


async def test_a_picture_that_is_sent_in_is_found_by_its_name(doors: Doors) -> None:
    staff, made = doors.actor(Role.STAFF), await doors.catalogue.create(STAFF, NewProduct("Cup", 1))
    shown = await doors.product.put_picture(staff, made.id, image("JPEG"))
    assert await doors.product.get(made.id) == shown
    assert opened(await doors.product.picture(str(shown.picture))).format == "WEBP"


async def test_another_picture_has_another_name_and_the_first_is_gone(doors: Doors) -> None:
    staff, made = doors.actor(Role.STAFF), await doors.catalogue.create(STAFF, NewProduct("Cup", 1))
    first = await doors.product.put_picture(staff, made.id, image(size=(8, 8)))
    again = await doors.product.put_picture(staff, made.id, image(size=(8, 8)))
    second = await doors.product.put_picture(staff, made.id, image(size=(9, 9)))
    assert first.picture == again.picture != second.picture
    with pytest.raises(PictureNotFound):
        await doors.product.picture(str(first.picture))
    assert opened(await doors.product.picture(str(second.picture))).size == (9, 9)


async def test_a_picture_goes_with_its_product_and_when_that_shows_another(doors: Doors) -> None:
    staff = doors.actor(Role.STAFF)
    for end in ("deleted", "none", "another"):
        made = await doors.catalogue.create(STAFF, NewProduct("Cup", 1))
        name = str((await doors.product.put_picture(staff, made.id, image(size=(8, 8)))).picture)
        await doors.product.change(staff, made.id, ProductChange(price=2))
        assert await doors.product.picture(name)
        if end == "deleted":
            await doors.product.delete(staff, made.id)
        else:
            await doors.product.change(staff, made.id, ProductChange(picture=None if end == "none" else "cup.svg"))
        with pytest.raises(PictureNotFound):
            await doors.product.picture(name)


async def test_what_is_no_picture_changes_nothing(doors: Doors) -> None:
    staff, made = doors.actor(Role.STAFF), await doors.catalogue.create(STAFF, NewProduct("Cup", 1, picture="cup.svg"))
    with pytest.raises(UnusablePicture):
        await doors.product.put_picture(staff, made.id, b"<svg/>")
    with pytest.raises(ProductNotFound):
        await doors.product.put_picture(staff, 7_000, image(size=(8, 8)))
    with pytest.raises(Forbidden):
        await doors.product.put_picture(doors.actor(), made.id, image(size=(8, 8)))
    with pytest.raises(Forbidden):
        await doors.product.delete(doors.actor(), made.id)
    assert await doors.product.get(made.id) == made


@pytest.mark.parametrize("name", ["cup.svg", "1-%00.webp", "a b?c#d", "x" * 64])
async def test_there_is_no_other_picture(doors: Doors, name: str) -> None:
    with pytest.raises(PictureNotFound):
        await doors.product.picture(name)
