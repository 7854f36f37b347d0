"""compose.yaml: what holds for its containers, beside what holds for every configuration."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
import yaml
from sqlalchemy import make_url

from entrypoints.contexts import NAMES, SERVICE_NAMES
from tests.architecture.tools import ROOT, tool
from tests.deploy.roles import COMPOSE, GATEWAY, IMAGE, READY, compose_file, from_compose

FILE = compose_file()
SERVICES = FILE["services"]
ONCE = ["migrate", "gateway-files"]
"""They do their work and end."""
ROOTS = ["alloy"]
"""Who is root, since the engine's socket is."""
UNASKED = [*ONCE, "alloy"]
"""Who has nothing that a health check could ask with."""
RESERVED = 3  # connections that PostgreSQL keeps for superusers
WORKERS = 7


def networks(service: str) -> set[str]:
    return set(SERVICES[service].get("networks", []))


def test_it_keeps_the_schema_of_compose_files() -> None:
    status, said = tool(ROOT, "check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE))
    assert status == 0, said


def test_the_gateway_and_grafana_alone_are_published_and_to_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {GATEWAY, "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_whoever_is_not_published_is_on_internal_networks() -> None:
    outward = {name for name, network in FILE["networks"].items() if not network.get("internal")}
    assert {name for name in SERVICES if networks(name) & outward} == {GATEWAY, "grafana"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_can_write_to_its_volumes_alone_and_gain_no_right(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert (service["user"].split(":")[0] == "0") == (name in ROOTS)
    assert not {"privileged", "cap_add", "pid", "ipc"} & service.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_an_end_to_its_memory_and_begins_again_unless_it_is_done(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["restart"] == ("no" if name in ONCE else "unless-stopped")


@pytest.mark.parametrize("name", SERVICES)
def test_images_of_others_are_named_with_their_whole_version(name: str) -> None:
    image = SERVICES[name]["image"]
    assert IMAGE.fullmatch(image) or re.fullmatch(r"[a-z/]+:v?\d+(\.\d+){1,2}", image)


def test_our_image_is_built_here() -> None:
    assert {service["image"] for service in SERVICES.values() if service.get("build") == "."} == {"ecshop:latest"}


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_container_mounts_is_there(name: str) -> None:
    for source, *_ in (one.split(":") for one in SERVICES[name].get("volumes", [])):
        assert source in FILE["volumes"] or source == "/var/run/docker.sock" or (ROOT / source).exists(), source
    assert networks(name) <= FILE["networks"].keys()


def test_every_volume_and_network_has_a_use() -> None:
    assert FILE["networks"].keys() == set().union(*(networks(name) for name in SERVICES))
    mounted = {one.split(":")[0] for service in SERVICES.values() for one in service.get("volumes", [])}
    assert FILE["volumes"].keys() <= mounted


@pytest.mark.parametrize("name", SERVICES)
def test_whoever_can_be_asked_is(name: str) -> None:
    assert ("test" in SERVICES[name].get("healthcheck", {})) == (name not in UNASKED)


@pytest.mark.parametrize("name", SERVICE_NAMES)
def test_a_server_is_healthy_when_it_is_ready(name: str) -> None:
    [path] = re.findall(r"(/health/\w+)", " ".join(SERVICES[name]["healthcheck"]["test"]))
    assert path in READY
    assert "{os.environ['ECSHOP_PORT']}" in SERVICES[name]["healthcheck"]["test"][-1]


def test_a_worker_is_healthy_when_it_is_ready() -> None:
    [port, path] = re.findall(r":(\d+)(/health/\w+)", " ".join(SERVICES["worker"]["healthcheck"]["test"]))[0]
    assert (int(port), path in READY) == (from_compose().roles["worker"].settings.worker_port, True)


def test_whatever_runs_sends_its_traces_where_they_are_taken() -> None:
    taken = yaml.safe_load((ROOT / "deploy/monitoring/tempo.yaml").read_text())
    port = taken["distributor"]["receivers"]["otlp"]["protocols"]["http"]["endpoint"].split(":")[1]
    sent = {name: role.settings.otlp_endpoint for name, role in from_compose().roles.items()}
    assert sent == {name: f"http://tempo:{port}" if name in (*SERVICE_NAMES, "worker") else "" for name in sent}


def test_databases_are_migrated_before_anybody_uses_them() -> None:
    told = {name for name in SERVICES if "ECSHOP_DATABASE_URL" in SERVICES[name].get("environment", {})}
    for name in told - {"migrate"}:
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_the_gateway_starts_when_all_whom_it_names_are_ready_and_its_files_are_written() -> None:
    waits_for = {name: told["condition"] for name, told in SERVICES[GATEWAY]["depends_on"].items()}
    ready = dict.fromkeys(SERVICE_NAMES, "service_healthy")
    assert waits_for == {"gateway-files": "service_completed_successfully", **ready}


@pytest.mark.parametrize("name", [*NAMES, "worker", "migrate"])
def test_the_database_that_a_role_is_told_is_the_one_that_is_there(name: str) -> None:
    url, server = make_url(SERVICES[name]["environment"]["ECSHOP_DATABASE_URL"]), SERVICES["postgres"]["environment"]
    assert (url.host, url.port) == ("postgres", 5432)
    assert (url.username, url.password) == (server["POSTGRES_USER"], server["POSTGRES_PASSWORD"])
    assert url.database == server["POSTGRES_DB"]


def test_the_broker_that_the_worker_is_told_is_the_one_that_is_there() -> None:
    url = urlsplit(SERVICES["worker"]["environment"]["REDIS_URL"])
    assert (url.hostname, url.port) == ("redis", 6379)
    assert url.password == SERVICES["redis"]["environment"]["REDISCLI_AUTH"]


@pytest.mark.parametrize("name", SERVICES)
def test_whoever_is_told_of_a_host_shares_a_network_with_it(name: str) -> None:
    if SERVICES[name].get("network_mode") == "none":
        return
    told = " ".join(str(value) for value in SERVICES[name].get("environment", {}).values())
    for host in re.findall(r"(?://|@)(\w+):\d+", told):
        assert networks(name) & networks(host), host


def test_the_gateway_shares_a_network_with_all_services() -> None:
    assert [name for name in SERVICE_NAMES if not networks(GATEWAY) & networks(name)] == []


def test_postgres_has_room_for_all_roles_and_for_more_workers() -> None:
    [most] = [int(one.removeprefix("max_connections=")) for one in SERVICES["postgres"]["command"] if "=" in one]
    of_each = {name: role.settings.database_connections + 1 for name, role in from_compose().roles.items()}
    servers = sum(of_each[name] for name in NAMES)
    assert servers + WORKERS * len(NAMES) * of_each["worker"] <= most - RESERVED


def test_a_variable_has_the_same_default_wherever_it_is_used() -> None:
    defaults = set(re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE.read_text()))
    assert len(defaults) == len({name for name, _ in defaults})


def test_our_containers_write_to_their_temporary_folders_alone() -> None:
    for name, service in SERVICES.items():
        if IMAGE.fullmatch(service["image"]):
            mounted = [*service["tmpfs"], *(one.split(":")[1] for one in service.get("volumes", []))]
            assert sorted(mounted) == ["/data", "/tmp"], name


def test_the_socket_of_the_engine_is_mounted_once() -> None:
    assert [name for name, one in SERVICES.items() if "docker.sock" in str(one.get("volumes"))] == ROOTS


def test_what_is_of_this_machine_is_mounted_to_be_read() -> None:
    for service in SERVICES.values():
        for one in service.get("volumes", []):
            assert one.endswith(":ro") or not one.startswith((".", "/")), one
