"""The import rules bite: each one finds the violations that are planted for it in a copy of the house."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.tools import ROOT, append, broken_rules, copy_house, rules

VIOLATIONS: Final[dict[str, dict[str, dict[str, str]]]] = {
    "Imports point down: web > order > stock > product > auth > context > oversight > events > kernel": {
        "order imports a page": {"order/service.py": "import ecshop.web.words"},
        "product imports order's contract": {"product/service.py": "import ecshop.order.contract"},
        "the kernel imports the events": {"kernel/db/lane.py": "import ecshop.events.catalog"},
        "the events import the context that they serve": {"events/relay.py": "import ecshop.context"},
        "a folder that nobody named": {"payment/__init__.py": ""},
        "a module that nobody named": {"helpers.py": ""},
    },
    "In the kernel: db and http apart from each other, above telemetry, above the words": {
        "db imports http": {"kernel/db/columns.py": "import ecshop.kernel.http.paging"},
        "http imports db": {"kernel/http/paging.py": "import ecshop.kernel.db.keyset"},
        "telemetry imports http": {"kernel/telemetry/logs.py": "import ecshop.kernel.http.problems"},
        "a word imports telemetry": {"kernel/errors.py": "import ecshop.kernel.telemetry.logs"},
        "db reaches http through a word": {"kernel/values.py": "import ecshop.kernel.http.paging"},
        "a folder for the web that nobody named": {"kernel/web/__init__.py": "import litestar"},
    },
    "In the events: a wing for the buses, and the consumer under it": {
        "the consumer imports a bus": {"events/consumer.py": "import ecshop.events.buses.memory"},
        "the outbox imports the relay": {"events/outbox.py": "import ecshop.events.relay"},
        "a module that nobody named": {"events/helpers.py": ""},
    },
    "Nothing in the house knows where processes begin": {
        "a service imports the composition root": {"auth/service.py": "import entrypoints.compose"},
        "the kernel imports the settings": {"kernel/telemetry/logs.py": "import entrypoints.settings"},
    },
    "Inside a context: module > http > service > models > contract": {
        "a service imports its HTTP": {"stock/service.py": "import ecshop.stock.http"},
        "a service reaches its HTTP through a helper": {"stock/levels.py": "import ecshop.stock.http"},
        "a contract imports its tables": {"order/contract.py": "import ecshop.order.models"},
        "a module that nobody named": {"stock/helpers.py": ""},
        "a folder for the web that nobody named": {
            "stock/web/__init__.py": "",
            "stock/web/pages.py": "import litestar",
        },
    },
    "In the oversight: http > service > what it reads and does > contract": {
        "a service imports its HTTP": {"oversight/service.py": "import ecshop.oversight.http"},
        "a contract imports what it reads": {"oversight/contract.py": "import ecshop.oversight.readings"},
        "a module that nobody named": {"oversight/helpers.py": ""},
    },
    "Pages enter the oversight by its contract only": {
        "a page reads the outbox": {"web/order_pages.py": "import ecshop.oversight.readings"},
    },
    "In the web: module > pages > site > what a page is made of": {
        "words import what they are said on": {"web/words.py": "import ecshop.web.pages"},
        "a page imports another one": {"web/order_pages.py": "import ecshop.web.basket_pages"},
        "a module that nobody named": {"web/helpers.py": ""},
    },
    "A context enters another one by its contract only": {
        "a page imports a service": {"web/order_pages.py": "import ecshop.order.service"},
        "what pages are made of imports tables": {"web/site.py": "import ecshop.stock.models"},
        "a service imports another one's helper": {"order/service.py": "import ecshop.stock.reservations"},
        "a helper imports another one's tables": {"order/records.py": "import ecshop.stock.models"},
        "controllers import another one's service": {"stock/http.py": "import ecshop.product.service"},
        "a module is put together from another one's": {"order/module.py": "import ecshop.auth.module"},
        "a package imports another one's tables": {"order/__init__.py": "import ecshop.stock.models"},
        "a new folder imports another one's tables": {
            "order/web/__init__.py": "",
            "order/web/pages.py": "import ecshop.stock.models",
        },
        "a new folder is imported from another one": {
            "stock/web/__init__.py": "",
            "stock/web/contract.py": "",
            "order/service.py": "import ecshop.stock.web.contract",
        },
    },
    "Contracts are independent of each other": {
        "a contract imports another one": {"order/contract.py": "import ecshop.stock.contract"},
        "a contract reaches another one through its tables": {
            "order/contract.py": "import ecshop.order.models",
            "order/models.py": "import ecshop.product.contract",
        },
    },
    "Contracts know no framework": {
        "a contract imports SQLAlchemy": {"stock/contract.py": "import sqlalchemy"},
        "a contract reaches SQLAlchemy through the kernel": {"stock/contract.py": "import ecshop.kernel.db.columns"},
        "a contract reaches Litestar through the kernel": {"auth/contract.py": "import ecshop.kernel.http.paging"},
        "a contract reaches Redis through a bus": {"order/contract.py": "import ecshop.events.buses.redis"},
    },
    "Services and models know neither HTTP nor a broker": {
        "models import httpx": {"stock/models.py": "import httpx"},
        "a service reaches Litestar through the context": {"stock/service.py": "import ecshop.context"},
        "a service reaches Litestar through a helper": {"stock/levels.py": "import ecshop.kernel.http.operation"},
        "a service reaches Redis through a bus": {"stock/service.py": "import ecshop.events.buses.redis"},
        "a service reaches httpx through a contract": {"product/contract.py": "import ecshop.kernel.http.remote"},
        "what applies events imports uvicorn": {"product/availability.py": "import uvicorn"},
    },
    "The kernel's http and telemetry know no database": {
        "telemetry imports SQLAlchemy": {"kernel/telemetry/logs.py": "import sqlalchemy"},
        "http imports Alembic": {"kernel/http/health.py": "import alembic"},
        "http reaches SQLAlchemy through db": {"kernel/http/health.py": "import ecshop.kernel.db.migration"},
        "telemetry reaches SQLAlchemy through a word": {"kernel/errors.py": "import ecshop.kernel.db.columns"},
    },
    "The kernel's db and telemetry and the events know no web framework": {
        "db imports Litestar": {"kernel/db/keyset.py": "import litestar"},
        "telemetry imports uvicorn": {"kernel/telemetry/logs.py": "import uvicorn"},
        "the events import httpx": {"events/buses/memory.py": "import httpx"},
        "the events reach Litestar through the kernel": {"events/relay.py": "import ecshop.kernel.http.health"},
        "a new folder of db imports Litestar": {"kernel/db/web/__init__.py": "import litestar"},
    },
    "What starts the services loads nothing of what they need": {
        "the supervisor imports the server": {"../entrypoints/local/split.py": "import entrypoints.serve"},
        "what it says imports SQLAlchemy": {"../entrypoints/local/banner.py": "import sqlalchemy"},
        "a contract that it needs reaches httpx": {"stock/contract.py": "import ecshop.kernel.http.remote"},
    },
}
PLANTED: Final = [
    pytest.param(rule, planted, id=what) for rule in VIOLATIONS for what, planted in VIOLATIONS[rule].items()
]
BY_PATH: Final = ("migrations", "alembic")  # folders from which Alembic loads files, and nobody imports
SOURCES: Final = sorted(file for file in (ROOT / "ecshop").rglob("*.py") if file.parent.name not in BY_PATH)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    return copy_house(tmp_path, without=("vendor",))


def test_the_house_as_it_stands_keeps_the_rules(house: Path) -> None:
    assert broken_rules(house) == []


def test_every_rule_has_a_violation_that_proves_it() -> None:
    assert sorted(VIOLATIONS) == sorted(rules())


@pytest.mark.parametrize(("rule", "planted"), PLANTED)
def test_a_planted_violation_is_found(rule: str, planted: dict[str, str], house: Path) -> None:
    for name, line in planted.items():
        append(house / "ecshop" / name, line)
    assert rule in broken_rules(house)


def test_no_package_imports_anything_itself() -> None:
    """What runs with every import of a context would be in no layer, and no rule of layers would see it."""
    packages = [file for file in SOURCES if file.name == "__init__.py"]
    imports = [str(file) for file in packages for node in ast.walk(ast.parse(file.read_text())) if is_import(node)]
    assert imports == []


def test_the_linter_sees_every_folder() -> None:
    """It passes over one without an `__init__.py`, and whatever is imported from there."""
    assert [str(file) for file in SOURCES if not (file.parent / "__init__.py").exists()] == []


def test_nothing_in_the_house_is_imported_by_a_name_that_the_linter_cannot_read() -> None:
    assert [str(file) for file in SOURCES if "importlib" in file.read_text() or "__import__" in file.read_text()] == []


def is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)
