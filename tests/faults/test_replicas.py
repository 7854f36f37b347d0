"""Replicas of services and workers on one server, behind a gateway, that die at random while buyers order."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import select

from bench.persistent import buy_for_certain, with_stock
from bench.replicas import Deployment, killing
from ecshop.order.models import OrderRow
from entrypoints.operations.doctor import examine
from entrypoints.operations.shop_data import beside_the_shop
from tests.databases import OnPostgres, PostgresServer, for_a_shop
from tests.shops import need_nginx
from tests.waiting import eventually

REPLICAS, WORKERS = {"order": 3, "stock": 3}, 2
BUYERS, UNITS = 500, 50
KILLS = 8
SETTLED_WITHIN = 150
"""Seconds: on Pub/Sub receipts that a dead relay had taken come again after a minute."""


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


def _orders(deployment: Deployment) -> set[str]:
    return beside_the_shop(deployment.settings, "order", lambda s: {str(one) for one in s.scalars(select(OrderRow.id))})


def _all_is_well(deployment: Deployment) -> None:
    eventually(lambda: [str(finding) for finding in examine(deployment.settings)], [], seconds=SETTLED_WITHIN)


def test_five_hundred_buyers_share_fifty_units(deployment: Deployment) -> None:
    [product] = with_stock(deployment.address, deployment.key, 1, UNITS)
    answers = buy_for_certain(deployment.address, deployment.key, [product], BUYERS)
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
    products, before = with_stock(deployment.address, deployment.key, 10, BUYERS), _orders(deployment)
    with killing(deployment, every=1.5, most=KILLS, seed=7):
        answers = []
        while deployment.kills < KILLS:
            answers += buy_for_certain(deployment.address, deployment.key, products, BUYERS)
    assert [answer.text for answer in answers if answer.is_error] == []
    told = [answer.json()["id"] for answer in answers]
    _all_is_well(deployment)
    kept = _orders(deployment) - before
    assert (kept, len(told)) == (set(told), len(kept))
    left = sum(httpx.get(f"{deployment.address}/stock/{product}").json()["stock"] for product in products)
    assert left == len(products) * BUYERS - len(told)
