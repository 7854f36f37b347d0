"""Changes that are made once for a key, and only to what their client has seen; in every context alike."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple
from uuid import uuid4

import httpx
import pytest

from tests.flows.refusals import assert_refused
from tests.shops import RunningShop

AT_ONCE: Final = 8


class Change(NamedTuple):
    """Something staff does by `method` at `path`, and how often it was done as far as anybody can see."""

    method: str
    path: str
    body: dict[str, Any]
    done: Callable[[], int]

    def send(self, shop: RunningShop, **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return shop.call(self.method, self.path, shop.staff, json=self.body, headers=sent)


def count(shop: RunningShop, path: str, name: str) -> int:
    pages = [shop.call("GET", path).json()]
    while cursor := pages[-1]["next_cursor"]:
        pages.append(shop.call("GET", f"{path}&cursor={cursor}").json())
    return sum(item["name"] == name for page in pages for item in page["items"])


def new_product(shop: RunningShop) -> Change:
    name = f"Tea {uuid4()}"
    return Change(
        "POST", "/products", {"name": name, "price": 1200}, lambda: count(shop, f"/products?name={name}", name)
    )


def new_category(shop: RunningShop) -> Change:
    name = f"Tea {uuid4()}"
    return Change("POST", "/categories", {"name": name}, lambda: count(shop, "/categories?limit=100", name))


def registration(shop: RunningShop) -> Change:
    product = shop.new_product()
    return Change("POST", "/stock", {"product_id": product, "stock": 5}, lambda: movements(shop, product))


def movements(shop: RunningShop, product: int) -> int:
    answer = shop.call("GET", f"/stock/{product}/movements", shop.staff)
    return len(answer.json()["items"]) if answer.status_code == 200 else 0


def adjustment(shop: RunningShop) -> Change:
    product = shop.new_product(stock=5)
    body = {"delta": 3, "reason": "delivery"}
    return Change("POST", f"/stock/{product}/adjustments", body, lambda: movements(shop, product) - 1)


def new_level(shop: RunningShop) -> Change:
    product = shop.new_product(stock=5)
    return Change("PUT", f"/stock/{product}", {"stock": 3}, lambda: movements(shop, product) - 1)


KEYED: Final = [new_product, new_category, registration, adjustment, new_level]


@pytest.mark.parametrize("change", KEYED)
def test_a_repeat_with_the_same_key_answers_the_same_and_does_nothing(
    shop: RunningShop, change: Callable[[RunningShop], Change]
) -> None:
    asked, key = change(shop), f"k{uuid4()}"
    first = asked.send(shop, idempotency_key=key)
    assert first.status_code in {200, 201}
    for form in (key, f'"{key}"'):
        again = asked.send(shop, idempotency_key=form)
        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers.get("location") == first.headers.get("location")
    assert asked.done() == 1


@pytest.mark.parametrize("change", KEYED)
def test_what_comes_many_times_at_once_with_one_key_is_done_once(
    shop: RunningShop, change: Callable[[RunningShop], Change]
) -> None:
    asked, key = change(shop), f"k{uuid4()}"
    with ThreadPoolExecutor(AT_ONCE) as clients:
        answers = list(clients.map(lambda _: asked.send(shop, idempotency_key=key), range(AT_ONCE)))
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert len({answer.text for answer in answers}) == 1
    assert asked.done() == 1


@pytest.mark.parametrize("change", KEYED)
def test_a_key_that_came_with_another_body_is_refused(
    shop: RunningShop, change: Callable[[RunningShop], Change]
) -> None:
    asked, key = change(shop), f"k{uuid4()}"
    asked.send(shop, idempotency_key=key).raise_for_status()
    name, value = next((name, value) for name, value in asked.body.items() if name != "product_id")
    other = {**asked.body, name: value + 1 if isinstance(value, int) else f"{value} too"}
    refused = asked._replace(body=other).send(shop, idempotency_key=key)
    assert_refused(refused, 422, "request.idempotency_key_reused")
    assert asked.done() == 1


def test_a_key_that_came_with_another_path_is_refused(shop: RunningShop) -> None:
    one, other, key = adjustment(shop), adjustment(shop), f"k{uuid4()}"
    one.send(shop, idempotency_key=key).raise_for_status()
    assert_refused(other.send(shop, idempotency_key=key), 422, "request.idempotency_key_reused")
    assert other.done() == 0


def test_two_people_may_have_the_same_key(shop: RunningShop) -> None:
    asked, key = adjustment(shop), f"k{uuid4()}"
    asked.send(shop, idempotency_key=key).raise_for_status()
    answer = shop.call(asked.method, asked.path, shop.new_staff(), json=asked.body, headers={"idempotency-key": key})
    assert answer.status_code == 201
    assert asked.done() == 2


def test_what_was_refused_is_tried_again_with_its_key(shop: RunningShop) -> None:
    product, key = shop.new_product(stock=1), {"idempotency-key": f"k{uuid4()}"}
    breakage = {"delta": -3, "reason": "breakage"}

    def adjust() -> httpx.Response:
        return shop.call("POST", f"/stock/{product}/adjustments", shop.staff, json=breakage, headers=key)

    assert_refused(adjust(), 409, "stock.reserved")
    shop.call("PUT", f"/stock/{product}", shop.staff, json={"stock": 5}).raise_for_status()
    assert [adjust().json()["stock"] for _ in range(2)] == [2, 2]


@pytest.mark.parametrize("key", ["", "a b", "\u00e4", "x" * 256])
def test_a_key_is_visible_ascii_and_not_too_long(shop: RunningShop, key: str) -> None:
    asked = adjustment(shop)
    sent = {"idempotency-key": key.encode("latin1")}
    refused = shop.call(asked.method, asked.path, shop.staff, json=asked.body, headers=sent)
    assert_refused(refused, 400, "request.invalid")
    assert asked.done() == 0


class Thing(NamedTuple):
    """Something with an ETag, what changes it, and a change besides that makes it another one."""

    path: str
    token: str
    changes: list[tuple[str, str, dict[str, Any] | None]]
    meanwhile: Callable[[], httpx.Response]


def a_product(shop: RunningShop) -> Thing:
    path = f"/products/{shop.new_product()}"
    return Thing(
        path,
        shop.staff,
        [("PUT", path, {"price": 1300}), ("DELETE", path, None)],
        lambda: shop.call("PUT", path, shop.staff, json={"price": 1250}),
    )


def a_category(shop: RunningShop) -> Thing:
    path = f"/categories/{shop.new_category()}"
    return Thing(
        path,
        shop.staff,
        [("PUT", path, {"name": f"Tea {uuid4()}"}), ("DELETE", path, None)],
        lambda: shop.call("PUT", path, shop.staff, json={"name": f"Tea {uuid4()}"}),
    )


def a_stock_item(shop: RunningShop) -> Thing:
    path = f"/stock/{shop.new_product(stock=5)}"
    adjust = ("POST", f"{path}/adjustments", {"delta": 1, "reason": "delivery"})
    return Thing(
        path,
        shop.staff,
        [("PUT", path, {"stock": 3}), adjust, ("DELETE", path, None)],
        lambda: shop.call(*adjust[:2], shop.staff, json=adjust[2]),
    )


def an_order(shop: RunningShop) -> Thing:
    order = shop.order(shop.new_product(stock=5), 1, shop.customer).json()["id"]
    path = f"/orders/{order}"
    return Thing(
        path,
        shop.staff,
        [("POST", f"{path}/fulfil", None), ("POST", f"{path}/cancel", None)],
        lambda: shop.call("POST", f"{path}/cancel", shop.customer),
    )


THINGS: Final = [a_product, a_category, a_stock_item, an_order]


@pytest.mark.parametrize("thing", THINGS)
def test_what_has_changed_since_it_was_seen_is_not_changed(
    shop: RunningShop, thing: Callable[[RunningShop], Thing]
) -> None:
    one = thing(shop)
    seen = shop.call("GET", one.path, one.token).headers["etag"]
    one.meanwhile().raise_for_status()
    known = shop.call("GET", one.path, one.token)
    assert known.headers["etag"] != seen
    for method, path, body in one.changes:
        for tags in (seen, f'"x", {seen}', f"W/{known.headers['etag']}"):
            refused = shop.call(method, path, one.token, json=body, headers={"if-match": tags})
            assert_refused(refused, 412, "request.precondition_failed")
    assert shop.call("GET", one.path, one.token).json() == known.json()


@pytest.mark.parametrize("thing", THINGS)
def test_what_is_as_it_was_seen_is_changed_and_has_another_tag(
    shop: RunningShop, thing: Callable[[RunningShop], Thing]
) -> None:
    one = thing(shop)
    method, path, body = one.changes[0]
    seen = shop.call("GET", one.path, one.token).headers["etag"]
    assert shop.call("GET", one.path, one.token).headers["etag"] == seen
    changed = shop.call(method, path, one.token, json=body, headers={"if-match": f'"x" , {seen}'})
    assert changed.status_code in {200, 201}
    tag = changed.headers["etag"]
    assert tag != seen
    assert shop.call("GET", one.path, one.token).headers["etag"] == tag
    assert shop.call(method, path, one.token, json=body, headers={"if-match": "*"}).status_code in {200, 201}


@pytest.mark.parametrize("tags", ["", "abc", '"a', '"a" "b"', "*, *", "W/", '"a b"'])
def test_what_is_no_tag_is_refused(shop: RunningShop, tags: str) -> None:
    one = a_product(shop)
    sent = {"if-match": tags.encode("latin1")}
    refused = shop.call("PUT", one.path, one.token, json={"price": 1}, headers=sent)
    assert_refused(refused, 400, "request.invalid")


def test_of_two_who_saw_the_same_one_changes_it(shop: RunningShop) -> None:
    one = a_stock_item(shop)
    seen = shop.call("GET", one.path).headers["etag"]

    def set_level(level: int) -> int:
        headers = {"if-match": seen}
        return shop.call("PUT", one.path, one.token, json={"stock": level}, headers=headers).status_code

    with ThreadPoolExecutor(AT_ONCE) as clients:
        answers = list(clients.map(set_level, range(10, 10 + AT_ONCE)))
    assert sorted(answers) == [200, *[412] * (AT_ONCE - 1)]


def test_a_repeat_of_what_was_done_to_what_was_seen_answers_the_same(shop: RunningShop) -> None:
    one, key = a_stock_item(shop), f"k{uuid4()}"
    headers = {"if-match": shop.call("GET", one.path).headers["etag"], "idempotency-key": key}
    first, again = (shop.call("PUT", one.path, one.token, json={"stock": 3}, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert first.status_code == 200
