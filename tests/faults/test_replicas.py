"""Replicas of services and workers on one server, behind a gateway, that die at random while buyers order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from bench.replicas import Deployment, killing
from ecshop.kernel.identity import Role
from ecshop.order.contract import OrderExpired
from ecshop.order.models import OrderRow
from ecshop.stock.contract import ReservationReleased
from entrypoints.operations.doctor import examine
from entrypoints.operations.shop_data import beside_the_shop
from tests.databases import OnPostgres, PostgresServer, for_a_shop
from tests.shops import need_nginx
from tests.waiting import eventually

REPLICAS, WORKERS = {"order": 3, "stock": 3}, 2
BUYERS, AT_A_TIME, UNITS = 500, 64, 50
KILLS = 8
PLACE_IT_AGAIN = {OrderExpired.code, ReservationReleased.code}
"""Of an order whose units nobody held any more when it came to be recorded."""


@pytest.fixture(params=["redis", "pubsub"], scope="module")
def deployment(
    request: pytest.FixtureRequest, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    need_nginx()
    databases = OnPostgres(postgres)
    environment = {"ECSHOP_DATABASE_URL": for_a_shop(databases, migrated=False), "ECSHOP_RESERVATION_SECONDS": "3"}
    if request.param == "redis":
        environment["REDIS_URL"] = request.getfixturevalue("redis_url")
    else:
        environment |= {"ECSHOP_BUS": "pubsub", "PUBSUB_EMULATOR_HOST": request.getfixturevalue("pubsub_host")}
    folder = tmp_path_factory.mktemp("replicas")
    with Deployment(folder, environment, replicas=REPLICAS, workers=WORKERS) as running:
        yield running
    databases.close()


def _with_stock(deployment: Deployment, products: int, units: int) -> list[int]:
    token = deployment.key.token_for_user(uuid4(), Role.STAFF, 900)
    with httpx.Client(base_url=deployment.address, headers={"authorization": f"Bearer {token}"}, timeout=30) as http:
        made = [http.post("/products", json={"name": f"Tea {n}", "price": 1200}) for n in range(products)]
        ids = [answer.raise_for_status().json()["id"] for answer in made]
        for id_ in ids:
            http.post("/stock", json={"product_id": id_, "stock": units}).raise_for_status()
    return ids


async def _buy(deployment: Deployment, products: list[int]) -> list[httpx.Response]:
    """Each buyer asks under a key of his own until he is told whether he has got it."""
    turns = asyncio.Semaphore(AT_A_TIME)

    async def buy(http: httpx.AsyncClient) -> httpx.Response:
        token = deployment.key.token_for_user(uuid4(), Role.CUSTOMER, 900)
        headers = {"authorization": f"Bearer {token}", "idempotency-key": str(uuid4())}
        path = f"/order?product_id={random.choice(products)}&quantity=1"
        async with turns:
            while True:
                try:
                    answer = await http.post(path, headers=headers)
                except httpx.TransportError:
                    continue
                if answer.status_code != 503 and answer.json().get("code") not in PLACE_IT_AGAIN:
                    return answer
                await asyncio.sleep(0.1)

    async with httpx.AsyncClient(base_url=deployment.address, timeout=30) as http, asyncio.timeout(120):
        return await asyncio.gather(*(buy(http) for _ in range(BUYERS)))


def _orders(deployment: Deployment) -> set[str]:
    return beside_the_shop(deployment.settings, "order", lambda s: {str(one) for one in s.scalars(select(OrderRow.id))})


def _all_is_well(deployment: Deployment) -> None:
    eventually(lambda: [str(finding) for finding in examine(deployment.settings)], [], seconds=60)


def test_five_hundred_buyers_share_fifty_units(deployment: Deployment) -> None:
    [product] = _with_stock(deployment, 1, UNITS)
    answers = asyncio.run(_buy(deployment, [product]))
    assert sum(answer.is_success for answer in answers) == UNITS
    assert {answer.json()["code"] for answer in answers if answer.is_error} <= {
        "stock.insufficient",
        "product.discontinued",
    }
    _all_is_well(deployment)
    level = httpx.get(f"{deployment.address}/stock/{product}").json()
    assert (level["stock"], level["reserved"]) == (0, 0)
    eventually(lambda: httpx.get(f"{deployment.address}/products/{product}").json()["status"], False)


def test_no_order_is_lost_or_doubled_whoever_dies(deployment: Deployment) -> None:
    products, before = _with_stock(deployment, 10, BUYERS), _orders(deployment)
    with killing(deployment, every=1.5, most=KILLS, seed=7):
        answers = []
        while deployment.kills < KILLS:
            answers += asyncio.run(_buy(deployment, products))
    assert [answer.text for answer in answers if answer.is_error] == []
    told = [answer.json()["id"] for answer in answers]
    _all_is_well(deployment)
    kept = _orders(deployment) - before
    assert (kept, len(told)) == (set(told), len(kept))
    left = sum(httpx.get(f"{deployment.address}/stock/{product}").json()["stock"] for product in products)
    assert left == len(products) * BUYERS - len(told)
