"""The outermost layer, around apps that fail in every way that Litestar would not catch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from ecshop.kernel.deadline import deadline
from ecshop.kernel.http.edge import DEADLINE, PATIENCE, ClientGone, Edge
from ecshop.kernel.telemetry.logs import annotate, request_id

pytestmark = pytest.mark.anyio

START: Any = {"type": "http.response.start", "status": 200, "headers": []}
BODY: Any = {"type": "http.response.body", "body": b"tea", "more_body": False}


@pytest.fixture(autouse=True)
def _logs_of_this_test() -> None:
    structlog.reset_defaults()


class Exchange:
    """One request and what was sent for it."""

    def __init__(self, method: str = "GET", received: Sequence[dict[str, Any]] = ()) -> None:
        self._received = [*received]
        self.sent: list[Any] = []
        self.seconds = 10.0
        self.scope: Any = {"type": "http", "method": method, "path": "/tea", "headers": [(b"x-request-id", b"r-1")]}

    async def through(self, app: Any) -> list[Any]:
        """Returns what was logged."""
        with capture_logs() as logs:
            await Edge(app, self.seconds, 1000)(self.scope, self.hears, self.sends)
        return logs

    async def hears(self) -> Any:
        return self._received.pop(0)

    async def sends(self, message: Any) -> None:
        self.sent.append(message)


async def test_an_error_that_nobody_handled_is_a_problem_with_the_request_id_and_logged_as_what_it_is() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError("inside the error handler")

    exchange = Exchange()
    failed, request = await exchange.through(app)
    start, body = exchange.sent
    problem = json.loads(body["body"])
    assert (start["status"], problem["code"], problem["request_id"]) == (500, "internal", "r-1")
    assert (b"content-type", b"application/problem+json") in start["headers"]
    assert (b"x-request-id", b"r-1") in start["headers"]
    assert (failed["log_level"], type(failed["exc_info"])) == ("error", ZeroDivisionError)
    assert (request["status"], request["code"], request["request_id"]) == (500, "internal", "r-1")


async def test_on_top_of_what_is_served_nothing_new_is_begun_but_health_is_told() -> None:
    released = asyncio.Event()
    begun: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.append(scope["path"])
        await released.wait()
        await send({**START})
        await send({**BODY})

    edge = Edge(app, 10, 2)
    exchanges = [Exchange() for _ in range(4)]
    exchanges[3].scope["path"] = "/health/live"
    served = [asyncio.create_task(edge(one.scope, one.hears, one.sends)) for one in exchanges]
    await asyncio.wait([served[2]], timeout=5)
    start, body = exchanges[2].sent
    assert (start["status"], json.loads(body["body"])["code"]) == (503, "aborted")
    assert (b"retry-after", b"1") in start["headers"]
    assert begun == ["/tea", "/tea", "/health/live"]
    released.set()
    await asyncio.gather(*served)
    assert [one.sent[0]["status"] for one in exchanges] == [200, 200, 503, 200]


async def test_an_error_in_the_middle_of_an_answer_goes_on_to_the_server() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START})
        raise ZeroDivisionError

    exchange = Exchange()
    with pytest.raises(ZeroDivisionError):
        await exchange.through(app)
    assert [message["type"] for message in exchange.sent] == ["http.response.start"]


async def test_a_client_that_goes_away_before_its_body_is_whole_is_told_from_one_that_has_sent_it() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await receive()

    part = {"type": "http.request", "body": b"t", "more_body": True}
    whole = {"type": "http.request", "body": b"tea", "more_body": False}
    gone = {"type": "http.disconnect"}
    with pytest.raises(ClientGone):
        await _hearing(Exchange("POST", [part, gone]))
    await Exchange("POST", [whole, gone]).through(app)


async def _hearing(exchange: Exchange) -> None:
    raised: list[Exception] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await receive()
            await receive()
        except ClientGone as error:
            raised.append(error)

    await exchange.through(app)
    raise raised[0]


async def test_head_runs_as_get_and_loses_its_body() -> None:
    methods: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        methods.append(scope["method"])
        await send({**START})
        await send({**BODY})

    exchange = Exchange("HEAD")
    [line] = await exchange.through(app)
    assert (methods, line["method"]) == (["GET"], "HEAD")
    assert exchange.sent[1]["body"] == b""


async def test_what_is_annotated_during_a_request_is_in_its_line_and_in_no_other() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        annotate(order_id=f"of {request_id.get()}")
        await send({**START})

    [line] = await Exchange().through(app)
    assert line["order_id"] == "of r-1"
    annotate(order_id="of nobody")
    assert request_id.get() == ""


async def _forever(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(3600)


async def test_what_keeps_no_deadline_by_itself_is_answered_soon_after_it() -> None:
    exchange = Exchange()
    exchange.seconds = 0.1
    async with asyncio.timeout(5):
        await exchange.through(_forever)
    start, body = exchange.sent
    assert (start["status"], json.loads(body["body"])["code"]) == (503, "unavailable")
    assert (b"retry-after", b"1") in start["headers"]
    assert "did not end in its time, at most 0.1 s" in json.loads(body["body"])["detail"]


async def test_a_request_that_is_cancelled_is_answered_with_a_problem() -> None:
    exchange = Exchange()
    serving = asyncio.create_task(exchange.through(_forever))
    await asyncio.sleep(0)
    serving.cancel()
    await serving
    start, body = exchange.sent
    assert (start["status"], json.loads(body["body"])["detail"]) == (503, "the shop is stopping; try again")


async def test_a_caller_may_wait_less_than_the_shop_allows_and_not_more() -> None:
    seen: list[float] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(deadline.get().left)
        await send(START)
        await send(BODY)

    for given in (b"2000", b"999999", b"soon", b"-1"):
        exchange = Exchange()
        exchange.scope["headers"].append((PATIENCE.encode(), given))
        await exchange.through(app)
    assert [round(left) for left in seen] == [2, 10, 10, 10]


async def test_a_client_that_goes_away_ends_its_deadline() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope[DEADLINE].give_up()
        assert deadline.get().left < 0
        await asyncio.sleep(3600)

    async with asyncio.timeout(5):
        await Exchange().through(app)
