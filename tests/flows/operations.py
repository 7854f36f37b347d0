"""What the shop documents: the operations of all its processes, to call and to read about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from uuid import uuid4

import httpx

from ecshop.kernel.http.problems import MEDIA_TYPE
from tests.shops import RunningShop

METHODS: Final = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}
_BY_UUID: Final = re.compile("{(order|user|session|key|event)_id}")
FIRST_FAILURE: Final = 400


class Operation(NamedTuple):
    """One of a running shop, and what the `document` of its process has `told` of it."""

    http: httpx.Client
    address: str
    method: str
    path: str
    told: Mapping[str, Any]
    document: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def url(self) -> str:
        """With ids in it; the product and the category are the first ones."""
        path = _BY_UUID.sub(lambda _: str(uuid4()), self.path).replace("_id}", "}")
        return self.address + path.format(product=1, category=1, name="1-0.webp")

    @property
    def guard(self) -> str:
        """Is "user", "service" or nothing, also where somebody may say who he is."""
        if {} in self.told.get("security", []):
            return ""
        guard: str
        [guard] = [name for mark in self.told.get("security", []) for name in mark] or [""]
        return guard

    def call(self, token: str = "", **headers: str) -> httpx.Response:
        if token:
            headers["authorization"] = f"Bearer {token}"
        return self.http.request(self.method, self.url, headers=headers)

    def failures(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        for status, response in self.told["responses"].items():
            if int(status) >= FIRST_FAILURE:
                yield int(status), response

    def written_bodies(self) -> list[Mapping[str, Any]]:
        """What it tells of the bodies that it reads, other than bytes which it takes as they are."""
        bodies = self.told.get("requestBody", {"content": {}})["content"].values()
        return [content for content in bodies if content["schema"].get("format") != "binary"]

    def codes(self) -> set[str]:
        """The error codes of its examples."""
        return {example["code"] for _, response in self.failures() for example in examples(response)}


def examples(response: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    told = response["content"].get(MEDIA_TYPE, {}).get("examples", {})
    return [example["value"] for example in told.values()]


def is_apart(shop: RunningShop) -> bool:
    return len(set(shop.server.ports.values())) > 1
