"""A shop as it runs on several machines, here on one: replicas of its services, workers, and a gateway in front."""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import httpx

from bench import patient
from bench.audit import Books
from bench.load import Load, Request, Result
from bench.patient import START
from bench.server import cpu_seconds_of, run_load
from ecshop.auth.keys import SigningKey, new_key, read_key
from entrypoints.contexts import NAMES
from entrypoints.environment import read_settings
from entrypoints.gateway import Gateway
from entrypoints.grants import GRANTS
from entrypoints.local.nginx import nginx_command
from entrypoints.local.ports import free_port
from entrypoints.settings import Settings

_STOP: Final = 30.0
_LOOK_EVERY: Final = 0.05
_NO_LIMIT: Final = 1_000_000

WORKER: Final = "worker"


class _Replica(NamedTuple):
    name: str
    number: int
    port: int


class Deployment:
    """All of it runs while it is entered; whatever was killed is started again by `mend`."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, replicas: Mapping[str, int], workers: int = 0
    ) -> None:
        """`environment` names databases on a server, and a broker; a service of which nothing is said has one replica.

        With workers, the services leave the events to them.
        """
        self.folder, self.port = folder, free_port()
        self.ports = dict.fromkeys(NAMES, self.port)
        self._pem = new_key().decode()
        self.key: SigningKey = read_key(self._pem.encode(), "the bench")
        self._inside = {name: free_port() for name in NAMES}
        self._replicas = [_Replica(name, n, free_port()) for name in NAMES for n in range(replicas.get(name, 1))]
        self._replicas += [_Replica(WORKER, n, 0) for n in range(workers)]
        self._secrets = {name: secrets.token_hex(32) for name in GRANTS}
        self._environment = {
            **os.environ,
            **environment,
            **{f"ECSHOP_{name.upper()}_URL": f"http://127.0.0.1:{port}" for name, port in self._inside.items()},
            "ECSHOP_LOG": "json",
            "ECSHOP_SIGNING_KEY": self._pem,
            "ECSHOP_CLIENT_SECRETS": ",".join(f"{name}:{secret}" for name, secret in self._secrets.items()),
            "ECSHOP_BACKGROUND": "off" if workers else "on",
        }
        self.books = Books(self.settings)
        self._running: dict[_Replica, subprocess.Popen[bytes]] = {}
        self._held = ExitStack()
        self.kills = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Settings:
        """As a command beside it has them."""
        own = {name: value for name, value in self._environment.items() if name.startswith("ECSHOP_")}
        return read_settings(own, data_dir=str(self.folder))

    def __enter__(self) -> Deployment:
        try:
            for replica in self._replicas:
                self._start(replica)
            self._start_gateway()
            self._wait_until_all_serve()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            _end(process)
        self._held.close()

    def kill_one(self, chance: random.Random) -> str:
        """Without a warning (SIGKILL); says which."""
        replica = chance.choice([one for one, process in self._running.items() if process.poll() is None])
        self._running[replica].kill()
        self.kills += 1
        return f"{replica.name} {replica.number}"

    def mend(self) -> None:
        for replica, process in list(self._running.items()):
            if process.poll() is not None:
                self._start(replica)

    def signal(self, name: str, number: signal.Signals) -> None:
        """To all replicas of a service, or to the workers."""
        for replica, process in self._running.items():
            if replica.name == name:
                process.send_signal(number)

    def cpu_seconds(self) -> float:
        """Of the services and workers that run, so far."""
        return sum(self.cpu_by_name().values())

    def cpu_by_name(self) -> dict[str, float]:
        """The same, of each service and of the workers."""
        found: dict[str, float] = {}
        for replica, process in self._running.items():
            found[replica.name] = found.get(replica.name, 0.0) + cpu_seconds_of(process.pid)
        return found

    def load(
        self,
        context: str,
        requests: Sequence[Request],
        clients: int,
        seconds: float,
        most: int = 0,
        *,
        rate: float = 0.0,
    ) -> Result:
        return run_load(Load(self.ports[context], tuple(requests), clients, seconds, most, rate))

    def _start(self, replica: _Replica) -> None:
        """Each has a folder of its own, as on a machine of its own."""
        folder = self.folder / f"{replica.name}-{replica.number}"
        folder.mkdir(parents=True, exist_ok=True)
        environment = {**self._environment, "ECSHOP_DATA_DIR": str(folder)}
        command = ["worker"] if replica.name == WORKER else ["serve", replica.name, "--port", str(replica.port)]
        if replica.name == WORKER:
            environment["ECSHOP_BACKGROUND"] = "on"
        if replica.name in self._secrets:
            environment["ECSHOP_CLIENT_SECRET"] = self._secrets[replica.name]
        with (folder / "output.log").open("ab") as log:
            self._running[replica] = subprocess.Popen(
                [sys.executable, "-m", "ecshop", *command], env=environment, stdout=log, stderr=log
            )

    def _start_gateway(self) -> None:
        folder = Path(self._held.enter_context(TemporaryDirectory(prefix="ecshop-gateway-")))
        gateway = Gateway(
            listen=f"127.0.0.1:{self.port}",
            upstreams={name: [f"127.0.0.1:{one.port}" for one in self._replicas if one.name == name] for name in NAMES},
            folder=folder,
            docs=folder / "docs",
            request_seconds=10,
            rate=_NO_LIMIT,
            inside={name: f"127.0.0.1:{port}" for name, port in self._inside.items()},
        )
        with (self.folder / "gateway.log").open("ab") as log:
            process = subprocess.Popen(nginx_command(gateway), stdout=log, stderr=log)
        self._held.callback(_end, process)

    def _wait_until_all_serve(self) -> None:
        deadline = time.monotonic() + START
        ports = [self.port, *(one.port for one in self._replicas if one.port)]
        for port in ports:
            while not _serves(port):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"what should listen on {port} does not; see {self.folder}")
                time.sleep(_LOOK_EVERY)


def kill_at_random(deployment: Deployment, *, every: float, times: int, seed: int) -> None:
    """So many times a replica dies, and is started again."""
    chance = random.Random(seed)
    for _ in range(times):
        threading.Event().wait(every)
        deployment.mend()
        deployment.kill_one(chance)
    deployment.mend()


def _serves(port: int) -> bool:
    try:
        return patient.get(f"http://127.0.0.1:{port}/health/live", timeout=2).is_success
    except httpx.TransportError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
