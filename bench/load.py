"""A load generator in a process of its own: each connection sends its next request when the last one is answered.

It reads a `Load` as JSON from standard input and writes a `Result` to standard output. It parses no more of an answer
than it needs, so that most of the machine is left to the server.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final, cast

import msgspec
import uvloop

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "


class Request(msgspec.Struct, frozen=True):
    method: str
    path: str
    token: str = ""
    body: str = ""


class Load(msgspec.Struct, frozen=True):
    """`clients` connections for `seconds`, going round the `requests`; no more than `most` requests where it is set."""

    port: int
    requests: tuple[Request, ...]
    clients: int
    seconds: float
    most: int = 0


class Result(msgspec.Struct, frozen=True):
    """Latencies are in milliseconds; `seconds` is from the first request to the last answer."""

    seconds: float
    answers: dict[int, int]
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        return sum(self.answers.values()) / self.seconds


class _Client(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], until: float, done: asyncio.Future[None]) -> None:
        self._requests, self._until, self._done = requests, until, done
        self._received = b""
        self._sent = 0.0
        self.latencies: list[float] = []
        self.answers: Counter[int] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        head = received.find(_HEAD_END)
        if head < 0:
            return
        start = received.find(_LENGTH)
        length = int(received[start + len(_LENGTH) : received.index(b"\r", start)])
        if len(received) < head + len(_HEAD_END) + length:
            return
        self.latencies.append(time.perf_counter() - self._sent)
        self.answers[int(received[9:12])] += 1
        self._received = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _send(self) -> None:
        now = time.perf_counter()
        request = next(self._requests, None) if now < self._until else None
        if request is None:
            self._transport.close()
            return
        self._sent = now
        self._transport.write(request)


async def _run(load: Load) -> Result:
    loop = asyncio.get_running_loop()
    rendered = [_render(request) for request in load.requests]
    endless = itertools.cycle(rendered)
    requests = itertools.islice(endless, load.most) if load.most else endless
    started = time.perf_counter()
    finished = [loop.create_future() for _ in range(load.clients)]
    clients = [_Client(requests, started + load.seconds, done) for done in finished]
    for client in clients:
        await loop.create_connection(partial(_itself, client), "127.0.0.1", load.port)
    await asyncio.gather(*finished)
    return _result(clients, time.perf_counter() - started)


def _itself(client: _Client) -> _Client:
    return client


def _result(clients: Sequence[_Client], seconds: float) -> Result:
    latencies = sorted(itertools.chain.from_iterable(client.latencies for client in clients))
    answers = sum((client.answers for client in clients), Counter[int]())
    return Result(seconds, dict(answers), percentile(latencies, 0.5) * 1000, percentile(latencies, 0.99) * 1000)


def percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _render(request: Request) -> bytes:
    lines = [f"{request.method} {request.path} HTTP/1.1", "host: 127.0.0.1"]
    if request.token:
        lines.append(f"authorization: Bearer {request.token}")
    if request.body:
        lines += ["content-type: application/json", f"content-length: {len(request.body)}"]
    return ("\r\n".join([*lines, "", ""]) + request.body).encode()


if __name__ == "__main__":
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.buffer.write(msgspec.json.encode(runner.run(_run(wanted))))
