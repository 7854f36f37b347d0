"""The gateway: one origin for all services, and nothing gets through that a service should not see."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest

from bench import patient
from bench.patient import PATIENCE
from entrypoints.contexts import CONTEXTS, NAMES
from tests.flows.refusals import assert_refused
from tests.gateways import NOBODY, gateway
from tests.shops import RunningShop, need_nginx

ORIGIN = "https://shop.example"
HEADERS = ("access-control-allow-origin", "access-control-expose-headers", "access-control-allow-methods")


@pytest.fixture(autouse=True)
def _nginx() -> None:
    need_nginx()


@pytest.fixture
def address(apart: RunningShop) -> str:
    return apart.gateway


@pytest.fixture
def services(apart: RunningShop) -> dict[str, list[str]]:
    return {name: [urlsplit(apart.server.url(name)).netloc] for name in NAMES}


def test_it_has_one_documentation_of_all_operations(address: str, apart: RunningShop) -> None:
    told = patient.get(f"{address}/docs/openapi.json").json()
    for name in NAMES:
        own = patient.get(f"{apart.server.url(name)}/docs/openapi.json").json()
        public = {path for path in own["paths"] if not path.startswith(("/internal/", "/auth/token", "/metrics"))}
        assert public <= told["paths"].keys()
    assert not [path for path in told["paths"] if path.startswith("/internal/")]
    assert patient.get(f"{address}/docs").headers["content-type"] == "text/html"
    for asset in ("/docs/assets/swagger-ui.css", "/docs/assets/swagger-ui-bundle.js", "/favicon.ico"):
        assert patient.get(f"{address}{asset}").is_success


def test_every_public_path_is_under_one_of_its_contexts(apart: RunningShop) -> None:
    for context in CONTEXTS:
        told = patient.get(f"{apart.server.url(context.name)}/docs/openapi.json").json()["paths"]
        public = [path for path in told if not re.match("/(internal|health|metrics)(/|$)", path)]
        under = re.compile(f"/({'|'.join(map(re.escape, context.paths))})(/|$)")
        assert [path for path in public if not under.match(path)] == []


@pytest.mark.parametrize(
    "path", ["/internal/reservations", "/internal/quotes", "/internal/events", "/metrics", "/auth/token", "/nothing"]
)
def test_what_is_not_for_the_public_is_nowhere(address: str, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert_refused(patient.request(method, address + path), 404, "http.not_found")


def test_a_request_keeps_its_id_and_gets_one_where_it_has_none(address: str) -> None:
    for path in ("/products", "/nothing"):
        assert patient.get(address + path, headers={"x-request-id": "r-1"}).headers["x-request-id"] == "r-1"
        assert patient.get(address + path).headers["x-request-id"]


@pytest.mark.parametrize("id_", ['"},{"', "a b", "$host", "x" * 81, "\u00e9"])
def test_an_id_that_is_none_is_replaced(address: str, id_: str) -> None:
    answer = patient.get(f"{address}/nothing", headers={b"x-request-id": id_.encode()})
    assert_refused(answer, 404, "http.not_found")
    assert UUID(answer.headers["x-request-id"])


def test_a_body_that_is_too_large_is_refused(address: str, apart: RunningShop) -> None:
    headers = {"authorization": f"Bearer {apart.customer}", "content-type": "application/json"}
    assert_refused(patient.post(f"{address}/orders", content=b"x" * 66_000, headers=headers), 413, "request.too_large")


def test_a_long_list_comes_compressed(address: str, apart: RunningShop) -> None:
    for _ in range(20):
        apart.new_product()
    answer = patient.get(f"{address}/products", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.json()["items"]) == 20


def test_who_asks_too_often_is_told_to_wait(services: dict[str, list[str]]) -> None:
    with gateway(services, rate=1) as limited, httpx.Client(base_url=limited, timeout=PATIENCE) as http:
        answers = [http.get("/products") for _ in range(30)]
        refused = [answer for answer in answers if answer.status_code != 200]
        assert 15 <= len(refused) < 25
        for answer in refused:
            assert_refused(answer, 429, "http.too_many_requests")
            assert answer.headers["retry-after"] == "1"
        assert http.get("/health/gateway").is_success


def test_a_service_that_is_away_is_a_problem_of_its_own_paths_alone(services: dict[str, list[str]]) -> None:
    with gateway(services | {"stock": [NOBODY]}) as address:
        answer = patient.get(f"{address}/stock")
        assert_refused(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "1"
        assert patient.get(f"{address}/products").is_success


def test_a_replica_that_is_away_is_nobodys_problem(services: dict[str, list[str]]) -> None:
    with gateway(services | {"product": [NOBODY, *services["product"]]}) as address:
        assert {patient.get(f"{address}/products").status_code for _ in range(20)} == {200}


@pytest.fixture(scope="module")
def with_origins(apart: RunningShop) -> Iterator[str]:
    services = {name: [urlsplit(apart.server.url(name)).netloc] for name in NAMES}
    with gateway(services, origins=[ORIGIN]) as address:
        yield address


def test_pages_of_an_allowed_origin_may_call(with_origins: str) -> None:
    for path in ("/products", "/nothing"):
        answer = patient.get(f"{with_origins}{path}", headers={"origin": ORIGIN})
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
    asked = {"origin": ORIGIN, "access-control-request-method": "POST"}
    preflight = patient.options(f"{with_origins}/orders", headers=asked)
    assert preflight.is_success
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "Idempotency-Key" in preflight.headers["access-control-allow-headers"]


@pytest.mark.parametrize("origin", ["https://evil.example", f"{ORIGIN}.evil.example", "null", ""])
def test_pages_of_any_other_origin_may_not(with_origins: str, origin: str) -> None:
    asked = {"origin": origin, "access-control-request-method": "POST"}
    for answer in (patient.get(f"{with_origins}/products", headers=asked), patient.options(f"{with_origins}/orders")):
        assert not [name for name in HEADERS if name in answer.headers]


def _answers(address: str, sent: bytes) -> bytes:
    """All that comes until the gateway closes the connection, or says no more for a while."""
    url = urlsplit(address)
    told = b""
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=2) as connection:
        connection.sendall(sent)
        try:
            while part := connection.recv(65_536):
                told += part
        except TimeoutError:
            pass
    return told


_SECOND = b"GET /auth/me HTTP/1.1\r\nHost: x\r\nX-Request-ID: smuggled\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 61\r\n\r\n",
        b"POST /orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n",
        b"POST /orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n",
        b"POST /orders HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /products HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /products HTTP/1.1\r\n\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_read_by_nobody(address: str, head: bytes) -> None:
    told = _answers(address, head + _SECOND)
    assert told.count(b"HTTP/1.1 ") <= 1
    assert told.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))
    assert b"smuggled" not in told


@pytest.mark.parametrize(
    ("start", "drip"),
    [(b"GET /products HTTP/1.1\r\nHost: x\r\n", b"X-Slow: 1\r\n"), (b"", b"")],
    ids=["headers that never end", "nothing at all"],
)
def test_a_client_that_drips_is_cut_off(address: str, start: bytes, drip: bytes) -> None:
    url = urlsplit(address)
    with socket.create_connection((url.hostname or "", url.port or 0), timeout=1) as connection:
        until = time.monotonic() + 20
        assert _is_closed(connection, start, drip, lambda: time.monotonic() < until)


def _is_closed(connection: socket.socket, start: bytes, drip: bytes, goes_on: Callable[[], bool]) -> bool:
    connection.sendall(start)
    while goes_on():
        try:
            if not connection.recv(1000):
                return True
            connection.sendall(drip)
        except TimeoutError:
            connection.sendall(drip)
        except ConnectionError:
            return True
    return False


def test_events_are_handed_on_as_they_come() -> None:
    event, seen = b"data: it happened\n\n", threading.Semaphore(0)
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as beside:
        listening.settimeout(30)

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                connection.sendall(head)
                for _ in range(3):
                    connection.sendall(b"%x\r\n%b\r\n" % (len(event), event))
                    assert seen.acquire(timeout=10)
                connection.sendall(b"0\r\n\r\n")

        serving = beside.submit(serve)
        upstreams = {"order": [f"127.0.0.1:{listening.getsockname()[1]}"]}
        with gateway(upstreams) as address, httpx.stream("GET", f"{address}/orders", timeout=5) as answer:
            for chunk in answer.iter_bytes():
                assert chunk == event
                seen.release()
        serving.result()
