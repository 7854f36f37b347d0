"""The roles of each configuration, run here with what they are told, except that hosts and ports are others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
import pytest

from bench import patient
from bench.patient import START
from entrypoints.contexts import SERVICE_NAMES
from entrypoints.local.nginx import nginx_executable
from entrypoints.local.ports import free_port
from entrypoints.stopping import LAST_STOP
from tests.databases import PostgresServer
from tests.deploy.roles import CONFIGURATIONS, GATEWAY, Configuration
from tests.shops import is_up, need_nginx
from tests.waiting import eventually

PASSWORD: Final = "a long password"
ECSHOP: Final = (sys.executable, "-m", "ecshop")
READABLE: Final = 0o755  # nginx works as another user where it is started by root


class Run:
    def __init__(self, deployed: Configuration, folder: Path, database_url: str, redis_url: str) -> None:
        self.deployed, self.port = deployed, free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.empty = folder / "empty"
        self._files, self._cache = folder / "files", folder / "cache"
        for made in (self.empty, self._files, self._cache):
            made.mkdir()
        self._ports = {name: free_port() for name in SERVICE_NAMES}
        self._here = {"ECSHOP_DATABASE_URL": database_url, "REDIS_URL": redis_url}
        self._here |= {f"ECSHOP_{name.upper()}_URL": f"http://127.0.0.1:{port}" for name, port in self._ports.items()}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def told(self, role: str) -> dict[str, str]:
        told = self.deployed.roles[role].environment
        here = self._here | ({"ECSHOP_PORT": str(self._ports[role])} if role in SERVICE_NAMES else {})
        here |= {"ECSHOP_WORKER_PORT": str(free_port())}
        return {"PATH": os.environ["PATH"], **told, **{name: value for name, value in here.items() if name in told}}

    def do(self, role: str, *arguments: str, told: str | None = None) -> str:
        """Raises `CalledProcessError`."""
        called = [*ECSHOP, *arguments]
        return subprocess.check_output(called, env=self.told(role), cwd=self.empty, text=True, input=told)

    def start(self, name: str, *command: str, environment: Mapping[str, str]) -> None:
        with (self._files / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(command, env=environment, cwd=self.empty, stdout=log, stderr=log)

    def start_role(self, role: str) -> None:
        self.start(role, *ECSHOP, *self.deployed.roles[role].commands[0], environment=self.told(role))

    def start_gateway(self) -> None:
        """By the commands and options of the configuration, with the places of this machine."""
        role, nginx = self.deployed.roles[GATEWAY], self.deployed.nginx
        (_, *options), _ = role.commands
        told = dict(zip(options[::2], options[1::2], strict=True))
        docs, conf = self._files / "docs", self._files / "nginx.conf"
        here = told | {"--port": str(self.port), "--folder": str(self._cache), "--docs": str(docs)}
        conf.write_text(self.do(GATEWAY, "gateway", *(part for pair in here.items() for part in pair)))
        self.do(GATEWAY, "docs", str(docs))
        _, *flags = nginx.command
        flags[flags.index("-c") + 1] = str(conf)
        self.start(GATEWAY, nginx_executable(), *flags, environment={})

    def not_ready(self) -> list[str]:
        return [name for name in SERVICE_NAMES if not _is_ready(f"http://127.0.0.1:{self._ports[name]}")]

    def stop(self) -> dict[str, int]:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        return {name: process.wait(timeout=LAST_STOP) for name, process in self.processes.items()}

    def kill(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@pytest.fixture(params=CONFIGURATIONS)
def run(request: pytest.FixtureRequest, postgres: PostgresServer, redis_url: str) -> Iterator[Run]:
    need_nginx()
    database = f"{postgres.new_group()}_deployed"
    postgres.create(database, "template1")
    address = postgres.url(database).update_query_dict({"schema": "CONTEXT"}).render_as_string(hide_password=False)
    with TemporaryDirectory(prefix="ecshop-deployed-") as name:
        folder = Path(name)
        folder.chmod(READABLE)
        running = Run(CONFIGURATIONS[request.param](), folder, address.replace("CONTEXT", "{context}"), redis_url)
        yield running
        running.kill()
    postgres.drop(database)


def test_the_roles_of_a_configuration_are_a_shop_that_can_be_walked_through_and_writes_no_file(run: Run) -> None:
    run.do("migrate", "migrate")
    for role in (*SERVICE_NAMES, "worker"):
        run.start_role(role)
    eventually(run.not_ready, [], seconds=START)
    run.start_gateway()
    eventually(lambda: is_up(run.address), True, seconds=START)
    run.do("auth", "user", "add", "hana", "--role", "staff", told=PASSWORD)
    walked = run.do("auth", "smoke", run.address, "--staff", "hana", told=PASSWORD)
    assert {line.split()[0] for line in walked.splitlines()} == {"ok"}
    assert run.stop() == dict.fromkeys((*SERVICE_NAMES, "worker", GATEWAY), 0)
    assert list(run.empty.rglob("*")) == []


def _is_ready(server: str) -> bool:
    try:
        return patient.get(f"{server}/health/ready").is_success
    except httpx.TransportError:
        return False
