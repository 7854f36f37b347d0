"""Servers under test: started as a user would start them, in a folder of their own."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx
import msgspec

from bench.audit import Books
from bench.load import Load, Request, Result
from bench.patient import PATIENCE, START
from ecshop.auth.key_file import signing_key_in
from ecshop.kernel.identity import Role
from entrypoints.contexts import SERVICE_NAMES
from entrypoints.listening import READY
from entrypoints.local.ports import free_port
from entrypoints.settings import Settings

_READY: Final = READY.format(contexts=r"(\w+)", address=r"http://127\.0\.0\.1:(\d+)")
_ADDRESS: Final = re.compile(rf"^(?:\w+ +\| )?{_READY}|API docs +http://127\.0\.0\.1:(\d+)", re.M)
_STOP: Final = 30.0  # seconds
_TOLD: Final = 4000  # characters of its output, where it fails
UNBOUNDED: Final = {f"ECSHOP_{name}": "0" for name in ("HOURLY_ORDERS", "HOURLY_UNITS", "LINE_UNITS")}
"""For shops whose few customers order as many do."""
_LOAD: Final = (sys.executable, "-m", "bench.load")
_LONGEST_LOAD: Final = 86_400.0  # seconds


class Server:
    """A running process; `ports` by context, with the same port for all of them in the one-process shop."""

    def __init__(
        self, process: subprocess.Popen[bytes], folder: Path, ports: dict[str, int], start: float, database_url: str
    ) -> None:
        self.process, self.folder, self.ports, self.seconds_to_start = process, folder, ports, start
        self.books = Books(Settings(data_dir=str(folder), database_url=database_url))

    def peak_memory(self) -> float:
        """In MB, of the process and its children."""
        pids = [self.process.pid, *_children(self.process.pid)]
        return sum(_peak(pid) for pid in pids) / 1000

    def memory(self) -> int:
        """Bytes that the process holds now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    def cpu_seconds(self) -> float:
        """Of the process and its children, so far."""
        return cpu_seconds_of(self.process.pid)

    def signal(self, context: str, number: signal.Signals) -> None:
        """Send a signal to one service of the split mode."""
        for pid in _children(self.process.pid):
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if command[-3:-1] == [b"serve", context.encode()]:
                    os.kill(pid, number)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """While the context lasts the process costs nothing, and answers nobody."""
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def seed(self, products: int, units: int) -> None:
        token = signing_key_in(self.folder).token_for_user(_nobody(), Role.STAFF, 900)
        with httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=PATIENCE) as http:
            for number in range(1, products + 1):
                body = {"name": f"Product {number}", "price": 1200}
                product = http.post(f"{self.url('product')}/products", json=body).raise_for_status().json()
                stock = {"product_id": product["id"], "stock": units}
                http.post(f"{self.url('stock')}/stock", json=stock).raise_for_status()

    def url(self, context: str) -> str:
        return f"http://127.0.0.1:{self.ports[context]}"

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

    @contextmanager
    def loading(self, context: str, requests: Sequence[Request], clients: int) -> Iterator[None]:
        """A load for as long as the context lasts, without a result."""
        load = Load(self.ports[context], tuple(requests), clients, _LONGEST_LOAD)
        with subprocess.Popen(_LOAD, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            assert process.stdin is not None
            with process.stdin as pipe:
                pipe.write(msgspec.json.encode(load))
            try:
                yield
            finally:
                process.terminate()


def run_load(load: Load) -> Result:
    """By a process of its own."""
    done = subprocess.run(
        _LOAD, input=msgspec.json.encode(load), capture_output=True, check=True, timeout=load.seconds + 60
    )
    return msgspec.json.decode(done.stdout, type=Result)


def cpu_seconds_of(pid: int) -> float:
    """Of a process and its children, so far."""
    return sum(_ticks(one) for one in [pid, *_children(pid)]) / os.sysconf("SC_CLK_TCK")


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
            env={**os.environ, "ECSHOP_DATA_DIR": str(folder), "ECSHOP_DEMO": "off", **environment},
        )
    try:
        ports = _wait_for_ports(process, output, contexts)
        seconds = time.perf_counter() - started
        yield Server(process, folder, ports, seconds, environment.get("ECSHOP_DATABASE_URL", ""))
    except Exception as failure:
        failure.add_note(f"the last that the server said:\n{output.read_text(errors='replace')[-_TOLD:]}")
        raise
    finally:
        _end(process)


def ports_in_a_row() -> int:
    """The first of as many as the split mode needs."""
    return free_port(in_a_row=len(SERVICE_NAMES))


def _end(process: subprocess.Popen[bytes]) -> None:
    """By a signal, and by force where that does not do."""
    process.terminate()
    try:
        process.wait(timeout=_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for_ports(process: subprocess.Popen[bytes], output: Path, contexts: Sequence[str]) -> dict[str, int]:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and process.poll() is None:
        found = _ADDRESS.findall(output.read_text())
        ports = {name: int(port) for name, port, _ in found if name}
        whole = [int(port) for *_, port in found if port]
        if whole:
            return dict.fromkeys(contexts, whole[0])
        if set(contexts) <= set(ports):
            return ports
        time.sleep(0.01)
    raise RuntimeError("the server did not start")


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) if found else 0


def _ticks(pid: int) -> int:
    """In user and in system mode, and those of children that have ended (proc(5), `stat`)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile, and its parent counts it
        return 0
    return sum(int(field) for field in fields[11:15])


def _nobody() -> UUID:
    return UUID(int=0)
