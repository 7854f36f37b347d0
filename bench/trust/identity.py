"""Attacks on who somebody is: tokens, passwords, and crowds that keep others out; and where secrets went."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bench.progress import say
from bench.server import Server, running
from bench.trust import floods
from bench.trust.report import Finding, at_least, at_most, none_of
from bench.trust.tokens import Forger
from ecshop.auth.key_file import FILE, signing_key_in
from entrypoints.contexts import NAMES

_PASSWORD: Final = "a canary's password 7f3a"
_SETTINGS: Final = {"ECSHOP_TRUSTED_PROXIES": "127.0.0.1", "ECSHOP_LOG": "json"}
_AT_ONCE: Final = 64
_CROWD: Final = 1000
_MEGABYTE: Final = 2**20


def measure(folder: Path) -> Iterator[Finding]:
    with running(folder / "shop", "ecshop", "up", "--port", "0", contexts=NAMES, **_SETTINGS) as server:
        say("forged and damaged tokens, against all that is guarded")
        yield from asyncio.run(_forgeries(server))
        say("10,000 guesses at one account, and one password at 1,000")
        yield from asyncio.run(_guesses(server))
        say("crowds")
        yield from asyncio.run(_crowds(server))
        say("where secrets went")
        yield from asyncio.run(_canaries(server))


async def _forgeries(server: Server) -> list[Finding]:
    key = signing_key_in(server.folder)
    forger = Forger(_private_key(server.folder), key.public.kid, key.public.x)
    async with _client(server) as http:
        assert (await http.get("/orders", headers=_bearer(forger.good()))).status_code == httpx.codes.OK
        guarded = await _operations(http, guarded=True)
        forgeries = list(forger.all())
        before, wrong = server.cpu_seconds(), Counter[str]()
        requests = [(name, token, one) for name, token in forgeries for one in guarded]

        async def ask(name: str, token: str, operation: tuple[str, str]) -> None:
            answer = await http.request(*operation, headers=_bearer(token))
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                wrong[f"{name}: {answer.status_code}"] += 1

        await _few_at_a_time(ask(*one) for one in requests)
        seconds = server.cpu_seconds() - before
    return [
        at_least("forged and damaged tokens", len(forgeries), 60),
        none_of(f"of {len(requests):,} requests with them, answers that are not 401", wrong),
        at_most("CPU of one", 1000 * seconds / len(requests), 5, " ms"),
    ]


async def _guesses(server: Server) -> list[Finding]:
    async with _client(server) as http:
        await _sign_up(http, "victim-of-guesses")
        at_one: Counter[int] = Counter()
        at_many: Counter[int] = Counter()

        async def guess(counted: Counter[int], name: str, address: str) -> None:
            form = {"username": name, "password": "guessed password"}
            answer = await http.post("/auth/login", data=form, headers={"x-forwarded-for": address})
            counted[answer.status_code] += 1

        def address(number: int) -> str:
            return f"10.9.{number >> 8 & 255}.{number & 255}"

        await _few_at_a_time(guess(at_one, "victim-of-guesses", address(number)) for number in range(10_000))
        await _few_at_a_time(guess(at_many, f"spray{number}", "10.8.0.1") for number in range(1000))
    return [
        at_most("hashes for 10,000 guesses at one account, from 10,000 addresses", at_one[401], 100),
        at_most("hashes for one password at 1,000 accounts, from one address", at_many[401], 150),
        none_of("answers to them that are neither 401, 429 nor 503", map(str, {*at_one, *at_many} - {401, 429, 503})),
    ]


async def _crowds(server: Server) -> list[Finding]:
    port = server.ports["auth"]
    async with _client(server) as http:
        await _sign_up(http, "honest-one")
        await _log_in(http, "honest-one")
        with floods.going_on(floods.logins, port, _CROWD):
            await asyncio.sleep(3)
            honest = [await _timed(_log_in(http, "honest-one")) for _ in range(10)]
            lag = await _latencies(http, "/health/live", 500)
        with floods.going_on(floods.drips, port, _CROWD):
            await asyncio.sleep(3)
            reads = await _latencies(http, "/products", 500)
        memory = server.memory()
        for flood in (floods.endless_heads, floods.endless_tokens):
            with floods.going_on(flood, port, 50):
                await asyncio.sleep(8)
        await http.get("/products")
    return [
        at_most("an honest login among 1,000 others, the slowest of 10", max(honest), 1, " s"),
        at_most("p99 of a request that does nothing, meanwhile", 1000 * _p99(lag), 20, " ms"),
        at_most("p99 of a list, among 1,000 connections that drip", 1000 * _p99(reads), 100, " ms"),
        at_most("memory more after heads and tokens without an end", (server.memory() - memory) / _MEGABYTE, 20, " MB"),
    ]


async def _canaries(server: Server) -> list[Finding]:
    name = f"canary-{uuid4().hex[:12]}"
    async with _client(server) as http:
        await _sign_up(http, name)
        tokens = (await _log_in(http, name)).json()
        refreshed = (await http.post("/auth/refresh", data={"refresh_token": tokens["refresh_token"]})).json()
        operations = [*await _operations(http), ("GET", f"/{name}-path"), ("POST", "/auth/login")]
        body = {"user_name": name, "username": name, "password": _PASSWORD, "refresh_token": refreshed["refresh_token"]}
        for method, path in operations:
            if path != "/auth/logout":
                sent = None if method in {"GET", "DELETE"} else body
                headers = _bearer(tokens["access_token"])
                await http.request(method, path, params={"canary": name}, headers=headers, json=sent)
    secrets = {
        "password": _PASSWORD,
        "access token": tokens["access_token"],
        "refresh token": tokens["refresh_token"],
        "next refresh token": refreshed["refresh_token"],
    }
    log = (server.folder / "output.log").read_bytes()
    databases = {file.name: file.read_bytes() for file in server.folder.glob("*.db*")}
    leaked = {
        f"{what} in {where}" for where, kept in databases.items() for what, one in secrets.items() if _is_in(one, kept)
    }
    names = {f"user name in {where}" for where, kept in databases.items() if _is_in(name, kept) and "auth" not in where}
    told = {what for what, one in {**secrets, "user name, query or path": name}.items() if _is_in(one, log)}
    return [
        none_of("secrets in databases, and names in others' than auth's", leaked | names),
        none_of("canaries in the log", told),
    ]


def _client(server: Server) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=_AT_ONCE)
    return httpx.AsyncClient(base_url=server.url("auth"), limits=limits, timeout=60)


async def _sign_up(http: httpx.AsyncClient, name: str) -> None:
    (await http.post("/auth/signup", json={"user_name": name, "password": _PASSWORD})).raise_for_status()


async def _log_in(http: httpx.AsyncClient, name: str) -> httpx.Response:
    return (await http.post("/auth/login", data={"username": name, "password": _PASSWORD})).raise_for_status()


async def _operations(http: httpx.AsyncClient, *, guarded: bool = False) -> list[tuple[str, str]]:
    """All, or those that want a token alone."""
    paths: dict[str, Any] = (await http.get("/docs/openapi.json")).json()["paths"]
    return [
        (method.upper(), _filled(path))
        for path, operations in paths.items()
        for method, told in operations.items()
        if told.get("security") or not guarded
    ]


def _filled(path: str) -> str:
    for name in ("order_id", "user_id", "session_id", "key_id", "event_id"):
        path = path.replace(f"{{{name}}}", str(uuid4()))
    return path.replace("{product_id}", "1").replace("{category_id}", "1")


async def _few_at_a_time(requests: Iterator[Any]) -> None:
    async def work() -> None:
        for request in requests:
            await request

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


async def _timed(request: Any) -> float:
    began = time.perf_counter()
    await request
    return time.perf_counter() - began


async def _latencies(http: httpx.AsyncClient, path: str, count: int) -> list[float]:
    found = []
    for _ in range(count):
        found.append(await _timed(http.get(path)))
        await asyncio.sleep(0.01)
    return found


def _p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[-1]


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def _is_in(secret: str, kept: bytes) -> bool:
    return secret.encode() in kept


def _private_key(folder: Path) -> Any:
    return load_pem_private_key((folder / FILE).read_bytes(), password=None)
