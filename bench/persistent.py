"""Buyers who ask again until they are told whether they have got it, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Final
from uuid import uuid4

import httpx

from bench.patient import PATIENCE
from ecshop.auth.keys import SigningKey
from ecshop.kernel.identity import Role
from ecshop.order.contract import OrderExpired
from ecshop.stock.contract import ReservationReleased

_AT_A_TIME: Final = 64
_PAUSE: Final = 0.1  # seconds
_LONGEST: Final = 300.0
_TOKEN: Final = 3600
_AWAY: Final = 503
PLACE_IT_AGAIN: Final = {OrderExpired.code, ReservationReleased.code}
"""Of an order whose units nobody held any more when it came to be recorded."""


def with_stock(address: str, key: SigningKey, products: int, units: int) -> list[int]:
    """New products, with so many units of each."""
    headers = {"authorization": f"Bearer {key.token_for_user(uuid4(), Role.STAFF, _TOKEN)}"}
    with httpx.Client(base_url=address, headers=headers, timeout=PATIENCE) as http:
        made = [http.post("/products", json={"name": f"Tea {number}", "price": 1200}) for number in range(products)]
        ids: list[int] = [answer.raise_for_status().json()["id"] for answer in made]
        for id_ in ids:
            http.post("/stock", json={"product_id": id_, "stock": units}).raise_for_status()
    return ids


def buy_for_certain(address: str, key: SigningKey, products: Sequence[int], buyers: int) -> list[httpx.Response]:
    """One unit each, each buyer under an idempotency key of his own; the answers that are final."""
    return asyncio.run(_buy(address, key, products, buyers))


async def _buy(address: str, key: SigningKey, products: Sequence[int], buyers: int) -> list[httpx.Response]:
    turns = asyncio.Semaphore(_AT_A_TIME)

    async def buy(http: httpx.AsyncClient) -> httpx.Response:
        token = key.token_for_user(uuid4(), Role.CUSTOMER, _TOKEN)
        headers = {"authorization": f"Bearer {token}", "idempotency-key": str(uuid4())}
        path = f"/order?product_id={random.choice(products)}&quantity=1"
        async with turns:
            while True:
                try:
                    answer = await http.post(path, headers=headers)
                except httpx.TransportError:
                    continue
                if answer.status_code != _AWAY and answer.json().get("code") not in PLACE_IT_AGAIN:
                    return answer
                await asyncio.sleep(_PAUSE)

    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE) as http, asyncio.timeout(_LONGEST):
        return await asyncio.gather(*(buy(http) for _ in range(buyers)))
