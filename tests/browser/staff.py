"""Staff at a browser, and what they find: orders, and events that were given up on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID, uuid4

from ecshop.auth.accounts import change
from ecshop.auth.contract import UserChange
from ecshop.events.attempts import Failure
from ecshop.events.attempts import keep as keep_attempts
from ecshop.events.catalog import OrderConfirmed, OrderedUnits
from ecshop.events.dead_letters import keep
from ecshop.events.envelope import to_bytes
from ecshop.events.tables import DeadLetter
from ecshop.kernel.clock import now
from ecshop.kernel.identity import Role
from entrypoints.operations.shop_data import beside_the_shop
from tests.browser.chromium import Person
from tests.browser.conftest import PASSWORD, product
from tests.events import seal
from tests.shops import RunningShop
from tests.waiting import eventually

Open = Callable[..., Person]
ERROR: Final = "LookupError: confirmed, but never reserved"


def appoint(shop: RunningShop, role: Role) -> str:
    """Somebody who may sign in with that role; their name."""
    name = f"staff-{uuid4()}"[:30]
    made = shop.call("POST", "/auth/signup", json={"user_name": name, "password": PASSWORD}).json()

    promotion = UserChange(role=role)
    beside_the_shop(shop.settings, "auth", lambda session: change(session, None, UUID(made["id"]), promotion, now()))
    return name


def staff(shop: RunningShop, opened: Open, role: Role = Role.ADMIN, **window: Any) -> Person:
    """At the console's door."""
    name, person = appoint(shop, role), opened(**window)
    person.see("/shop/sign-in?next=/console")
    form = person.page.locator("form[action='/shop/sign-in']")
    form.locator("[name=username]").fill(name)
    form.locator("[name=password]").fill(PASSWORD)
    form.get_by_role("button").click()
    person.page.wait_for_url("**/console")
    return person


def ordered(shop: RunningShop, stock: int = 3) -> str:
    """An order whose units are taken; its id."""
    product_id, _ = product(shop, stock)
    order = str(shop.order(product_id, 1).json()["id"])
    path = f"/stock/reservations/{order}"
    eventually(lambda: shop.call("GET", path, shop.customer).json()["state"], "committed")
    return order


def short(order: str) -> str:
    end = order.replace("-", "")[-8:].upper()
    return f"{end[:4]}-{end[4:]}"


def given_up(shop: RunningShop, order: str) -> str:
    """A dead letter of the order's own event, as stock leaves one after its last try; its id."""
    told = shop.call("GET", f"/orders/{order}/timeline", shop.staff).json()
    event = seal(OrderConfirmed(UUID(order), 1, uuid4(), (OrderedUnits(1, 1),), 100, "JPY"))
    event_id, body = (
        told["confirmed_event"],
        to_bytes(event).replace(event.id.encode(), told["confirmed_event"].encode()),
    )
    letter = DeadLetter(
        consumer="stock", event_id=event_id, type=event.type, body=body, error=ERROR, attempts=6, failed_at=now()
    )
    tries = [Failure(event_id, LookupError("confirmed, but never reserved"))] * 6
    beside_the_shop(shop.settings, "stock", lambda session: keep_attempts(session, "stock", tries))
    beside_the_shop(shop.settings, "stock", lambda session: keep(session, letter))
    return str(event_id)
