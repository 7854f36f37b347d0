"""An alert fires when it should and not when it should not, and whoever it wakes finds what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from tests.architecture.tools import ROOT
from tests.promtool import promtool
from tests.shops import RunningShop

MONITORING: Final = ROOT / "deploy/monitoring"
RULES: Final = MONITORING / "alerts.yml"
TESTS: Final = MONITORING / "alerts_test.yml"
ALERTS: Final[dict[str, dict[str, Any]]] = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}
PAGE: Final = (ROOT / "docs/operating.md").read_text()
OF_PROMETHEUS: Final = {"up"}
METRIC: Final = re.compile(r"\b(?:ecshop|http|db)_[a-z_]+(?=[\[{) ]|$)")

each_alert = pytest.mark.parametrize("alert", ALERTS)


def cases_of(alert: str) -> Iterator[dict[str, Any]]:
    for test in yaml.safe_load(TESTS.read_text())["tests"]:
        yield from (case for case in test["alert_rule_test"] if case["alertname"] == alert)


def test_promtool_takes_the_rules() -> None:
    promtool("check", "rules", RULES)


def test_each_rule_does_what_its_series_say() -> None:
    promtool("test", "rules", TESTS)


@each_alert
def test_it_is_tried_with_a_series_that_fires_it_and_with_one_that_does_not(alert: str) -> None:
    assert {bool(case.get("exp_alerts")) for case in cases_of(alert)} == {True, False}


@each_alert
def test_it_has_a_page_that_says_what_to_do(alert: str) -> None:
    assert f"### {alert}\n" in PAGE


@each_alert
def test_it_says_how_much_it_hurries(alert: str) -> None:
    assert ALERTS[alert]["labels"]["severity"] in ("page", "ticket")


@each_alert
def test_it_asks_for_what_a_shop_counts(alert: str, together: RunningShop) -> None:
    counted = {line.split()[2] for line in together.metrics("order").splitlines() if line.startswith("# TYPE")}
    asked = {re.sub("_(?:bucket|count|sum)$", "", name) for name in METRIC.findall(ALERTS[alert]["expr"])}
    assert asked or ALERTS[alert]["expr"].split()[0] in OF_PROMETHEUS
    assert asked <= counted
