"""What looks at the shop looks where the shop is."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
import yaml

from ecshop.kernel.http.health import metrics
from entrypoints.contexts import SERVICES as SHOP_SERVICES
from tests.architecture.tools import ROOT
from tests.deploy.roles import compose_file, from_compose
from tests.promtool import promtool

MONITORING = ROOT / "deploy/monitoring"
PROMETHEUS = MONITORING / "prometheus.yml"
SERVICES = compose_file()["services"]
JOBS = yaml.safe_load(PROMETHEUS.read_text())["scrape_configs"]
RULE_FILES = yaml.safe_load(PROMETHEUS.read_text())["rule_files"]
SOURCES = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/datasources.yaml").read_text())["datasources"]
ALLOY = (MONITORING / "alloy.config").read_text()
PORTS = {
    "prometheus": 9090,
    "loki": yaml.safe_load((MONITORING / "loki.yaml").read_text())["server"]["http_listen_port"],
    "tempo": yaml.safe_load((MONITORING / "tempo.yaml").read_text())["server"]["http_listen_port"],
}


def share_a_network(one: str, other: str) -> bool:
    return bool(set(SERVICES[one]["networks"]) & set(SERVICES[other]["networks"]))


def looked_up(job: dict[str, object]) -> tuple[str, int]:
    assert isinstance(job["dns_sd_configs"], list)
    [told] = job["dns_sd_configs"]
    [name] = told["names"]
    return name, told["port"]


def test_prometheus_asks_every_role_at_its_port() -> None:
    worker = from_compose().roles["worker"].settings.worker_port
    assert [(job["job_name"], looked_up(job)) for job in JOBS] == [
        *((service.name, (service.name, service.port)) for service in SHOP_SERVICES),
        ("worker", ("worker", worker)),
    ]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job["job_name"])
def test_prometheus_asks_where_the_shop_counts(job: dict[str, str]) -> None:
    async def nothing(_accept: str) -> tuple[bytes, str]:
        return b"", "text/plain"

    assert job.get("metrics_path", "/metrics") in metrics(nothing).paths
    assert share_a_network("prometheus", job["job_name"])


def test_promtool_finds_nothing_wrong() -> None:
    promtool("check", "config", PROMETHEUS)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source["name"])
def test_grafana_has_its_data_from_where_it_is(source: dict[str, str]) -> None:
    url = urlsplit(source["url"])
    assert (url.hostname, url.port) == (source["type"], PORTS[source["type"]])
    assert share_a_network("grafana", source["type"])


def test_grafana_has_one_source_that_it_asks_first() -> None:
    assert [source["type"] for source in SOURCES if source.get("isDefault")] == ["prometheus"]


def test_alloy_sends_to_loki() -> None:
    [(host, port)] = re.findall(r'url = "http://(\w+):(\d+)/loki/api/v1/push"', ALLOY)
    assert (host, int(port)) == ("loki", PORTS["loki"])
    assert share_a_network("alloy", "loki")


def test_alloy_reads_the_logs_of_this_project_from_the_socket_that_it_is_given() -> None:
    assert re.findall(r"com\.docker\.compose\.project=([\w-]+)", ALLOY) == [compose_file()["name"]]
    mounted = {one.split(":")[1] for one in SERVICES["alloy"]["volumes"]}
    assert set(re.findall(r"unix://([\w./]+)", ALLOY)) <= mounted


@pytest.mark.parametrize("name", ["prometheus", "loki", "tempo", "alloy"])
def test_each_reads_the_file_that_it_is_given(name: str) -> None:
    targets = {one.split(":")[1] for one in SERVICES[name]["volumes"] if one.startswith("./")}
    arguments = {one.split("=")[-1] for one in SERVICES[name]["command"]}
    assert targets <= arguments | {f"/etc/prometheus/{file}" for file in RULE_FILES}


def test_prometheus_is_given_its_rules() -> None:
    mounted = dict(one.split(":")[:2] for one in SERVICES["prometheus"]["volumes"])
    for file in RULE_FILES:
        assert mounted[f"./{(MONITORING / file).relative_to(ROOT)}"] == f"/etc/prometheus/{file}"


@pytest.mark.parametrize(("name", "file"), [("loki", "loki.yaml"), ("tempo", "tempo.yaml")])
def test_each_writes_to_its_volume(name: str, file: str) -> None:
    [volume] = [one.split(":")[1] for one in SERVICES[name]["volumes"] if not one.startswith("./")]
    paths = re.findall(r"(?:path|path_prefix|directory): (/\S+)", (MONITORING / file).read_text())
    assert paths
    assert [path for path in paths if not f"{path}/".startswith(f"{volume}/")] == []
