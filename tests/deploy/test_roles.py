"""Each configuration starts every role of the shop, and tells it what the code wants to be told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import signature
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from ecshop.events.buses.redis import RedisBus
from entrypoints.buses import workers_bus
from entrypoints.cli import main
from entrypoints.client_proofs import secrets_of
from entrypoints.compose import compose
from entrypoints.contexts import CONTEXTS, NAMES, SERVICE_NAMES, SERVICES, WEB
from entrypoints.databases import url_of
from entrypoints.grants import GRANTS
from entrypoints.identity import Identity
from entrypoints.settings import Settings
from entrypoints.stopping import LAST_STOP
from tests.deploy.roles import CONFIGURATIONS, GATEWAY, ROLES, Configuration

ON_DATABASES = [role for role in ROLES if role not in (GATEWAY, WEB.name)]
PORTS = {service.name: service.port for service in SERVICES}


@pytest.fixture(params=CONFIGURATIONS)
def deployed(request: pytest.FixtureRequest) -> Configuration:
    return CONFIGURATIONS[request.param]()


def callees(role: str) -> set[str]:
    """Whom a role calls: services check tokens by the keys of auth, and call the neighbours that they are built on."""
    if role == GATEWAY:
        return set(SERVICE_NAMES)
    if role == WEB.name:
        return set(NAMES)
    for context in CONTEXTS:
        if context.name == role:
            return {"auth", *signature(context.module.build).parameters} & set(NAMES) - {role}
    return set()


def told_addresses(deployed: Configuration, role: str) -> dict[str, str]:
    variables = {f"ECSHOP_{name.upper()}_URL": name for name in SERVICE_NAMES}
    told = deployed.roles[role].environment
    return {name: told[variable] for variable, name in variables.items() if variable in told}


def gateway_conf(deployed: Configuration, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the gateway's command prints where it is told what it is."""
    role = deployed.roles[GATEWAY]
    for name, value in role.environment.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, role.commands[0])
    assert done.exit_code == 0, done.output
    return done.output


def test_every_role_is_started(deployed: Configuration) -> None:
    assert deployed.roles.keys() == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_what_is_asked_of_ecshop_is_a_command_with_options_that_it_has(deployed: Configuration, role: str) -> None:
    for name, *arguments in deployed.roles[role].commands:
        main.commands[name].make_context(name, list(arguments))


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_told_nothing_that_the_code_refuses(deployed: Configuration, role: str) -> None:
    assert isinstance(deployed.roles[role].settings, Settings)


@pytest.mark.parametrize("name", NAMES)
def test_a_server_is_what_its_context_is_served_by(deployed: Configuration, name: str) -> None:
    settings = deployed.roles[name].settings
    assert (settings.port, settings.background) == (PORTS[name], "off")
    assert [context.name for context in compose(settings, frozenset({name})).contexts] == [name]


def test_the_pages_are_served_without_a_database(deployed: Configuration) -> None:
    settings = deployed.roles[WEB.name].settings
    assert settings.port == PORTS[WEB.name]
    assert not any(map(settings.server_of, NAMES))
    assert compose(settings, frozenset({WEB.name})).contexts == []


def test_a_worker_has_all_contexts_and_the_broker(deployed: Configuration) -> None:
    settings = deployed.roles["worker"].settings
    bus = workers_bus(settings, Identity(settings).id)
    assert isinstance(bus, RedisBus)
    assert [context.name for context in compose(settings, bus=bus, with_events=True).contexts] == list(NAMES)


@pytest.mark.parametrize("role", ROLES)
def test_nobody_but_the_worker_knows_the_broker(deployed: Configuration, role: str) -> None:
    assert deployed.roles[role].settings.names_a_broker == (role == "worker")


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_told_where_those_are_that_it_calls_and_of_nobody_else(deployed: Configuration, role: str) -> None:
    assert told_addresses(deployed, role).keys() == callees(role)


@pytest.mark.parametrize("role", ROLES)
def test_at_an_address_that_a_role_is_told_that_context_listens(deployed: Configuration, role: str) -> None:
    told = told_addresses(deployed, role)
    assert {name: deployed.listening.get(urlsplit(url).netloc) for name, url in told.items()} == {n: n for n in told}


def test_all_have_the_same_databases_and_are_the_same_shop(deployed: Configuration) -> None:
    settings = [deployed.roles[role].settings for role in ON_DATABASES]
    assert len({Identity(one).id for one in settings}) == 1
    for name in NAMES:
        [url] = {url_of(one, name) for one in settings}
        assert url.query["schema"] == name


def test_a_service_that_calls_others_has_the_secret_that_auth_knows_it_by(deployed: Configuration) -> None:
    known = secrets_of(deployed.roles["auth"].settings)
    assert known == {caller: [deployed.roles[caller].settings.client_secret] for caller in GRANTS}


@pytest.mark.parametrize("role", ROLES)
def test_nobody_else_has_such_a_secret(deployed: Configuration, role: str) -> None:
    settings = deployed.roles[role].settings
    assert (bool(settings.client_secret), bool(settings.client_secrets)) == (role in GRANTS, role == "auth")


@pytest.mark.parametrize("role", [*SERVICE_NAMES, "worker"])
def test_each_has_the_time_that_it_takes_to_stop(deployed: Configuration, role: str) -> None:
    assert deployed.seconds_to_stop[role] > LAST_STOP


def test_the_gateway_lets_requests_end_before_it_is_ended(
    deployed: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    [patience] = re.findall(r"proxy_read_timeout (\d+)s;", gateway_conf(deployed, monkeypatch))
    assert deployed.seconds_to_stop[GATEWAY] > int(patience)


def test_the_gateway_listens_where_it_is_looked_for(deployed: Configuration, monkeypatch: pytest.MonkeyPatch) -> None:
    assert re.findall(r"listen (\S+);", gateway_conf(deployed, monkeypatch)) == [str(deployed.nginx.port)]


def test_nginx_reads_what_the_gateways_commands_have_written(deployed: Configuration) -> None:
    role, nginx = deployed.roles[GATEWAY], deployed.nginx
    (_, *options), (_, docs) = role.commands
    told = dict(zip(options[::2], options[1::2], strict=True))
    [conf] = [path for option, path in zip(nginx.command, nginx.command[1:], strict=False) if option == "-c"]
    written, read = _inside(role.mounts, role.writes_to), _inside(nginx.mounts, conf)
    assert written == read
    assert _inside(role.mounts, docs) == _inside(nginx.mounts, told["--docs"])
    assert _inside(nginx.mounts, told["--folder"])[0] != read[0]


def _inside(mounts: Mapping[str, str], path: str) -> tuple[str, str]:
    """Which mount a file is in, and where in it."""
    [mount] = [one for one in mounts if path == one or path.startswith(f"{one}/")]
    return mounts[mount], path.removeprefix(mount)
