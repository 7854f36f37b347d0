"""The roles of a shop as a configuration starts them: what is asked of `ecshop`, and what it is told."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from ecshop.kernel.http.health import health, live, readiness
from entrypoints.contexts import SERVICE_NAMES
from entrypoints.environment import read_settings
from entrypoints.settings import Settings
from tests.architecture.tools import ROOT

Manifest = dict[str, Any]

COMPOSE: Final = ROOT / "compose.yaml"
BASE: Final = ROOT / "deploy/kubernetes/base"
PRODUCTION: Final = ROOT / "deploy/kubernetes/overlays/production"
EXAMPLE: Final = BASE / "secrets.example.yaml"
GATEWAY: Final = "gateway"
ROLES: Final = (*SERVICE_NAMES, "worker", "migrate", GATEWAY)
IMAGE: Final = re.compile(r"ecshop(:latest)?")
LIVE: Final = frozenset({*live.paths, *health.paths})
READY: Final = frozenset(readiness({}, lambda: asyncio.sleep(0, {})).paths)
_DEFAULT: Final = re.compile(r"\$\{\w+:-([^}]*)\}")
_SECONDS: Final = re.compile(r"(\d+)s")


class Role(NamedTuple):
    commands: Sequence[Sequence[str]]
    """What `ecshop` is called with, one after the other."""
    writes_to: str
    """Where the first command's output goes; empty where that is the log."""
    environment: Mapping[str, str]
    mounts: Mapping[str, str]
    """What is mounted, by the path."""

    @property
    def name(self) -> str:
        first, *rest = self.commands[0]
        return rest[0] if first == "serve" else first

    @property
    def settings(self) -> Settings:
        return read_settings(self.environment)


class Nginx(NamedTuple):
    command: Sequence[str]
    port: int
    mounts: Mapping[str, str]


class Configuration(NamedTuple):
    roles: Mapping[str, Role]
    listening: Mapping[str, str]
    """By host and port, which role answers there."""
    nginx: Nginx
    seconds_to_stop: Mapping[str, float]
    """By role, from its signal to its end; of the gateway, nginx has them."""


@cache
def documents(file: Path) -> list[Manifest]:
    return [one for one in yaml.safe_load_all(file.read_text()) if one]


@cache
def compose_file() -> Manifest:
    """With what the variables are where nobody sets them."""
    told: Manifest = yaml.safe_load(_DEFAULT.sub(r"\1", COMPOSE.read_text()).replace("$$", "$"))
    return told


def base() -> list[Manifest]:
    """All that the base's kustomization lists."""
    [kustomization] = documents(BASE / "kustomization.yaml")
    return [one for name in kustomization["resources"] for one in documents(BASE / name)]


def of_kind(manifests: Sequence[Manifest], *kinds: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] in kinds}


def workloads() -> dict[str, Manifest]:
    return of_kind(base(), "Deployment", "Job")


def pod_of(workload: Manifest) -> Manifest:
    spec: Manifest = workload["spec"]["template"]["spec"]
    return spec


def containers_of(workload: Manifest) -> list[Manifest]:
    pod = pod_of(workload)
    return [*pod.get("initContainers", []), *pod["containers"]]


def seconds_before_stop(workload: Manifest) -> float:
    """In which a pod still serves, for those who have not heard of its end."""
    [container] = pod_of(workload)["containers"]
    return float(container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0))


@cache
def from_compose() -> Configuration:
    services = compose_file()["services"]
    found = {name: _of_service(one) for name, one in services.items() if IMAGE.fullmatch(one["image"])}
    nginx = services[GATEWAY]
    [published] = nginx["ports"]
    stops = {role.name: _grace(services[name]) for name, role in found.items()}
    return Configuration(
        _by_name(found.values()),
        {f"{name}:{role.settings.port}": role.name for name, role in found.items() if role.name in SERVICE_NAMES},
        Nginx(nginx["entrypoint"], int(published.split(":")[-1]), _binds(nginx)),
        stops | {GATEWAY: _grace(nginx)},
    )


@cache
def from_kubernetes() -> Configuration:
    manifests = base()
    containers = [container for one in workloads().values() for container in containers_of(one)]
    found = [_of_container(one) for one in containers if IMAGE.fullmatch(one["image"])]
    [nginx] = pod_of(workloads()[GATEWAY])["containers"]
    [port] = nginx["ports"]
    listening = {}
    for name, service in of_kind(manifests, "Service").items():
        [answering] = [one for one in workloads().values() if _selects(service, one)]
        [container] = pod_of(answering)["containers"]
        [named], [reached] = container["ports"], service["spec"]["ports"]
        assert reached["targetPort"] == named["name"]
        if IMAGE.fullmatch(container["image"]):
            role = _of_container(container)
            assert named["containerPort"] == role.settings.port
            listening[f"{name}:{reached['port']}"] = role.name
    return Configuration(
        _by_name(found),
        listening,
        Nginx(nginx["command"], port["containerPort"], _mounts(nginx)),
        {
            name: pod_of(one)["terminationGracePeriodSeconds"] - seconds_before_stop(one)
            for name, one in workloads().items()
        },
    )


CONFIGURATIONS: Final = {"compose": from_compose, "kubernetes": from_kubernetes}


def _by_name(roles: Iterable[Role]) -> dict[str, Role]:
    named: dict[str, Role] = {}
    for role in roles:
        assert role.name not in named, f"two start {role.name}"
        named[role.name] = role
    return named


def _role(
    entrypoint: Sequence[str] | None, command: Sequence[str], environment: Manifest, mounts: Mapping[str, str]
) -> Role:
    if entrypoint is None:
        return Role([command], "", environment, mounts)
    assert list(entrypoint) == ["sh", "-c"]
    [script] = command
    commands, target = [], ""
    for line in script.split("&&"):
        called, _, output = line.partition(">")
        program, *arguments = shlex.split(called)
        assert program == "ecshop"
        commands.append(arguments)
        target = target or output.strip()
    return Role(commands, target, environment, mounts)


def _of_service(service: Manifest) -> Role:
    return _role(service.get("entrypoint"), service["command"], service["environment"], _binds(service))


def _of_container(container: Manifest) -> Role:
    return _role(container.get("command"), container["args"], dict(_told(container)), _mounts(container))


def _told(container: Manifest) -> Iterator[tuple[str, str]]:
    """As Kubernetes does: the sources in their order, then what is told by name."""
    secrets = {one["metadata"]["name"]: one["stringData"] for one in documents(EXAMPLE)}
    for source in container.get("envFrom", []):
        if "secretRef" in source:
            yield from secrets[source["secretRef"]["name"]].items()
        else:
            yield from _generated(source["configMapRef"]["name"])
    yield from ((one["name"], one["value"]) for one in container.get("env", []))


def _generated(name: str) -> Iterator[tuple[str, str]]:
    [kustomization] = documents(BASE / "kustomization.yaml")
    [generator] = [one for one in kustomization["configMapGenerator"] if one["name"] == name]
    for file in generator["envs"]:
        for line in (BASE / file).read_text().splitlines():
            if line and not line.startswith("#"):
                variable, _, value = line.partition("=")
                yield variable, value


def _selects(service: Manifest, workload: Manifest) -> bool:
    labels = workload["spec"]["template"]["metadata"]["labels"]
    return bool(service["spec"]["selector"].items() <= labels.items())


def _binds(service: Manifest) -> dict[str, str]:
    bound = {target: source for source, target, *_ in (one.split(":") for one in service.get("volumes", []))}
    return bound | dict.fromkeys(service.get("tmpfs", []), "a tmpfs")


def _mounts(container: Manifest) -> dict[str, str]:
    return {one["mountPath"]: one["name"] for one in container.get("volumeMounts", [])}


def _grace(service: Manifest) -> float:
    """Ten seconds where nothing is said."""
    found = _SECONDS.fullmatch(service.get("stop_grace_period", "10s"))
    assert found
    return float(found[1])
