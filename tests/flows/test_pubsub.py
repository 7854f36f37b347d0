"""The shop as services with Pub/Sub between them, and the commands that look after it there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bench.collector import Collector
from tests.flows.tracing import AS_SERVICES, new_trace, sell_the_last_units, shape_of, spans_of
from tests.shops import RunningShop, sell_out, sends_traces_to, shop_apart
from tests.waiting import eventually


@pytest.fixture(scope="module")
def over_pubsub(
    pubsub_host: str, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningShop]:
    environment = {"PUBSUB_EMULATOR_HOST": pubsub_host, "GOOGLE_CLOUD_PROJECT": "flows", **sends_traces_to(collector)}
    with shop_apart(tmp_path_factory.mktemp("over-pubsub"), **environment) as running:
        yield running


def test_an_order_of_all_units_takes_the_product_off_sale_and_its_cancellation_brings_it_back(
    over_pubsub: RunningShop,
) -> None:
    product = over_pubsub.new_product(stock=5)
    order = over_pubsub.order(product, 5).json()
    eventually(lambda: over_pubsub.units(product), (0, 0))
    eventually(lambda: over_pubsub.product(product)["status"], False)
    over_pubsub.call("POST", f"/orders/{order['id']}/cancel", over_pubsub.customer).raise_for_status()
    eventually(lambda: over_pubsub.units(product), (5, 0))
    eventually(lambda: over_pubsub.product(product)["status"], True)


def test_one_trace_goes_from_the_click_to_sold_out(over_pubsub: RunningShop, collector: Collector) -> None:
    trace = new_trace()
    sell_the_last_units(over_pubsub, trace)
    eventually(lambda: shape_of(spans_of(collector, trace)), AS_SERVICES)


@pytest.mark.parametrize("_round", range(3))
def test_many_buyers_share_fifty_units(over_pubsub: RunningShop, _round: int) -> None:
    sell_out(over_pubsub)


def test_where_no_project_is_named_the_split_mode_starts_an_emulator_and_no_redis(
    tmp_path: Path, pubsub_host: str
) -> None:
    with shop_apart(tmp_path, ECSHOP_BUS="pubsub") as running:
        product = running.new_product(stock=1)
        running.order(product, 1).raise_for_status()
        eventually(lambda: running.product(product)["status"], False)
    assert not (tmp_path / "redis").exists()


def test_topics_are_made_by_a_command_that_says_what_it_did(tmp_path: Path, pubsub_host: str) -> None:
    prefix = f"test-{uuid4().hex}-"
    environment = {"PUBSUB_EMULATOR_HOST": pubsub_host, "ECSHOP_PUBSUB_PREFIX": prefix}
    first, second = (_bus(tmp_path, "create", **environment) for _ in range(2))
    assert f"made      topic {prefix}order-confirmed\n" in first.stdout
    assert f"made      subscription {prefix}order-confirmed-stock\n" in first.stdout
    assert "is there" not in first.stdout
    assert second.stdout == first.stdout.replace("made    ", "is there")
    assert list(tmp_path.iterdir()) == []


def test_without_pubsub_there_is_nothing_to_make(tmp_path: Path) -> None:
    done = _bus(tmp_path, "create")
    assert (done.returncode, done.stdout) == (1, "")
    assert "ECSHOP_BUS=pubsub" in done.stderr


def test_what_is_sent_again_is_counted_by_context(over_pubsub: RunningShop) -> None:
    def sent_again() -> list[str]:
        return [line.split()[1] for line in _bus(over_pubsub.folder, "resend", "--since", "2h").stdout.splitlines()]

    eventually(sent_again, ["0", "0", "0", "0"])


@pytest.mark.parametrize("since", ["soon", "2", "-1h", "2w", ""])
def test_a_time_that_is_none_is_refused(tmp_path: Path, since: str) -> None:
    done = _bus(tmp_path, "resend", "--since", since)
    assert done.returncode == 2
    assert "30m, 2h or 1d" in done.stderr


def _bus(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ecshop", "bus", *command, "--data-dir", str(folder)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
