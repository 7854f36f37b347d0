"""What a library calls private may change with any release: it is imported for types only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tools import ROOT

FILES = [file for part in ("ecshop", "entrypoints", "bench") for file in sorted((ROOT / part).rglob("*.py"))]


def private_imports(tree: ast.Module) -> Iterator[str]:
    """Modules with a private name in their path that are imported when the program runs."""
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            names.append(node.module or "")
        yield from (name for name in names if any(part.startswith("_") for part in name.split(".")))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_private_modules_are_imported_for_types_only(file: Path) -> None:
    assert list(private_imports(ast.parse(file.read_text()))) == []


def test_a_private_import_would_be_found() -> None:
    planted = "from litestar._openapi import plugin\nif TYPE_CHECKING:\n    import litestar._kwargs\n"
    assert list(private_imports(ast.parse(planted))) == ["litestar._openapi"]
