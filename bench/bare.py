"""What everything is compared with: a Litestar handler that looks a token up, decodes the body and answers an order.

It runs on uvicorn as that comes, with the loop, the parser and the collector of garbage set as in the shop. `edge` puts
the same handler behind all that the shop puts around its own: its server, request ids, deadlines, the log, problems,
tokens, strict bodies and parameters.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import uvicorn
from litestar import Litestar, Request, post
from litestar.params import JSONBody
from litestar.types import ASGIApp

from ecshop.auth.key_file import signing_key_in
from ecshop.kernel.clock import now
from ecshop.kernel.http.app import create_app
from ecshop.kernel.http.operation import operation
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.telemetry.logs import configure_logging
from ecshop.kernel.tokens import JwkSet, Verifier
from ecshop.order.contract import NewOrder, Order, OrderLine
from entrypoints.listening import listening_socket
from entrypoints.serve import serve_app, tune_gc, uvloop_runner
from entrypoints.stopping import stop_signal


def bare(verifier: Verifier) -> ASGIApp:
    actors: dict[str, Actor] = {}

    @post("/orders")
    async def place(request: Request[Any, Any, Any], data: JSONBody[NewOrder]) -> Order:
        authorization = request.headers["authorization"]
        if authorization not in actors:
            actors[authorization] = await verifier.actor(authorization.removeprefix("Bearer "))
        return _answer(actors[authorization], data)

    return Litestar([place], logging_config=None, openapi_config=None)


def edge(verifier: Verifier) -> ASGIApp:
    @post("/orders", **operation("Answer an order", role=Role.CUSTOMER))
    async def place(request: Request[Actor, Any, Any], data: JSONBody[NewOrder]) -> Order:
        return _answer(request.user, data)

    async def report() -> dict[str, str]:
        return {}

    async def measure(_accept: str) -> tuple[bytes, str]:
        return b"", "text/plain"

    configure_logging("json")
    return create_app(
        [place], {}, report, measure, verifier, title="edge", tags={}, request_seconds=10, max_requests=1000
    )


def _answer(actor: Actor, wanted: NewOrder) -> Order:
    lines = tuple(OrderLine(line.product_id, "Green tea", line.quantity, 1200, 1200) for line in wanted.lines)
    moment, ends = now(), (None, None, None, None)
    return Order(uuid4(), "confirmed", actor.user_id, lines, 1200, "JPY", moment, moment, *ends)


async def _serve(app: str, folder: Path) -> None:
    keys = signing_key_in(folder).jwks

    async def jwks() -> JwkSet:
        return keys

    with listening_socket("127.0.0.1", 0) as listening:
        address = f"{app} on http://127.0.0.1:{listening.getsockname()[1]}"
        if app == "edge":
            await serve_app(edge(Verifier(jwks)), listening, lambda: print(address, flush=True), stop_signal())
            return
        config = uvicorn.Config(
            cast(Any, bare(Verifier(jwks))), log_level="error", access_log=False, lifespan="off", ws="none"
        )
        tune_gc()
        print(address, flush=True)
        await uvicorn.Server(config).serve(sockets=[listening])


if __name__ == "__main__":
    with uvloop_runner() as runner:
        runner.run(_serve(sys.argv[1], Path(sys.argv[2])))
