"""The shop as its documents tell of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bench.patient import PATIENCE
from entrypoints.contexts import NAMES
from tests.flows.operations import METHODS, Operation
from tests.shops import RunningShop

SHAPES = ("together", "apart", "on_postgres")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What needs a shop runs on each shape of it, unless its marks leave some out."""
    if "shop" in metafunc.fixturenames:
        marks = {mark.name for mark in metafunc.definition.iter_markers()}
        number = 1 if "one_shape" in marks else 2 if "sqlite_only" in marks else 3
        metafunc.parametrize("shop", SHAPES[:number], indirect=True, scope="session")


@pytest.fixture(scope="session")
def shop(request: pytest.FixtureRequest) -> RunningShop:
    running: RunningShop = request.getfixturevalue(request.param)
    return running


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=PATIENCE) as client:
        yield client


@pytest.fixture
def addresses(shop: RunningShop) -> list[str]:
    """Of each process that has a context."""
    return [f"http://127.0.0.1:{port}" for port in sorted({shop.server.ports[name] for name in NAMES})]


@pytest.fixture
def documents(addresses: list[str], http: httpx.Client) -> list[dict[str, Any]]:
    return [http.get(f"{address}/docs/openapi.json").raise_for_status().json() for address in addresses]


@pytest.fixture
def operations(addresses: list[str], documents: list[dict[str, Any]], http: httpx.Client) -> list[Operation]:
    return [
        Operation(http, address, method.upper(), path, told, document)
        for address, document in zip(addresses, documents, strict=True)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
        if method in METHODS
    ]


@pytest.fixture
def guarded(operations: list[Operation]) -> list[Operation]:
    return [one for one in operations if one.guard]
