"""A load generator in a process of its own.

Each connection sends its next request when the last one is answered. At a given rate it is a schedule that says when a
request is sent, and its latency counts from that moment: what a slow answer holds up is late too, and is not left out
(Gil Tene, "How NOT to measure latency").

It reads a `Load` as JSON from standard input and writes a `Result` to standard output. It parses no more of an answer
than it needs, so that most of the machine is left to the server.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple, cast

import msgspec
import uvloop

SLICE: Final = 5.0  # seconds
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "
_TICK: Final = 0.001  # seconds between two looks at the schedule


class Request(msgspec.Struct, frozen=True):
    """Those of one `name` are told apart from the others in the result."""

    method: str
    path: str
    token: str = ""
    body: str = ""
    name: str = ""


class Load(msgspec.Struct, frozen=True):
    """`clients` connections for `seconds`, going round the `requests`; no more than `most` requests where it is set.

    With a `rate`, so many of them a second are sent, whether or not the earlier ones are answered.
    """

    port: int
    requests: tuple[Request, ...]
    clients: int
    seconds: float
    most: int = 0
    rate: float = 0.0


class Latency(msgspec.Struct, frozen=True):
    """In milliseconds."""

    p50: float
    p99: float


class Result(msgspec.Struct, frozen=True):
    """Latencies are in milliseconds; `seconds` is from the first request to the last answer.

    `slices` has the p99 of each `SLICE` of a load, by the moment at which a request was to be sent.
    """

    seconds: float
    answers: dict[int, int]
    p50: float
    p99: float
    named: dict[str, Latency] = {}
    slices: tuple[float, ...] = ()

    @property
    def rate(self) -> float:
        return sum(self.answers.values()) / self.seconds


class _Rendered(NamedTuple):
    name: str
    text: bytes


class _Sent(NamedTuple):
    name: str
    at: float
    seconds: float


class _Client(asyncio.Protocol):
    def __init__(self, work: _Work, done: asyncio.Future[None]) -> None:
        self._work, self._done = work, done
        self._received = b""
        self._name, self._since = "", 0.0
        self.sent: list[_Sent] = []
        self.answers: Counter[int] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._work.next(self)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        head = received.find(_HEAD_END)
        if head < 0:
            return
        fields = received[: head + 1].lower()  # services write them so, and a gateway does not
        start = fields.index(_LENGTH) + len(_LENGTH)
        length = int(fields[start : fields.index(b"\r", start)])
        if len(received) < head + len(_HEAD_END) + length:
            return
        self.sent.append(_Sent(self._name, self._since, time.perf_counter() - self._since))
        self.answers[int(received[9:12])] += 1
        self._received = b""
        self._work.next(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def send(self, request: _Rendered, since: float) -> None:
        self._name, self._since = request.name, since
        self._transport.write(request.text)

    def close(self) -> None:
        self._transport.close()


class _Work:
    """What a client does next, as soon as it can."""

    def __init__(self, requests: Iterator[_Rendered], until: float) -> None:
        self._requests, self._until = requests, until

    def next(self, client: _Client) -> None:
        now = time.perf_counter()
        request = next(self._requests, None) if now < self._until else None
        if request is None:
            client.close()
        else:
            client.send(request, now)


class _Schedule(_Work):
    """What is due is sent by a client that is free; while none is, it waits and grows late."""

    def __init__(self, requests: Iterator[_Rendered], rate: float, seconds: float) -> None:
        super().__init__(requests, math.inf)
        self._rate, self._turns = rate, round(rate * seconds)
        self._due = deque[float]()
        self._free = deque[_Client]()
        self._ended = False

    def next(self, client: _Client) -> None:
        request = next(self._requests, None) if self._due else None
        if request is not None:
            client.send(request, self._due.popleft())
        elif self._ended:
            client.close()
        else:
            self._free.append(client)

    async def run(self) -> None:
        """From now to the end of the load."""
        started = time.perf_counter()
        for turn in range(self._turns):
            due = started + turn / self._rate
            while due > time.perf_counter():
                await asyncio.sleep(_TICK)
            self._due.append(due)
            if self._free:
                self.next(self._free.popleft())
        self._ended = True
        while self._free:
            self.next(self._free.popleft())


async def run(load: Load) -> Result:
    loop = asyncio.get_running_loop()
    endless = itertools.cycle([_Rendered(request.name, _render(request)) for request in load.requests])
    requests = itertools.islice(endless, load.most) if load.most else endless
    started = time.perf_counter()
    on_time = _Schedule(requests, load.rate, load.seconds) if load.rate else None
    work = on_time or _Work(requests, started + load.seconds)
    finished = [loop.create_future() for _ in range(load.clients)]
    clients = [_Client(work, done) for done in finished]
    for client in clients:
        await loop.create_connection(partial(_itself, client), "127.0.0.1", load.port)
    if on_time:
        await on_time.run()
    await asyncio.gather(*finished)
    return _result(clients, started)


def _itself(client: _Client) -> _Client:
    return client


def _result(clients: Sequence[_Client], started: float) -> Result:
    seconds = time.perf_counter() - started
    sent = list(itertools.chain.from_iterable(client.sent for client in clients))
    answers = sum((client.answers for client in clients), Counter[int]())
    whole = latency(one.seconds for one in sent)
    names = {one.name for one in sent} - {""}
    named = {name: latency(one.seconds for one in sent if one.name == name) for name in names}
    by_time: dict[int, list[float]] = {}
    for one in sent:
        by_time.setdefault(int((one.at - started) / SLICE), []).append(one.seconds)
    slices = tuple(latency(by_time[place]).p99 for place in sorted(by_time))
    return Result(seconds, dict(answers), whole.p50, whole.p99, named, slices)


def latency(seconds: Iterable[float]) -> Latency:
    ordered = sorted(seconds)
    return Latency(percentile(ordered, 0.5) * 1000, percentile(ordered, 0.99) * 1000)


def percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _render(request: Request) -> bytes:
    body = request.body.encode()
    lines = [f"{request.method} {request.path} HTTP/1.1", "host: 127.0.0.1"]
    if request.token:
        lines.append(f"authorization: Bearer {request.token}")
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


if __name__ == "__main__":
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.buffer.write(msgspec.json.encode(runner.run(run(wanted))))
