"""Servers under test: started as a user would start them, in a folder of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx
import msgspec

from bench.load import Load, Request, Result
from ecshop.auth.keys import signing_key_in
from ecshop.kernel.identity import Role
from entrypoints.serve import READY

_READY: Final = READY.format(contexts=r"(\w+)", address=r"http://127\.0\.0\.1:(\d+)")
_ADDRESS: Final = re.compile(rf"^(?:\w+ +\| )?{_READY}|API docs +http://127\.0\.0\.1:(\d+)", re.M)
_START: Final = 30.0  # seconds


class Server:
    """A running process; `ports` by context, with the same port for all of them in the one-process shop."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, ports: dict[str, int], start: float) -> None:
        self.process, self.folder, self.ports, self.seconds_to_start = process, folder, ports, start

    def peak_memory(self) -> float:
        """In MB, of the process and its children."""
        pids = [self.process.pid, *_children(self.process.pid)]
        return sum(_peak(pid) for pid in pids) / 1000

    def cpu_seconds(self) -> float:
        """Of the process and its children, so far."""
        pids = [self.process.pid, *_children(self.process.pid)]
        return sum(_ticks(pid) for pid in pids) / os.sysconf("SC_CLK_TCK")

    def signal(self, context: str, number: signal.Signals) -> None:
        """Send a signal to one service of the split mode."""
        for pid in _children(self.process.pid):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if command[-3:-1] == [b"serve", context.encode()]:
                os.kill(pid, number)

    def seed(self, products: int, units: int) -> None:
        token = signing_key_in(self.folder).token_for_user(_nobody(), Role.STAFF, 900)
        with httpx.Client(headers={"authorization": f"Bearer {token}"}) as http:
            for number in range(1, products + 1):
                body = {"name": f"Product {number}", "price": 1200}
                product = http.post(f"{self.url('product')}/products", json=body).raise_for_status().json()
                stock = {"product_id": product["id"], "stock": units}
                http.post(f"{self.url('stock')}/stock", json=stock).raise_for_status()

    def url(self, context: str) -> str:
        return f"http://127.0.0.1:{self.ports[context]}"

    def load(self, context: str, requests: Sequence[Request], clients: int, seconds: float, most: int = 0) -> Result:
        load = Load(self.ports[context], tuple(requests), clients, seconds, most)
        command = [sys.executable, "-m", "bench.load"]
        done = subprocess.run(
            command, input=msgspec.json.encode(load), capture_output=True, check=True, timeout=seconds + 30
        )
        return msgspec.json.decode(done.stdout, type=Result)


@contextmanager
def running(folder: Path, *command: str, contexts: Sequence[str], **environment: str) -> Iterator[Server]:
    """Start `python -m ...` and wait for its address; its output goes to a file, as in production."""
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "output.log"
    started = time.perf_counter()
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "ECSHOP_DATA_DIR": str(folder), **environment},
        )
    try:
        ports = _wait_for_ports(process, output, contexts)
        yield Server(process, folder, ports, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for_ports(process: subprocess.Popen[bytes], output: Path, contexts: Sequence[str]) -> dict[str, int]:
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and process.poll() is None:
        found = _ADDRESS.findall(output.read_text())
        ports = {name: int(port) for name, port, _ in found if name}
        whole = [int(port) for *_, port in found if port]
        if whole:
            return dict.fromkeys(contexts, whole[0])
        if set(contexts) <= set(ports):
            return ports
        time.sleep(0.01)
    raise RuntimeError(f"the server did not start:\n{output.read_text()}")


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) if found else 0


def _ticks(pid: int) -> int:
    """In user and in system mode (proc(5), `stat`)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _nobody() -> UUID:
    return UUID(int=0)
