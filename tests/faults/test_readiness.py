"""Readiness tells the truth: whether a write would come to be, and what makes events or orders late."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import redis
from prometheus_client.parser import text_string_to_metric_families

from bench import patient
from entrypoints.contexts import NAMES
from entrypoints.local.ports import free_port
from entrypoints.local.redis_server import start_redis
from tests.faults.test_time import locked
from tests.shops import RunningShop, need_redis, shop_apart, shop_together
from tests.waiting import eventually


def _ready(shop: RunningShop, context: str) -> tuple[int, dict[str, Any]]:
    answer = patient.get(f"{shop.server.url(context)}/health/ready")
    return answer.status_code, answer.json()


def test_a_database_that_takes_no_write_is_not_ready(tmp_path: Path) -> None:
    with shop_together(tmp_path) as shop:
        status, told = _ready(shop, "stock")
        assert (status, told["status"], told["checks"]["stock database"]) == (200, "ready", "ok")
        with locked(tmp_path, "stock"):
            eventually(lambda: _ready(shop, "stock")[0], 503)
            _, told = _ready(shop, "stock")
            assert told["code"] == "health.not_ready"
            assert told["checks"]["order database"] == "ok"
            assert told["checks"]["stock database"].startswith("the database does not answer")
        eventually(lambda: _ready(shop, "stock")[0], 200)


def test_what_makes_orders_or_events_late_is_named_and_the_service_is_ready(tmp_path: Path) -> None:
    need_redis()
    port = free_port()
    (tmp_path / "redis").mkdir()
    process = start_redis(tmp_path / "redis", port)
    with shop_apart(tmp_path / "shop", REDIS_URL=f"redis://127.0.0.1:{port}/0") as shop:
        product = shop.new_product(stock=5)
        status, told = _ready(shop, "order")
        assert (status, told["checks"]["product"], told["checks"]["stock"]) == (200, "ok", "ok")
        assert told["checks"]["the relay of order"] == "ok"
        for place, name in enumerate(NAMES):
            assert _ready(shop, name)[1]["checks"].keys() & set(NAMES) == set(NAMES[:place])
        shop.server.signal("stock", signal.SIGSTOP)
        eventually(lambda: _ready(shop, "order")[1]["checks"]["stock"], "does not answer")
        shop.server.signal("stock", signal.SIGCONT)
        eventually(lambda: _ready(shop, "order")[1]["checks"]["stock"], "ok")
        process.kill()
        process.wait()
        shop.order(product, 1).raise_for_status()
        eventually(lambda: "Redis does not answer" in _ready(shop, "order")[1]["checks"]["the relay of order"], True)
        assert _ready(shop, "order")[0] == 200
        process = start_redis(tmp_path / "redis", port)
        eventually(lambda: _ready(shop, "order")[1]["checks"]["the relay of order"], "ok")
        eventually(lambda: shop.units(product), (4, 0))
    process.kill()
    process.wait()


def _metric(shop: RunningShop, name: str, **labels: str) -> float:
    [value] = [
        sample.value
        for family in text_string_to_metric_families(shop.metrics("order"))
        for sample in family.samples
        if sample.name == name and sample.labels == {"context": "order", **labels}
    ]
    return value


def test_what_is_published_and_not_heard_is_counted(tmp_path: Path) -> None:
    need_redis()
    with shop_apart(tmp_path) as shop:
        product = shop.new_product(stock=5)
        order = shop.order(product, 1).raise_for_status().json()["id"]
        eventually(lambda: shop.units(product), (4, 0))
        eventually(lambda: _metric(shop, "ecshop_outbox_events", state="published"), 0)
        shop.server.signal("stock", signal.SIGSTOP)
        shop.call("POST", f"/orders/{order}/cancel", shop.customer).raise_for_status()
        eventually(lambda: _metric(shop, "ecshop_outbox_events", state="published"), 1)
        eventually(lambda: _metric(shop, "ecshop_outbox_oldest_seconds", state="published") > 1, True)
        assert _metric(shop, "ecshop_outbox_events", state="due") == 0
        shop.server.signal("stock", signal.SIGCONT)
        eventually(lambda: _metric(shop, "ecshop_outbox_events", state="published"), 0)
        assert _metric(shop, "ecshop_outbox_oldest_seconds", state="published") == 0


def test_a_redis_that_may_forget_is_named(tmp_path: Path) -> None:
    need_redis()
    port = free_port()
    (tmp_path / "redis").mkdir()
    process = start_redis(tmp_path / "redis", port)
    with redis.Redis(port=port) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    with shop_apart(tmp_path / "shop", REDIS_URL=f"redis://127.0.0.1:{port}/0") as shop:
        advice = "may forget events; set maxmemory-policy noeviction"
        eventually(lambda: _ready(shop, "stock")[1]["checks"].get("Redis"), advice)
        assert _ready(shop, "stock")[0] == 200
    process.kill()
    process.wait()
