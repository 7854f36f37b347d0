"""Replicas of services and workers on one server, behind a gateway, that die at random while buyers order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from bench import patient
from bench.persistent import buy_for_certain, with_stock
from bench.replicas import Deployment, kill_at_random
from tests.databases import OnPostgres, PostgresServer, for_a_shop
from tests.faults.buying import BUYERS, all_books_agree, no_order_is_lost_or_doubled
from tests.shops import need_nginx
from tests.waiting import eventually

REPLICAS, WORKERS = {"order": 3, "stock": 3}, 2
UNITS = 50
KILLS = 8


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


def test_five_hundred_buyers_share_fifty_units(deployment: Deployment) -> None:
    [product] = with_stock(deployment.address, deployment.key, 1, UNITS)
    answers = buy_for_certain(deployment.address, deployment.key, [product], BUYERS)
    assert sum(answer.is_success for answer in answers) == UNITS
    assert {answer.json()["code"] for answer in answers if answer.is_error} <= {
        "stock.insufficient",
        "product.discontinued",
    }
    all_books_agree(deployment.settings)
    level = patient.get(f"{deployment.address}/stock/{product}").json()
    assert (level["stock"], level["reserved"]) == (0, 0)
    eventually(lambda: patient.get(f"{deployment.address}/products/{product}").json()["status"], False)


def test_no_order_is_lost_or_doubled_whoever_dies(deployment: Deployment) -> None:
    killing = partial(kill_at_random, deployment, every=1.5, times=KILLS, seed=7)
    no_order_is_lost_or_doubled(deployment.address, deployment.key, deployment.settings, killing)
