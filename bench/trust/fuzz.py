"""Requests that are nearly ones, good bytes with something turned, lost, doubled or put in; and what comes of them."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx

from bench import patient
from bench.progress import Progress
from bench.server import UNBOUNDED, Server, running
from bench.trust import corpus
from bench.trust.report import Finding, at_least, at_most, none_of
from ecshop.auth.key_file import signing_key_in
from ecshop.kernel.identity import Role
from entrypoints.contexts import NAMES

_HOST: Final = "127.0.0.1"
_AT_ONCE: Final = 64
_PATIENCE: Final = 0.5  # seconds
_LENGTH: Final = re.compile(rb"content-length: (\d+)")
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_FAILED: Final = 500
_REFUSED: Final = 400
_OVERLOADED: Final = b"503"
_MEGABYTE: Final = 2**20
_ODD_BYTES: Final = [bytes([one]) for one in (0, 9, 10, 13, 32, 34, 37, 47, 58, 91, 92, 123, 127, 128, 195, 237, 255)]
_ODD_TEXTS: Final = [
    b"\r\n",
    b"\r\n\r\n",
    b"%00",
    b"%ff",
    b"%F0%9F%8D%B5",
    b"\xf0\x9f\x8d\xb5",
    b"\\ud800",
    b"\\u0000",
    b"-1",
    b"9223372036854775808",
    b"1e999",
    b"NaN",
    b"null",
    b"true",
    b'""',
    b"[]",
    b"{}",
    b"[" * 600,
    b"A" * 3000,
    b"../",
    b"' OR 1=1 --",
    b"transfer-encoding: chunked\r\n",
    b"content-length: 7\r\n",
    b"host: other\r\n",
    b"connection: close\r\n",
    b"expect: 100-continue\r\n",
]


def measure(folder: Path, count: int, seed: int) -> Iterator[Finding]:
    settings = {**UNBOUNDED, "ECSHOP_LOG": "json", "ECSHOP_FREE_GUESSES": "1000000"}
    with running(folder / "shop", "ecshop", "up", "--port", "0", contexts=NAMES, **settings) as server:
        server.seed(5, 1_000_000)
        token = signing_key_in(server.folder).token_for_user(uuid4(), Role.ADMIN, 3600)
        fuzzer = Fuzzer(server, token, seed)
        asyncio.run(fuzzer.send(count // 3))
        memory = server.memory()
        asyncio.run(fuzzer.send(count - count // 3))
        yield at_least("requests that are nearly ones", fuzzer.sent, count)
        yield none_of("of them answered 5xx, but for 503 where too much is asked at once", fuzzer.failures)
        yield none_of("answers that are no problem and no success", fuzzer.no_problems)
        yield at_most("memory more at the end than after a third", (server.memory() - memory) / _MEGABYTE, 20, " MB")
        alive = patient.get(f"{server.url('product')}/health/ready").status_code
        yield Finding("the shop afterwards", str(alive), "200", alive == httpx.codes.OK)
        told = ", ".join(f"{status}: {times:,}" for status, times in sorted(fuzzer.statuses.items()))
        print(f"answers by status: {told}", flush=True)


class Fuzzer:
    """The same requests for the same `seed`."""

    def __init__(self, server: Server, token: str, seed: int) -> None:
        self._port, self._random = server.ports["product"], random.Random(seed)
        self._seeds = [*corpus.good(token), *corpus.ODD.values()]
        self.sent, self.statuses = 0, Counter[str]()
        self.failures: set[str] = set()
        self.no_problems: set[str] = set()

    async def send(self, count: int) -> None:
        progress, left = Progress("fuzzing", count), iter(range(count))

        async def work() -> None:
            for _ in left:
                await self._one(self._mutated())
                progress.step()

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
        progress.end()

    async def _one(self, request: bytes) -> None:
        answer = await _answer(self._port, request)
        self.sent += 1
        statuses = _STATUS.findall(answer)
        self.statuses.update(status.decode() for status in statuses[:1] or [b"no answer"])
        for status in statuses:
            if int(status) >= _FAILED and status != _OVERLOADED:
                self.failures.add(f"{status.decode()} to {request!r}")
        if len(statuses) == 1 and int(statuses[0]) >= _REFUSED and b"application/problem+json" not in answer:
            self.no_problems.add(f"{statuses[0].decode()} to {request!r}")

    def _mutated(self) -> bytes:
        request = self._random.choice(self._seeds)
        for _ in range(self._random.choice([1, 1, 1, 2, 3, 8])):
            request = self._random.choice(_MUTATIONS)(self._random, request)
        return request


async def _answer(port: int, request: bytes) -> bytes:
    """One whole answer, or what comes of it; of what is no whole request there comes none, for which few seconds are
    waited.
    """
    answer = b""
    reader, writer = await asyncio.open_connection(_HOST, port)
    try:
        writer.write(request)
        async with asyncio.timeout(_PATIENCE):
            while not is_whole(answer) and (more := await reader.read(65536)):
                answer += more
    except (OSError, TimeoutError):
        pass
    finally:
        writer.close()
    return answer


def is_whole(answer: bytes) -> bool:
    """By its own word on its length."""
    head, separator, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(separator) and (length is None or len(body) >= int(length[1]))


def _turn_a_bit(dice: random.Random, request: bytes) -> bytes:
    place = dice.randrange(len(request) or 1)
    turned = bytes([request[place] ^ 1 << dice.randrange(8)]) if request else b""
    return request[:place] + turned + request[place + 1 :]


def _put_a_byte(dice: random.Random, request: bytes) -> bytes:
    place = dice.randint(0, len(request))
    return request[:place] + dice.choice(_ODD_BYTES) + request[place:]


def _put_a_text(dice: random.Random, request: bytes) -> bytes:
    place = dice.randint(0, len(request))
    return request[:place] + dice.choice(_ODD_TEXTS) + request[place:]


def _lose_a_piece(dice: random.Random, request: bytes) -> bytes:
    begin = dice.randint(0, len(request))
    return request[:begin] + request[begin + dice.randint(1, 20) :]


def _double_a_piece(dice: random.Random, request: bytes) -> bytes:
    begin = dice.randint(0, len(request))
    end = begin + dice.randint(1, 40)
    return request[:end] + request[begin:end] * dice.choice([1, 1, 2, 50]) + request[end:]


def _double_a_line(dice: random.Random, request: bytes) -> bytes:
    lines = request.split(b"\r\n")
    place = dice.randrange(len(lines))
    return b"\r\n".join([*lines[: place + 1], *lines[place:]])


def _replace_a_value(dice: random.Random, request: bytes) -> bytes:
    found = list(re.finditer(rb"[\w.-]+", request))
    if not found:
        return request
    one = dice.choice(found)
    return request[: one.start()] + dice.choice(_ODD_TEXTS) + request[one.end() :]


def _cut_off(dice: random.Random, request: bytes) -> bytes:
    return request[: dice.randint(0, len(request))]


def _mend_the_length(_: random.Random, request: bytes) -> bytes:
    """So that what was changed in the body is read as one."""
    head, separator, body = request.partition(b"\r\n\r\n")
    return re.sub(rb"content-length: \d+", b"content-length: %d" % len(body), head) + separator + body


_MUTATIONS: Final = [
    _turn_a_bit,
    _put_a_byte,
    _put_a_text,
    _lose_a_piece,
    _double_a_piece,
    _double_a_line,
    _replace_a_value,
    _replace_a_value,
    _cut_off,
    _mend_the_length,
    _mend_the_length,
]
