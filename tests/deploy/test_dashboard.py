"""Whatever is asked of Prometheus, on the dashboard and by whoever reads how to operate a shop, has an answer."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from tests.architecture.tools import ROOT
from tests.deploy.prometheus import Prometheus, prometheus
from tests.deploy.roles import compose_file
from tests.shops import RunningShop
from tests.waiting import eventually

GRAFANA: Final = ROOT / "deploy/monitoring/grafana"
DASHBOARD: Final = json.loads((GRAFANA / "dashboards/ecshop.json").read_text())
PANELS: Final[list[dict[str, Any]]] = DASHBOARD["panels"]
ON_THE_DASHBOARD: Final[list[str]] = [target["expr"] for panel in PANELS for target in panel["targets"]]
ON_THE_PAGE: Final = re.findall(r"^\| .+ \| `(.+)` \|$", (ROOT / "docs/operating.md").read_text(), re.MULTILINE)
RATE_INTERVAL: Final = "30s"
SEEN: Final = 'ecshop_event_lag_seconds_count{consumer="stock"} or ecshop_orders_total{outcome="confirmed"}'


@pytest.fixture(scope="module")
def watched(apart: RunningShop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A shop in which something has happened, as services, looked at by a Prometheus."""
    with prometheus(tmp_path_factory.mktemp("prometheus"), apart.server.ports) as running:
        product = apart.new_product(stock=5)
        for _ in range(2):  # a series begins with its first event, and has a rate from the second on
            apart.order(product, 1).raise_for_status()
            assert apart.order(product, 9).status_code == 409
            eventually(lambda: len(_numbers(running, SEEN)), 2, seconds=30)
        yield running


@pytest.mark.parametrize("expression", [*ON_THE_DASHBOARD, *ON_THE_PAGE])
def test_it_gets_data_of_a_shop_that_runs(watched: Prometheus, expression: str) -> None:
    asked = expression.replace("$__rate_interval", RATE_INTERVAL)
    eventually(lambda: bool(_numbers(watched, asked)), True, seconds=30)


def test_what_no_shop_counts_gets_none(watched: Prometheus) -> None:
    eventually(lambda: bool(_numbers(watched, "up == 1")), True)
    assert _numbers(watched, "sum(rate(ecshop_orders_lost_total[30s]))") == []


def test_the_page_has_expressions() -> None:
    assert len(ON_THE_PAGE) >= 5


def test_panels_stand_side_by_side() -> None:
    covered = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(covered) == len(set(covered))
    assert max(x for x, _ in covered) < 24


def test_panels_ask_the_source_that_grafana_is_given() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/datasources.yaml").read_text())["datasources"]
    known = {source["uid"]: source["type"] for source in sources}
    assert {known[panel["datasource"]["uid"]] for panel in PANELS} == {"prometheus"}


def test_grafana_finds_the_dashboard_where_it_looks() -> None:
    [provider] = yaml.safe_load((GRAFANA / "provisioning/dashboards/dashboards.yaml").read_text())["providers"]
    mounted = {one.split(":")[1]: one.split(":")[0] for one in compose_file()["services"]["grafana"]["volumes"]}
    assert ROOT / mounted[provider["options"]["path"]] == GRAFANA / "dashboards"
    assert ROOT / mounted["/etc/grafana/provisioning/dashboards"] == GRAFANA / "provisioning/dashboards"


def _numbers(watched: Prometheus, expression: str) -> list[float]:
    """The quotient of nothing, which is NaN, is no data."""
    values = [float(series["value"][1]) for series in watched.ask(expression)]
    return [value for value in values if not math.isnan(value)]
