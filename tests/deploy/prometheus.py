"""A real Prometheus that looks at a running shop."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from bench.patient import START
from entrypoints.local.ports import free_port
from tests.waiting import eventually

_STOP: Final = 30


class Prometheus:
    def __init__(self, address: str) -> None:
        self._http = httpx.Client(base_url=address, timeout=10)

    def is_ready(self) -> bool:
        try:
            return self._http.get("/-/ready").is_success
        except httpx.TransportError:
            return False

    def ask(self, expression: str) -> list[Any]:
        """What an expression comes to now, a series each. Fails the test for one that cannot be read."""
        told = self._http.get("/api/v1/query", params={"query": expression}).json()
        assert told["status"] == "success", f"{expression}: {told.get('error')}"
        found: list[Any] = told["data"]["result"]
        return found

    def close(self) -> None:
        self._http.close()


@contextmanager
def prometheus(folder: Path, ports: Mapping[str, int]) -> Iterator[Prometheus]:
    """It asks, once a second, what listens on these ports, by the names of their jobs; skips the test without one."""
    executable = shutil.which("prometheus")
    if executable is None:
        pytest.skip("no prometheus on the PATH")
    jobs = [{"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{at}"]}]} for name, at in ports.items()]
    config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()
    told = {"config.file": folder / "prometheus.yml", "storage.tsdb.path": folder / "data"}
    command = [f"--{option}={value}" for option, value in {**told, "web.listen-address": f"127.0.0.1:{port}"}.items()]
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen([executable, *command], stdout=output, stderr=output)
    running = Prometheus(f"http://127.0.0.1:{port}")
    try:
        eventually(running.is_ready, True, seconds=START)
        yield running
    finally:
        running.close()
        process.terminate()
        process.wait(timeout=_STOP)
