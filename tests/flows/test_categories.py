"""Categories: made, listed, renamed and deleted, and what keeps them."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.flows.lists import NOBODYS, walk
from tests.flows.refusals import assert_refused
from tests.shops import RunningShop


def test_a_category_is_made_read_renamed_and_deleted(shop: RunningShop) -> None:
    name, renamed = f"Tea {uuid4()}", f"Green tea {uuid4()}"
    made = shop.call("POST", "/categories", shop.staff, json={"name": name})
    assert (made.status_code, made.json()["name"]) == (201, name)
    path = f"/categories/{made.json()['id']}"
    assert shop.call("GET", path).json() == made.json()
    changed = shop.call("PUT", path, shop.staff, json={"name": renamed})
    assert (changed.status_code, changed.json()) == (200, made.json() | {"name": renamed})
    assert shop.call("GET", path).json() == changed.json()
    deleted = shop.call("DELETE", path, shop.staff)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert_refused(shop.call("GET", path), 404, "category.not_found")


def test_categories_are_listed_page_by_page(shop: RunningShop) -> None:
    made = [shop.new_category() for _ in range(5)]
    listed = walk(shop, "/categories", 2)
    assert [category["id"] for category in listed] == sorted({category["id"] for category in listed})
    assert [category["id"] for category in listed][-5:] == made
    assert listed == walk(shop, "/categories", 100)


def test_two_categories_have_two_names(shop: RunningShop) -> None:
    taken = shop.call("GET", f"/categories/{shop.new_category()}").json()["name"]
    known = walk(shop, "/categories", 100)
    assert_refused(shop.call("POST", "/categories", shop.staff, json={"name": taken}), 409, "category.exists")
    assert walk(shop, "/categories", 100) == known


def test_a_category_is_the_same_however_its_name_is_typed(shop: RunningShop) -> None:
    mark = uuid4().hex
    made = shop.call("POST", "/categories", shop.staff, json={"name": f" The\u0301 vert {mark} "})
    assert made.json()["name"] == f"Th\u00e9 vert {mark}"
    for same in (f"TH\u00c9 VERT {mark}", f"\u3000th\u00e9  vert\u00a0{mark}", f"\uff34h\u00e9 vert {mark}"):
        assert_refused(shop.call("POST", "/categories", shop.staff, json={"name": same}), 409, "category.exists")
    for other in (f"The vert {mark}", f"Th\u00e9vert {mark}"):
        assert shop.call("POST", "/categories", shop.staff, json={"name": other}).status_code == 201
    path, recased = f"/categories/{made.json()['id']}", f"TH\u00c9 vert {mark}"
    assert shop.call("PUT", path, shop.staff, json={"name": recased}).json()["name"] == recased


def test_a_category_is_not_renamed_to_a_name_that_is_taken(shop: RunningShop) -> None:
    first, second = shop.new_category(), shop.new_category()
    taken, own = (shop.call("GET", f"/categories/{category}").json() for category in (first, second))
    refused = shop.call("PUT", f"/categories/{second}", shop.staff, json={"name": taken["name"]})
    assert_refused(refused, 409, "category.exists")
    assert shop.call("GET", f"/categories/{second}").json() == own


def test_a_category_may_be_given_its_own_name_and_a_name_that_became_free(shop: RunningShop) -> None:
    category = shop.new_category()
    known = shop.call("GET", f"/categories/{category}").json()
    again = shop.call("PUT", f"/categories/{category}", shop.staff, json={"name": known["name"]})
    assert (again.status_code, again.json()) == (200, known)
    shop.call("DELETE", f"/categories/{category}", shop.staff).raise_for_status()
    made = shop.call("POST", "/categories", shop.staff, json={"name": known["name"]})
    assert made.status_code == 201
    assert made.json()["id"] > category


def test_a_category_with_products_stays(shop: RunningShop) -> None:
    category = shop.new_category()
    product = shop.new_product(category_id=category)
    assert_refused(shop.call("DELETE", f"/categories/{category}", shop.staff), 409, "category.in_use")
    assert shop.call("GET", f"/categories/{category}").status_code == 200
    assert shop.product(product)["category_id"] == category
    shop.call("PUT", f"/products/{product}", shop.staff, json={"category_id": None}).raise_for_status()
    assert shop.call("DELETE", f"/categories/{category}", shop.staff).status_code == 204


@pytest.mark.parametrize("category", [NOBODYS, "deleted"])
def test_a_category_that_is_not_there_is_not_found(shop: RunningShop, category: int | str) -> None:
    if category == "deleted":
        category = shop.new_category()
        shop.call("DELETE", f"/categories/{category}", shop.staff).raise_for_status()
    path, product = f"/categories/{category}", shop.new_product()
    for answer in (
        shop.call("GET", path),
        shop.call("PUT", path, shop.staff, json={"name": f"Tea {uuid4()}"}),
        shop.call("DELETE", path, shop.staff),
        shop.call("POST", "/products", shop.staff, json={"name": "Tea", "price": 1, "category_id": category}),
        shop.call("PUT", f"/products/{product}", shop.staff, json={"price": 1, "category_id": category}),
    ):
        assert_refused(answer, 404, "category.not_found")
    assert (shop.product(product)["price"], shop.product(product)["category_id"]) == (1200, None)
