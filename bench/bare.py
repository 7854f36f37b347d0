"""What everything is compared with: a Litestar handler that checks the token, decodes the body and answers an order.

It runs behind the same server as the shop, with the same guard and the same strict body, without a log or a database.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from litestar import Litestar, Request, post
from litestar.datastructures import State
from litestar.params import JSONBody

from ecshop.auth.keys import signing_key_in
from ecshop.kernel.clock import now
from ecshop.kernel.http.app import MAX_BODY
from ecshop.kernel.http.operation import operation
from ecshop.kernel.http.strict import StrictBody
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.tokens import JwkSet, Verifier
from ecshop.order.contract import NewOrder, Order, OrderLine
from entrypoints.serve import listening_socket, serve_app, stop_signal, uvloop_runner


@post("/orders", **operation("Answer an order", role=Role.CUSTOMER))
async def answer(request: Request[Actor, Any, Any], data: JSONBody[NewOrder]) -> Order:
    lines = tuple(OrderLine(line.product_id, "Green tea", line.quantity, 1200, 1200) for line in data.lines)
    moment, ends = now(), (None, None, None, None)
    return Order(uuid4(), "confirmed", request.user.user_id, lines, 1200, "JPY", moment, moment, *ends)


async def _serve(folder: Path) -> None:
    keys = signing_key_in(folder).jwks

    async def jwks() -> JwkSet:
        return keys

    app = Litestar(
        [answer],
        dto=StrictBody,
        logging_config=None,
        openapi_config=None,
        request_max_body_size=MAX_BODY,
        state=State({"verifier": Verifier(jwks)}),
    )
    with listening_socket("127.0.0.1", 0) as listening:
        address = f"bare on http://127.0.0.1:{listening.getsockname()[1]}"
        await serve_app(app, listening, lambda: print(address, flush=True), stop_signal())


if __name__ == "__main__":
    with uvloop_runner() as runner:
        runner.run(_serve(Path(sys.argv[1])))
