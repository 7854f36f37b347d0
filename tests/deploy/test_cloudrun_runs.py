"""The environment that Cloud Run would give each role, on this machine: a PostgreSQL, Pub/Sub's emulator, and nginx."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import pytest

from bench import patient
from bench.server import cpu_seconds_of
from entrypoints.contexts import SERVICE_NAMES
from entrypoints.local.ports import free_port
from tests.databases import PostgresServer
from tests.deploy.cloudrun import PLACEHOLDERS, Deployed, deployed
from tests.gateways import gateway
from tests.shops import need_nginx
from tests.waiting import eventually

SECRET: Final = "s" * 40
PASSWORD: Final = "a long password"
WORKER: Final = "worker-pool"
TRACE: Final = "105445aa7843bc8bf206b12000100000"
COLD_START: Final = 4
"""Times the CPU that it takes to import the libraries: machines are not equally quick, and tests share a core."""
LIBRARIES: Final = "import time, httpx, litestar, sqlalchemy.orm, uvicorn; print(time.process_time())"
LAST_WORDS: Final = 10
"""Seconds between SIGTERM and SIGKILL (Cloud Run, container runtime contract)."""


class Instance(NamedTuple):
    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    """Where it was started; Cloud Run's are in memory."""

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log")


class Run:
    """The roles of a shop, each as its file describes it, but on free ports of this machine."""

    def __init__(self, folder: Path, database_url: str, pubsub_host: str) -> None:
        self.folder, self.database_url = folder, database_url
        self._ports = {name: free_port() for name in SERVICE_NAMES}
        self._secrets = {
            "ecshop-database-url": database_url,
            "ecshop-client-secret": SECRET,
            "ecshop-client-secrets": f"order:{SECRET}",
        }
        self._here = {"PUBSUB_EMULATOR_HOST": pubsub_host, "ECSHOP_PROFILE": "development"}
        """In production an emulator is refused."""
        self.instances: dict[str, Instance] = {}

    def environment(self, one: Deployed) -> dict[str, str]:
        told = one.environment(self._secrets)
        urls = {f"ECSHOP_{name.upper()}_URL": f"http://127.0.0.1:{port}" for name, port in self._ports.items()}
        mine = {name: value for name, value in urls.items() if name in told}
        if one.kind == "Service":
            mine["PORT"] = str(self._ports[one.file.stem])
        return {"PATH": os.environ["PATH"], **told, **mine, **(self._here if "ECSHOP_BUS" in told else {})}

    def command(self, one: Deployed, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ecshop", *(arguments or one.container["args"])],
            env=self.environment(one),
            cwd=self._empty(one.file.stem),
            capture_output=True,
            check=False,
            text=True,
            **options,
        )

    def start(self, one: Deployed) -> Instance:
        name = one.file.stem
        folder = self._empty(name)
        with folder.with_suffix(".log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ecshop", *one.container["args"]],
                env=self.environment(one),
                cwd=folder,
                stdout=log,
                stderr=log,
            )
        self.instances[name] = Instance(process, self._ports.get(name, 0), folder)
        return self.instances[name]

    def kill(self) -> None:
        for one in self.instances.values():
            one.process.kill()
            one.process.wait()

    def _empty(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder


@pytest.fixture
def run(postgres: PostgresServer, pubsub_host: str, tmp_path: Path) -> Iterator[Run]:
    """Migrated, with a member of staff."""
    need_nginx()
    database = f"{postgres.new_group()}_cloud"
    postgres.create(database, "template1")
    address = postgres.url(database).update_query_dict({"schema": "CONTEXT"}).render_as_string(hide_password=False)
    running = Run(tmp_path, address.replace("CONTEXT", "{context}"), pubsub_host)
    migrated = running.command(deployed("migrate-job.yaml"))
    assert (migrated.returncode, migrated.stderr) == (0, "")
    added = running.command(deployed("auth.yaml"), "user", "add", "hana", "--role", "staff", input=PASSWORD)
    assert added.returncode == 0, added.stderr
    yield running
    running.kill()
    postgres.drop(database)


def test_the_shop_that_the_files_describe_starts_soon_sells_logs_and_ends_in_time(run: Run) -> None:
    for name in (*SERVICE_NAMES, WORKER):
        run.start(deployed(f"{name}.yaml"))
    starts = {name: _seconds_until_alive(run.instances[name]) for name in SERVICE_NAMES}
    libraries = subprocess.run([sys.executable, "-c", LIBRARIES], capture_output=True, check=True, text=True)
    assert max(starts.values()) < COLD_START * float(libraries.stdout), (starts, libraries.stdout)
    services = {name: [f"127.0.0.1:{run.instances[name].port}"] for name in SERVICE_NAMES}
    with gateway(services, with_docs=True) as address:
        _walk_passes(run, address)
        assert "</html>" in patient.get(address).raise_for_status().text
        _lines_have_the_fields_of_cloud_logging(run, address)
    _all_end_in_time(run)
    assert [file for one in run.instances.values() for file in one.folder.rglob("*")] == []


def _seconds_until_alive(one: Instance) -> float:
    def is_alive() -> bool:
        try:
            return patient.get(f"http://127.0.0.1:{one.port}/health/live").is_success
        except httpx.TransportError:
            return False

    eventually(is_alive, True)
    return cpu_seconds_of(one.process.pid)


def _walk_passes(run: Run, address: str) -> None:
    walked = subprocess.run(
        [sys.executable, "-m", "ecshop", "smoke", address, "--staff", "hana"],
        input=PASSWORD,
        capture_output=True,
        check=False,
        text=True,
        cwd=run.folder,
    )
    assert (walked.returncode, walked.stderr) == (0, "")
    assert {line.split()[0] for line in walked.stdout.splitlines()} == {"ok"}
    heard = {line["type"] for line in run.instances[WORKER].lines if line["message"] == "event received"}
    assert {"ecshop.order.confirmed.v1", "ecshop.stock.depleted.v1", "ecshop.order.cancelled.v1"} <= heard


def _lines_have_the_fields_of_cloud_logging(run: Run, address: str) -> None:
    patient.get(f"{address}/products/1", headers={"x-cloud-trace-context": f"{TRACE}/1;o=1", "x-request-id": "traced"})

    def found() -> list[dict[str, Any]]:
        return [line for line in run.instances["product"].lines if line.get("request_id") == "traced"]

    eventually(lambda: len(found()), 1)
    [line] = found()
    assert (line["severity"], line["message"]) == ("INFO", "GET /products/1 404")
    assert line["logging.googleapis.com/trace"] == f"projects/{PLACEHOLDERS['PROJECT']}/traces/{TRACE}"
    assert (line["logging.googleapis.com/spanId"], line["logging.googleapis.com/trace_sampled"]) == (f"{1:016x}", True)
    assert (line["httpRequest"]["requestMethod"], line["httpRequest"]["status"]) == ("GET", 404)


def _all_end_in_time(run: Run) -> None:
    for instance in run.instances.values():
        instance.process.send_signal(signal.SIGTERM)
    ended = {name: one.process.wait(timeout=LAST_WORDS) for name, one in run.instances.items()}
    assert ended == dict.fromkeys((*SERVICE_NAMES, WORKER), 0)


def test_sqlite_is_refused_with_the_reason() -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "ecshop", "serve", "auth"],
        env={"PATH": os.environ["PATH"], "K_SERVICE": "ecshop-auth", "PORT": "0"},
        capture_output=True,
        check=False,
        text=True,
    )
    assert refused.returncode == 1
    assert "SQLite cannot be used on Cloud Run" in refused.stderr
    assert "set ECSHOP_DATABASE_URL to a PostgreSQL" in refused.stderr
