"""A new context costs a folder and the edits that the README names: one is added to a copy of the shop, and runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.architecture.tools import ROOT, append, broken_rules, copy_house, tool

TEMPLATE: Final = Path(__file__).parent / "template_context"

EDITS: Final[dict[str, dict[str, str]]] = {
    "entrypoints/contexts.py": {
        '    ContextEntry("order", 8003, "cyan", ("orders", "order")),\n': (
            '    ContextEntry("review", 8005, "blue", ("reviews",)),\n'
        ),
    },
    "entrypoints/compose.py": {
        "from ecshop.product.http import HttpProductClient\n": (
            "from ecshop.review import module as review_module\n"
            "from ecshop.review.contract import ReviewClient\n"
            "from ecshop.review.http import HttpReviewClient\n"
        ),
        "    order: OrderClient | None = None,\n": "    review: ReviewClient | None = None,\n",
        '        order = HttpOrderClient(neighbours.remote("order", auth))\n': """
    if "review" in here:
        review = _place(placed, review_module.build(databases["review"], product))
    elif review is None:
        review = HttpReviewClient(neighbours.remote("review", auth))
""",
        "    clients, stopping = Clients(auth, product, stock, order": ", review",
    },
    "entrypoints/shop.py": {
        "from ecshop.product.contract import StaffProductClient\n": "from ecshop.review.contract import ReviewClient\n",
        "    order: OrderClient\n": "    review: ReviewClient\n",
    },
    ".importlinter": {
        "    ecshop\nlayers =\n    web\n": "    review\n",
        "    ecshop.order\n": "    ecshop.review\n",
    },
}
"""What is added to each file, and after what."""

BAD_HABITS: Final = {
    "product/service.py": "import ecshop.review.contract",
    "review/contract.py": "import ecshop.product.contract, sqlalchemy",
    "review/models.py": "import ecshop.product.models, ecshop.review.service, httpx",
}
"""What no context may do: planted in the copy, it breaks every rule that is about contexts."""

VISIT: Final = """
import asyncio
from typing import cast
from uuid import uuid4

from httpx import ASGITransport, AsyncClient

from ecshop.kernel.identity import Actor, Role
from ecshop.product.contract import NewProduct
from ecshop.product.service import ProductService
from ecshop.review.contract import NewReview
from ecshop.review.service import ReviewService
from entrypoints.compose import compose
from entrypoints.settings import Settings


async def visit() -> None:
    shop = compose(Settings(data_dir="data"))
    async with shop.running():
        staff = Actor(uuid4(), Role.STAFF)
        product = await cast(ProductService, shop.clients.product).create(staff, NewProduct("Green tea", 1200))
        review = await cast(ReviewService, shop.clients.review).add(NewReview(product.id, 5, "Tastes of spring."))
        async with AsyncClient(transport=ASGITransport(shop.app()), base_url="http://shop") as http:
            answer = await http.get(f"/reviews/{review.id}")
    print(answer.text)


asyncio.run(visit())
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the shop with the new context in it."""
    copy = copy_house(tmp_path_factory.mktemp("house"))
    shutil.copytree(TEMPLATE, copy / "ecshop" / "review", ignore=shutil.ignore_patterns("__pycache__"))
    for name, additions in EDITS.items():
        text = (copy / name).read_text()
        for place, addition in additions.items():
            assert place in text, f"{name} has no {place!r} any more: say here where a context is added now"
            text = text.replace(place, place + addition)
        (copy / name).write_text(text)
    return copy


@pytest.mark.parametrize(("document", "row"), [("README.md", "a context"), ("README.ja.md", "コンテキスト")])
def test_the_readme_names_every_file_in_which_a_context_is_registered(document: str, row: str) -> None:
    [where] = re.findall(rf"^\| {row} \|(.*)\|$", (ROOT / document).read_text(), re.MULTILINE)
    named = [name for name in re.findall(r"`([^`]+)`", where) if (ROOT / name).is_file()]
    assert sorted(named) == sorted(EDITS)


def test_the_new_context_keeps_the_import_rules(house: Path) -> None:
    assert broken_rules(house) == []


def test_the_import_rules_bind_the_new_context(house: Path, tmp_path: Path) -> None:
    shutil.copytree(house, tmp_path, ignore=shutil.ignore_patterns("vendor"), dirs_exist_ok=True)
    for name, line in BAD_HABITS.items():
        append(tmp_path / "ecshop" / name, line)
    assert [rule.split(":")[0] for rule in broken_rules(tmp_path)] == [
        "Imports point down",
        "Inside a context",
        "A context enters another one by its contract only",
        "Contracts are independent of each other",
        "Contracts know no framework",
        "Services and models know neither HTTP nor a broker",
    ]


@pytest.mark.parametrize("check", [("check",), ("format", "--check")])
def test_the_new_context_is_in_the_style_of_the_others(house: Path, check: tuple[str, ...]) -> None:
    status, said = tool(house, "ruff", *check, "--no-cache", "ecshop", "entrypoints")
    assert status == 0, said


def test_the_new_context_has_types_that_hold(house: Path, pytestconfig: pytest.Config) -> None:
    assert pytestconfig.cache is not None
    cache = pytestconfig.cache.mkdir("types-with-a-new-context")
    status, said = tool(house, "mypy", f"--cache-dir={cache}", "-p", "ecshop", "-p", "entrypoints")
    assert status == 0, said


def test_the_shop_runs_with_the_new_context_in_it(house: Path) -> None:
    status, said = tool(house, "python", "-c", VISIT)
    assert status == 0, said
    assert '{"id":1,"product_id":1,"stars":5,"text":"Tastes of spring."}' in said.splitlines()
