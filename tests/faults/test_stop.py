"""`ecshop stop` ends what runs on a data folder, whatever state that is in, and touches nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.server import Server, ports_in_a_row, running
from ecshop.kernel.file_lock import lock_of, owners
from entrypoints.contexts import NAMES
from entrypoints.local.ports import free_port
from entrypoints.operations.stop import NotOurs, StillRunning, stop_shop
from entrypoints.settings import Settings
from tests.shops import need_redis


def stop(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ecshop", "stop", "--data-dir", str(folder)]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def one_process(folder: Path) -> Iterator[Server]:
    with running(folder, "ecshop", "up", "--port", "0", contexts=NAMES) as server:
        yield server


@contextmanager
def split(folder: Path) -> Iterator[Server]:
    command = ("ecshop", "up", "--split", "--base-port", str(ports_in_a_row()))
    with running(folder, *command, contexts=NAMES) as server:
        yield server


@contextmanager
def owning(file: Path, then: str = "sys.stdin.read()") -> Iterator[subprocess.Popen[str]]:
    """A process that owns a file, does something, and is killed with the context."""
    code = (
        "import subprocess, sys\nfrom pathlib import Path\nfrom ecshop.kernel.file_lock import file_lock\n"
        f"with file_lock(Path(sys.argv[1])) as lock:\n    print('mine', flush=True)\n    {then}\n"
    )
    command = [sys.executable, "-c", code, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "mine\n"
            yield process
        finally:
            process.kill()


def test_where_nothing_runs_it_says_so(tmp_path: Path) -> None:
    done = stop(tmp_path / "data")
    assert (done.returncode, done.stdout) == (0, f"nothing runs on {tmp_path / 'data'}\n")
    assert not (tmp_path / "data").exists()


def test_a_shop_in_one_process_is_stopped(tmp_path: Path) -> None:
    with one_process(tmp_path) as server:
        done = stop(tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        files = ", ".join(f"{name}.db" for name in NAMES)
        asked = f"asking process {server.process.pid} to stop, the server of {files}"
        assert done.stdout.splitlines() == [asked, "all has stopped"]
        assert server.process.wait(timeout=5) == 0
    assert stop(tmp_path).stdout == f"nothing runs on {tmp_path}\n"


def test_a_shop_that_was_suspended_is_stopped(tmp_path: Path) -> None:
    with one_process(tmp_path) as server:
        server.process.send_signal(signal.SIGSTOP)
        assert stop(tmp_path).returncode == 0
        assert server.process.wait(timeout=5) == 0


def test_the_split_mode_is_stopped_by_its_supervisor_which_starts_nothing_again(tmp_path: Path) -> None:
    need_redis()
    with split(tmp_path) as server:
        done = stop(tmp_path)
        asked = f"asking process {server.process.pid} to stop, the supervisor of the split mode"
        assert (done.returncode, done.stdout.splitlines()) == (0, [asked, "all has stopped"])
        assert server.process.wait(timeout=5) == 0
    assert "starting it again" not in (tmp_path / "output.log").read_text()


def test_an_orphaned_redis_is_stopped(tmp_path: Path) -> None:
    """Where the kernel does not end the children of a supervisor that was killed, its Redis lives on with its lock."""
    need_redis()
    start = (
        "from entrypoints.local.redis_server import redis_command; "
        f"redis = subprocess.Popen(redis_command(Path(sys.argv[1]), {free_port()}), pass_fds=(lock,)); "
        "print(redis.pid, flush=True); sys.stdin.read()"
    )
    with owning(tmp_path / "redis", start) as supervisor:
        assert supervisor.stdout is not None
        redis = int(supervisor.stdout.readline())
        supervisor.kill()
        supervisor.wait()
        assert lock_of(tmp_path / "redis").read_text() == str(supervisor.pid)
        done = stop(tmp_path)
        asked = f"asking process {redis} to stop, a Redis that the split mode has left running"
        assert (done.returncode, done.stdout.splitlines()) == (0, [asked, "all has stopped"])


def test_what_does_not_stop_is_named_with_how_to_end_it(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); sys.stdin.read()"
    with owning(tmp_path / "order.db", deaf) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(StillRunning) as told:
            stop_shop(Settings(data_dir=str(tmp_path)), lambda _: None, wait=0.2)
    assert f"there is still process {process.pid} (the server of order.db); end it with: kill -KILL {process.pid}" in (
        told.value.detail
    )


def test_a_process_that_has_the_id_of_an_earlier_owner_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        lock_of(tmp_path / "order.db").write_text(str(stranger.pid))
        assert stop(tmp_path).stdout == f"nothing runs on {tmp_path}\n"
        with owning(tmp_path / "order.db") as owner:
            lock_of(tmp_path / "order.db").write_text(str(stranger.pid))
            assert owners(tmp_path / "order.db") == [owner.pid]
            done = stop(tmp_path)
        assert f"asking process {owner.pid} to stop" in done.stdout
        assert stranger.poll() is None
        stranger.kill()


def test_who_only_looks_at_a_lock_is_no_owner_of_it(tmp_path: Path) -> None:
    with owning(tmp_path / "order.db") as owner, lock_of(tmp_path / "order.db").open("a+"):
        assert owners(tmp_path / "order.db") == [owner.pid]


def test_on_postgresql_it_says_what_it_cannot_know(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path), database_url="postgresql+psycopg://shop@db/ecshop_{context}")
    with pytest.raises(NotOurs, match="only knows shops on SQLite and the split mode"):
        stop_shop(settings, lambda _: None)
