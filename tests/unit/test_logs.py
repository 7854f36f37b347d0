"""The log: whatever becomes of its lines, nobody who logs waits for it or fails by it."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from ecshop.kernel.telemetry.log_file import LogFile, before
from ecshop.kernel.telemetry.log_writer import LogWriter
from ecshop.kernel.telemetry.logs import configure_logging
from tests.waiting import eventually


class Disk(io.RawIOBase):
    """An output that can be full, or stand still."""

    def __init__(self) -> None:
        self.full, self.written = False, b""
        self.moves = threading.Event()
        self.moves.set()

    def write(self, lines: object) -> int:
        self.moves.wait()
        if self.full:
            raise OSError(28, "No space left on device")
        assert isinstance(lines, bytes)
        self.written += lines
        return len(lines)


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.moves.set()


def test_a_terminal_obeys_nothing_that_was_sent_from_outside(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        buffer = disk

        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    configure_logging()
    try:
        structlog.get_logger("test").info("request", path="/\x1b]0;owned\x07\x9b31m", name="a\nb")
        eventually(lambda: b"owned" in disk.written, True)
        line = disk.written
        assert b"/\\x1b]0;owned\\x07\\x9b31m" in line
        assert b"a\\x0ab" in line
        assert b"\x1b]0;" not in line
    finally:
        structlog.reset_defaults()


def test_a_log_that_cannot_be_written_costs_lines_and_nothing_else(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Output:
        buffer = disk

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdout", Output())
    configure_logging()
    try:
        disk.full = True
        structlog.get_logger("test").info("lost")
        disk.full = False
        structlog.get_logger("test").info("kept")
    finally:
        structlog.reset_defaults()
    eventually(lambda: b"kept" in disk.written, True)
    assert json.loads(disk.written.splitlines()[-1])["event"] == "kept"


def test_an_output_that_stands_still_holds_nobody_up_and_what_is_dropped_is_counted(disk: Disk) -> None:
    disk.moves.clear()
    writer = LogWriter(disk)
    for number in range(120_000):
        writer.write(f"line {number}\n")
    disk.moves.set()

    def told() -> int:
        lines = disk.written.decode().splitlines()
        dropped = [int(line.split()[0]) for line in lines if "dropped" in line]
        return len(lines) - len(dropped) + sum(dropped)

    eventually(told, 120_000)
    assert b"log lines were dropped: nobody took them" in disk.written


def test_a_kept_log_is_bounded_and_the_one_before_stays(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "order.log"
    with LogFile(path, most=100) as file:
        for number in range(40):
            file.write(f"line {number:02}\n".encode())
    assert path.stat().st_size + before(path).stat().st_size <= 200
    kept = (before(path).read_text() + path.read_text()).split("\n")
    assert kept[-2] == "line 39"
    assert len(list(path.parent.iterdir())) == 2
    assert {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("form", ["json", "console"])
def test_lines_are_kept_as_json_whatever_is_shown(tmp_path: Path, form: str) -> None:
    code = (
        "from pathlib import Path\n"
        "from ecshop.kernel.telemetry.logs import configure_logging, request_id\n"
        "import structlog\n"
        f"configure_logging({form!r}, kept_in=Path({str(tmp_path / 'kept.log')!r}))\n"
        "request_id.set('r-1')\n"
        "structlog.get_logger('test').warning('line', n=1)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30).stdout
    kept = json.loads((tmp_path / "kept.log").read_text())
    assert (kept["event"], kept["level"], kept["n"], kept["request_id"]) == ("line", "warning", 1, "r-1")
    assert (b"{" in shown) == (form == "json")


def test_what_was_logged_last_is_written_before_the_process_ends() -> None:
    code = (
        "from ecshop.kernel.telemetry.logs import configure_logging\n"
        "import structlog\n"
        "configure_logging('json')\n"
        "for n in range(1000): structlog.get_logger('test').info('line', n=n)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=30)
    assert [json.loads(line)["n"] for line in done.stdout.splitlines()] == list(range(1000))


def test_a_process_ends_although_nobody_reads_its_log() -> None:
    code = (
        "from ecshop.kernel.telemetry.logs import configure_logging\n"
        "import structlog\n"
        "configure_logging('json')\n"
        "for n in range(5000): structlog.get_logger('test').info('line', n=n)\n"
    )
    reader, writer = os.pipe()
    try:
        with subprocess.Popen([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE) as process:
            _, errors = process.communicate(timeout=30)
    finally:
        os.close(reader)
        os.close(writer)
    assert (process.returncode, errors) == (0, b"")
