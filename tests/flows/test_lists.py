"""Products, categories and stock as lists: what a filter finds, in which order, page by page, and how rows change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.shops import RunningShop, eventually

NOBODYS = 2**62  # an id that no row has


def walk(shop: RunningShop, path: str, limit: int, **options: Any) -> list[dict[str, Any]]:
    """The whole list, page by page; every page but the last is full."""
    items: list[dict[str, Any]] = []
    while True:
        page = shop.call("GET", path, params={"limit": limit, **options}).raise_for_status().json()
        items += page["items"]
        if page["next_cursor"] is None:
            assert len(page["items"]) <= limit
            return items
        assert len(page["items"]) == limit
        options["cursor"] = page["next_cursor"]


def found(shop: RunningShop, limit: int = 100, **options: Any) -> list[int]:
    return [product["id"] for product in walk(shop, "/products", limit, **options)]


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def new_category(shop: RunningShop) -> int:
    made = shop.call("POST", "/categories", shop.staff, json={"name": f"Category {uuid4()}"})
    assert made.status_code == 201
    category: int = made.json()["id"]
    return category


def test_a_name_is_found_as_a_whole(shop: RunningShop) -> None:
    name = f"Sencha {uuid4()}"
    both = [shop.new_product(name=name) for _ in range(2)]
    shop.new_product(name=f"{name} deluxe")
    assert found(shop, name=name) == both
    assert found(shop, name=name[:-1]) == []
    assert found(shop, name=name.upper()) == []
    assert found(shop, name=f"{name} ") == []


def test_a_part_is_found_in_name_and_detail_whatever_its_case(shop: RunningShop) -> None:
    part = uuid4().hex
    in_name = shop.new_product(name=f"Sencha {part.upper()} green")
    in_detail = shop.new_product(detail=f"Reminds of {part}.")
    shop.new_product()
    for wanted in (part, part.upper(), part.title(), part[3:-3]):
        assert found(shop, q=wanted) == [in_name, in_detail]
    assert found(shop, q=f"sencha {part} GREEN") == [in_name]
    assert found(shop, q=f"{part}{part}") == []


@pytest.mark.parametrize(
    ("written", "wanted"), [("\u00c4RGER", "\u00e4rger"), ("\u00e4", "\u00c4"), ("\u0416", "\u0436")]
)
def test_a_part_is_found_whatever_the_case_in_any_alphabet(shop: RunningShop, written: str, wanted: str) -> None:
    tag = uuid4().hex
    product = shop.new_product(name=f"{tag}{written}")
    assert found(shop, q=f"{tag}{wanted}") == [product]


@pytest.mark.parametrize("sign", ["%", "_", "\\", "/", "'", '"', "*", "?", "[", "^", "\u8336", "\U0001f375"])
def test_a_part_is_looked_for_as_it_is_written(shop: RunningShop, sign: str) -> None:
    tag = uuid4().hex
    with_it = shop.new_product(name=f"{tag} 50{sign} off")
    shop.new_product(name=f"{tag} 50x off")
    assert found(shop, q=f"{tag} 50{sign} o") == [with_it]
    assert with_it in found(shop, q=sign)
    assert all(sign in item["name"] + item["detail"] for item in walk(shop, "/products", 100, q=sign))


def test_an_empty_part_is_in_every_product(shop: RunningShop) -> None:
    shop.new_product()
    assert found(shop, q="") == found(shop)


def test_a_category_has_its_own_products(shop: RunningShop) -> None:
    tea, pots = new_category(shop), new_category(shop)
    teas = [shop.new_product(category_id=tea) for _ in range(3)]
    shop.new_product(category_id=pots)
    shop.new_product()
    assert found(shop, category_id=tea) == teas
    assert found(shop, category_id=NOBODYS) == []


def test_what_is_in_stock_is_found_apart_from_what_is_not(shop: RunningShop) -> None:
    category = new_category(shop)
    there, gone = (shop.new_product(category_id=category, stock=stock) for stock in (5, 0))
    eventually(lambda: shop.product(gone)["in_stock"], False)
    for yes, no in (("true", "false"), ("1", "0"), ("True", "False")):
        assert found(shop, category_id=category, in_stock=yes) == [there]
        assert found(shop, category_id=category, in_stock=no) == [gone]


def test_filters_narrow_each_other(shop: RunningShop) -> None:
    category, name = new_category(shop), f"Sencha {uuid4()}"
    wanted = shop.new_product(name=name, detail="first flush", category_id=category)
    shop.new_product(name=name, detail="first flush")
    shop.new_product(name=name, category_id=category)
    shop.new_product(detail="first flush", category_id=category)
    assert found(shop, name=name, q="FLUSH", category_id=category, in_stock="true") == [wanted]
    assert found(shop, name=name, q="FLUSH", category_id=category, in_stock="false") == []


ROWS = [
    ("B", 300),
    ("a", 100),
    ("C", 200),
    ("a", 300),
    ("B", 100),
    ("\u00e4", 200),
    ("a", 100),
    ("\u8336", 0),
    ("", 300),
]
ORDERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "id": lambda product: product["id"],
    "name": lambda product: (product["name"], product["id"]),
    "price": lambda product: (product["price"], product["id"]),
}


def sorted_products(shop: RunningShop, tag: str) -> None:
    for name, price in ROWS:
        shop.new_product(name=f"{tag}{name}", price=price)


@pytest.mark.parametrize("limit", [1, 2, 3, 8, 9, 10, 100])
@pytest.mark.parametrize("column", ORDERS)
def test_every_order_has_all_rows_once_and_turns_around(shop: RunningShop, column: str, limit: int) -> None:
    tag = uuid4().hex
    sorted_products(shop, tag)
    upwards, downwards = (walk(shop, "/products", limit, q=tag, sort=sign + column) for sign in ("", "-"))
    assert len(upwards) == len(ROWS)
    assert upwards == sorted(upwards, key=ORDERS[column])
    assert downwards == upwards[::-1]


def test_the_list_is_in_the_order_of_ids_and_of_twenty_rows_unless_asked_otherwise(shop: RunningShop) -> None:
    category = new_category(shop)
    made = [shop.new_product(category_id=category) for _ in range(21)]
    page = shop.call("GET", "/products", params={"category_id": category}).json()
    assert [product["id"] for product in page["items"]] == made[:20]
    assert page["next_cursor"] is not None


def test_a_hundred_rows_are_a_page(shop: RunningShop) -> None:
    category = new_category(shop)
    made = [shop.new_product(category_id=category) for _ in range(100)]
    page = shop.call("GET", "/products", params={"category_id": category, "limit": 100}).json()
    assert ([product["id"] for product in page["items"]], page["next_cursor"]) == (made, None)


def test_a_cursor_survives_the_row_that_it_names(shop: RunningShop) -> None:
    tag = uuid4().hex
    sorted_products(shop, tag)
    whole = found(shop, q=tag, sort="price")
    options = {"q": tag, "sort": "price", "limit": 4}
    first = shop.call("GET", "/products", params=options).json()
    shop.call("DELETE", f"/products/{whole[3]}", shop.staff).raise_for_status()
    second = shop.call("GET", "/products", params=options | {"cursor": first["next_cursor"]}).json()
    assert [product["id"] for product in second["items"]] == whole[4:8]


def test_a_row_that_comes_between_two_pages_moves_no_other(shop: RunningShop) -> None:
    tag = uuid4().hex
    sorted_products(shop, tag)
    whole = found(shop, q=tag, sort="-price")
    options: dict[str, Any] = {"q": tag, "sort": "-price"}
    first = shop.call("GET", "/products", params=options | {"limit": 4}).json()
    shop.new_product(name=f"{tag} dear", price=10**12)
    cheap = shop.new_product(name=f"{tag} cheap", price=0)
    rest = found(shop, **options, cursor=first["next_cursor"])
    assert sorted([product["id"] for product in first["items"]] + rest) == sorted([*whole, cheap])


@pytest.mark.parametrize("letter", ["\u8336", "\U0001f375", "\u0001", '"'])
def test_a_list_of_long_names_has_all_its_pages(shop: RunningShop, letter: str) -> None:
    tag = uuid4().hex
    made = [shop.new_product(name=(tag + letter * 200)[:200]) for _ in range(3)]
    assert found(shop, 1, q=tag, sort="name") == made


def test_a_cursor_is_of_one_order(shop: RunningShop) -> None:
    for _ in range(2):
        shop.new_product()
    for sort in ("id", "-id", "name", "-name", "price", "-price"):
        cursor = shop.call("GET", "/products", params={"sort": sort, "limit": 1}).json()["next_cursor"]
        for other in {"id", "-id", "name", "-name", "price", "-price"} - {sort}:
            refused = shop.call("GET", "/products", params={"sort": other, "limit": 1, "cursor": cursor})
            assert_refused(refused, 400, "request.invalid_cursor")


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
    made = [new_category(shop) for _ in range(5)]
    listed = walk(shop, "/categories", 2)
    assert [category["id"] for category in listed] == sorted({category["id"] for category in listed})
    assert [category["id"] for category in listed][-5:] == made
    assert listed == walk(shop, "/categories", 100)


def test_two_categories_have_two_names(shop: RunningShop) -> None:
    taken = shop.call("GET", f"/categories/{new_category(shop)}").json()["name"]
    known = walk(shop, "/categories", 100)
    assert_refused(shop.call("POST", "/categories", shop.staff, json={"name": taken}), 409, "category.exists")
    assert walk(shop, "/categories", 100) == known


def test_a_category_is_not_renamed_to_a_name_that_is_taken(shop: RunningShop) -> None:
    first, second = new_category(shop), new_category(shop)
    taken, own = (shop.call("GET", f"/categories/{category}").json() for category in (first, second))
    refused = shop.call("PUT", f"/categories/{second}", shop.staff, json={"name": taken["name"]})
    assert_refused(refused, 409, "category.exists")
    assert shop.call("GET", f"/categories/{second}").json() == own


def test_a_category_may_be_given_its_own_name_and_a_name_that_became_free(shop: RunningShop) -> None:
    category = new_category(shop)
    known = shop.call("GET", f"/categories/{category}").json()
    again = shop.call("PUT", f"/categories/{category}", shop.staff, json={"name": known["name"]})
    assert (again.status_code, again.json()) == (200, known)
    shop.call("DELETE", f"/categories/{category}", shop.staff).raise_for_status()
    made = shop.call("POST", "/categories", shop.staff, json={"name": known["name"]})
    assert made.status_code == 201
    assert made.json()["id"] > category


def test_a_category_with_products_stays(shop: RunningShop) -> None:
    category = new_category(shop)
    product = shop.new_product(category_id=category)
    assert_refused(shop.call("DELETE", f"/categories/{category}", shop.staff), 409, "category.in_use")
    assert shop.call("GET", f"/categories/{category}").status_code == 200
    assert shop.product(product)["category_id"] == category
    shop.call("PUT", f"/products/{product}", shop.staff, json={"category_id": None}).raise_for_status()
    assert shop.call("DELETE", f"/categories/{category}", shop.staff).status_code == 204


@pytest.mark.parametrize("category", [NOBODYS, "deleted"])
def test_a_category_that_is_not_there_is_not_found(shop: RunningShop, category: int | str) -> None:
    if category == "deleted":
        category = new_category(shop)
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


def test_a_product_is_made_with_what_is_given_and_sensible_rest(shop: RunningShop) -> None:
    made = shop.call("POST", "/products", shop.staff, json={"name": "Tea", "price": 0})
    assert made.status_code == 201
    assert made.json() == {
        "id": made.json()["id"],
        "name": "Tea",
        "detail": "",
        "price": 0,
        "currency": "JPY",
        "category_id": None,
        "on_sale": True,
        "in_stock": True,
        "status": True,
    }
    assert shop.product(made.json()["id"]) == made.json()


def test_a_product_keeps_every_letter_it_was_given(shop: RunningShop) -> None:
    texts: dict[str, Any] = {"name": " \u8336 \U0001f375 <b>&amp;'\" \\ %", "detail": "one\n\ttwo \u200d \u0301"}
    product = shop.new_product(**texts, price=10**12, currency="EUR")
    assert shop.product(product).items() >= {**texts, "price": 10**12, "currency": "EUR"}.items()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Pot"},
        {"detail": "of clay"},
        {"detail": ""},
        {"price": 0},
        {"currency": "EUR"},
        {"category_id": None},
        {"on_sale": False},
        {"name": "Pot", "price": 1},
        {},
    ],
)
def test_a_change_leaves_what_it_does_not_name(shop: RunningShop, change: dict[str, Any]) -> None:
    product = shop.new_product(detail="first flush", category_id=new_category(shop))
    wanted = shop.product(product) | change
    wanted["status"] = wanted["on_sale"]
    changed = shop.call("PUT", f"/products/{product}", shop.staff, json=change)
    assert (changed.status_code, changed.json()) == (200, wanted)
    assert shop.product(product) == wanted


@pytest.mark.parametrize(
    ("given", "on_sale"),
    [
        ({}, True),
        ({"status": False}, False),
        ({"status": True}, True),
        ({"on_sale": False}, False),
        ({"on_sale": True, "status": False}, True),
        ({"on_sale": False, "status": True}, False),
    ],
)
def test_the_status_sets_the_sellers_switch_where_the_switch_is_not_given(
    shop: RunningShop, given: dict[str, bool], on_sale: bool
) -> None:
    product = shop.new_product(**given)
    assert (shop.product(product)["on_sale"], shop.product(product)["status"]) == (on_sale, on_sale)
    for before in (True, False):
        shop.call("PUT", f"/products/{product}", shop.staff, json={"on_sale": before}).raise_for_status()
        changed = shop.call("PUT", f"/products/{product}", shop.staff, json=given).json()
        wanted = on_sale if given else before
        assert (changed["on_sale"], changed["status"]) == (wanted, wanted)


def test_a_status_does_not_bring_back_what_is_sold_out(shop: RunningShop) -> None:
    product = shop.new_product(stock=0)
    eventually(lambda: shop.product(product)["status"], False)
    changed = shop.call("PUT", f"/products/{product}", shop.staff, json={"status": True}).json()
    assert (changed["on_sale"], changed["in_stock"], changed["status"]) == (True, False, False)


def test_a_deleted_product_is_gone_and_its_number_is_not_used_again(shop: RunningShop) -> None:
    product = shop.new_product()
    deleted = shop.call("DELETE", f"/products/{product}", shop.staff)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert product not in found(shop)
    assert shop.new_product() > product


@pytest.mark.parametrize("product", [NOBODYS, "deleted"])
def test_a_product_that_is_not_there_is_not_found(shop: RunningShop, product: int | str) -> None:
    if product == "deleted":
        product = shop.new_product()
        shop.call("DELETE", f"/products/{product}", shop.staff).raise_for_status()
    for answer in (
        shop.call("GET", f"/products/{product}"),
        shop.call("PUT", f"/products/{product}", shop.staff, json={"price": 1}),
        shop.call("DELETE", f"/products/{product}", shop.staff),
        shop.order(int(product), 1),
        shop.call("POST", "/stock", shop.staff, json={"product_id": product, "stock": 5}),
    ):
        assert_refused(answer, 404, "product.not_found")
        assert answer.json()["product_ids"] == [product]


def test_stock_is_listed_page_by_page_in_the_order_of_products(shop: RunningShop) -> None:
    made = [shop.new_product(stock=stock) for stock in (5, 0, 3)]
    shop.new_product()
    listed = walk(shop, "/stock", 40)
    products = [item["product_id"] for item in listed]
    assert products == sorted(set(products))
    assert products[-3:] == made
    assert [(item["stock"], item["reserved"], item["available"]) for item in listed[-3:]] == [
        (5, 0, 5),
        (0, 0, 0),
        (3, 0, 3),
    ]
    assert listed[-3:] == [shop.stock(product) for product in made]


def test_pages_of_stock_hold_as_many_as_were_asked_for(shop: RunningShop) -> None:
    for _ in range(3):
        shop.new_product(stock=1)
    first = shop.call("GET", "/stock", params={"limit": 1}).json()
    second = shop.call("GET", "/stock", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    together = shop.call("GET", "/stock", params={"limit": 2}).json()
    assert first["items"] + second["items"] == together["items"]
    assert second["next_cursor"] == together["next_cursor"]


def test_the_ledger_is_listed_newest_first_page_by_page(shop: RunningShop) -> None:
    product = shop.new_product(stock=1)
    for delta in (1, 2, 3, 4):
        adjustment = {"delta": delta, "reason": f"delivery {delta}"}
        shop.call("POST", f"/stock/{product}/adjustments", shop.staff, json=adjustment).raise_for_status()
    seen: list[int] = []
    options: dict[str, Any] = {"limit": 2}
    for _ in range(3):
        page = shop.call("GET", f"/stock/{product}/movements", shop.staff, params=options).json()
        seen += [movement["delta"] for movement in page["items"]]
        options["cursor"] = page["next_cursor"]
    assert (seen, options["cursor"]) == ([4, 3, 2, 1, 1], None)


@pytest.mark.parametrize("status", ["confirmed", "fulfilled", "cancelled"])
def test_orders_are_listed_by_their_status(shop: RunningShop, status: str) -> None:
    product, buyer = shop.new_product(stock=9), shop.new_customer()
    orders = {name: shop.order(product, 1, buyer).json()["id"] for name in ("confirmed", "fulfilled", "cancelled")}
    shop.call("POST", f"/orders/{orders['fulfilled']}/fulfil", shop.staff).raise_for_status()
    shop.call("POST", f"/orders/{orders['cancelled']}/cancel", buyer).raise_for_status()
    listed = shop.call("GET", "/orders", buyer, params={"status": status}).json()["items"]
    assert [(order["id"], order["status"]) for order in listed] == [(orders[status], status)]
