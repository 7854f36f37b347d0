"""Cloud Run: each service, worker and job is described as the code is, and as gcloud reads it."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
import yaml

from ecshop.kernel.http.health import live, readiness
from ecshop.web.live import MOST
from ecshop.web.watch import LONGEST
from entrypoints.cli import main as cli
from entrypoints.contexts import CONTEXTS, NAMES, SERVICE_NAMES, SERVICES, WEB, ContextEntry, Service
from entrypoints.environment import read_settings
from entrypoints.grants import GRANTS
from entrypoints.settings import Settings
from tests.deploy.cloudrun import (
    ALL,
    FOLDER,
    PLACEHOLDERS,
    RESERVED,
    SECRETS,
    Deployed,
    connections_at_most,
    deployed,
    url_map_paths,
)
from tests.deploy.gcloud import refusal
from tests.deploy.terraform import Terraform

DEPLOYED: Final = {service.name: deployed(f"{service.name}.yaml") for service in SERVICES}
URL_MAP: Final = FOLDER / "url-map.yaml"
MAX_CONNECTIONS: Final = re.compile(r"max_connections=(\d+)")

each_context = pytest.mark.parametrize("context", CONTEXTS, ids=NAMES)
each_service = pytest.mark.parametrize("service", SERVICES, ids=SERVICE_NAMES)
each_file = pytest.mark.parametrize("one", ALL, ids=[one.file.stem for one in ALL])


def _url_map() -> Any:
    text = URL_MAP.read_text()
    for name, value in PLACEHOLDERS.items():
        text = text.replace(f"${{{name}}}", value)
    return yaml.safe_load(text)


@each_file
def test_gcloud_reads_it(one: Deployed) -> None:
    assert refusal(one.kind, one.document) == ""


def test_gcloud_reads_the_url_map() -> None:
    assert refusal("UrlMap", _url_map()) == ""


def test_gcloud_reads_no_word_that_it_does_not_know() -> None:
    document = DEPLOYED["order"].document | {"spec": {"templates": {}}}
    assert "templates" in refusal("Service", document)


@each_service
def test_each_service_is_one_on_its_own_port(service: Service) -> None:
    told = DEPLOYED[service.name]
    assert (told.kind, told.name) == ("Service", f"ecshop-{service.name}")
    assert told.container["args"] == ["serve", service.name]
    assert [port["containerPort"] for port in told.container["ports"]] == [service.port]
    assert read_settings(told.environment(SECRETS)).port == service.port


@each_file
def test_its_arguments_are_a_command(one: Deployed) -> None:
    name, *arguments = one.container["args"]
    cli.commands[name].make_context(name, list(arguments))


@each_file
def test_its_variables_are_settings_and_name_a_server(one: Deployed) -> None:
    settings = read_settings(one.environment(SECRETS))
    assert [bool(settings.server_of(name)) for name in NAMES] == [one.name != f"ecshop-{WEB.name}"] * len(NAMES)
    assert (settings.profile, settings.log_form, settings.cloud_run) == ("production", "google", one.name)
    assert settings.google_cloud_project == PLACEHOLDERS["PROJECT"]


@each_context
def test_a_service_leaves_the_events_to_the_worker(context: ContextEntry) -> None:
    service = DEPLOYED[context.name]
    assert read_settings(service.environment(SECRETS)).background == "off"
    assert service.template["metadata"]["annotations"]["run.googleapis.com/cpu-throttling"] == "true"


@pytest.mark.parametrize("file", ["worker-pool.yaml", "worker-job.yaml"])
def test_the_worker_takes_events_from_pubsub(file: str) -> None:
    settings = read_settings(deployed(file).environment(SECRETS))
    assert (settings.background, settings.broker, settings.pubsub_prefix) == ("on", "pubsub", "ecshop-")


@each_service
def test_a_service_finds_those_that_stand_below_it(service: Service) -> None:
    told = DEPLOYED[service.name].environment(SECRETS)
    below = SERVICE_NAMES[: SERVICE_NAMES.index(service.name)]
    domain = f"{PLACEHOLDERS['PROJECT_NUMBER']}.{PLACEHOLDERS['REGION']}.run.app"
    assert {name: value for name, value in told.items() if name.endswith("_URL") and "DATABASE" not in name} == {
        f"ECSHOP_{name.upper()}_URL": f"https://ecshop-{name}-{domain}" for name in below
    }


@each_service
def test_only_who_calls_others_in_its_own_name_has_a_secret_and_only_auth_knows_all(service: Service) -> None:
    expected = {"ecshop-database-url"} if service in CONTEXTS else set()
    expected |= {"ecshop-client-secret"} if service.name in GRANTS else set()
    expected |= {"ecshop-client-secrets"} if service.name == "auth" else set()
    assert DEPLOYED[service.name].secrets == expected


@each_file
def test_each_role_has_an_account_of_its_own(one: Deployed) -> None:
    account, _, domain = one.spec["serviceAccountName"].partition("@")
    role = one.container["args"][-1] if one.kind == "Service" else "worker"
    assert (account, domain) == (f"ecshop-{role}", f"{PLACEHOLDERS['PROJECT']}.iam.gserviceaccount.com")


@each_service
def test_a_service_is_asked_how_it_is_where_it_says_so(service: Service) -> None:
    async def nothing() -> dict[str, str]:
        return {}

    container = DEPLOYED[service.name].container
    assert {container["livenessProbe"]["httpGet"]["path"]} == live.paths
    assert {container["startupProbe"]["httpGet"]["path"]} == readiness({}, nothing).paths


@each_service
def test_a_service_is_closed_to_the_internet(service: Service) -> None:
    annotations = DEPLOYED[service.name].document["metadata"]["annotations"]
    assert annotations["run.googleapis.com/ingress"] == "internal-and-cloud-load-balancing"


def test_who_asks_through_web_is_known_by_the_address_that_he_asks_from() -> None:
    """The subnet that its calls leave by is as trusted as the load balancer."""
    [subnet] = Terraform().resources("google_compute_subnetwork").values()
    for name in NAMES:
        assert subnet["ip_cidr_range"] in DEPLOYED[name].environment(SECRETS)["ECSHOP_TRUSTED_PROXIES"].split(",")


def test_a_page_that_moves_may_do_so_until_it_connects_again() -> None:
    """As far as Cloud Run goes: an hour, and 1,000 requests at a time."""
    spec = DEPLOYED[WEB.name].spec
    assert LONGEST < spec["timeoutSeconds"] <= 3600
    assert MOST < spec["containerConcurrency"] <= 1000


def test_all_instances_together_have_fewer_connections_than_the_server_takes() -> None:
    page = (FOLDER.parents[1] / "docs" / "deploy-cloud-run.md").read_text()
    [limit] = MAX_CONNECTIONS.findall(page)
    assert connections_at_most() == 180 <= int(limit) - RESERVED
    assert "180 of these 200" in page


def test_the_url_map_sends_each_path_to_its_owner_and_no_other_to_any() -> None:
    [matcher] = _url_map()["pathMatchers"]
    owners = {
        path: rule["service"].rpartition("/")[2].removeprefix("ecshop-")
        for rule in matcher["pathRules"]
        if "routeAction" not in rule
        for path in rule["paths"]
    }
    expected = {path: one.name for one in SERVICES for path in url_map_paths(one)}
    front = dict.fromkeys(("/health/live", "/health/ready"), NAMES[-1])
    assert owners == {**expected, **front}
    assert {_url_map()["defaultService"], matcher["defaultService"]} == {
        f"https://www.googleapis.com/compute/v1/projects/{PLACEHOLDERS['PROJECT']}/global/backendBuckets/ecshop-docs"
    }


def test_the_url_map_says_what_terraforms_says() -> None:
    [matcher] = _url_map()["pathMatchers"]
    ways = {path: rule for rule in matcher["pathRules"] for path in rule["paths"]}
    [made] = Terraform().resources("google_compute_url_map")["gateway"]["path_matcher"]
    for rule in made["path_rule"]:
        for path in rule["paths"]:
            for told in rule.get("route_action", []):
                [rewrite] = told["url_rewrite"]
                assert ways[path]["routeAction"]["urlRewrite"]["pathPrefixRewrite"] == rewrite["path_prefix_rewrite"]


def test_the_page_closes_and_limits_what_terraform_closes_and_limits() -> None:
    page = (FOLDER.parents[1] / "docs" / "deploy-cloud-run.md").read_text().replace("\\$", "$")
    terraform = Terraform()
    assert f"matches('{terraform.locals['closed']}')" in page
    interval, rate = terraform.locals["interval"], Settings().gateway_rate
    assert f"--rate-limit-threshold-count={rate * interval} --rate-limit-threshold-interval-sec={interval}" in page
    assert terraform.variables["database_max_connections"]["default"] == int(MAX_CONNECTIONS.findall(page)[0])
