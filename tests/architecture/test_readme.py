"""What the READMEs say of settings, files and names is so, and what CONTRIBUTING says of files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from entrypoints.contexts import NAMES
from entrypoints.environment import ALIASES, variables
from entrypoints.settings import Settings
from tests.architecture.tools import ROOT

READMES: Final = ("README.md", "README.ja.md")
DOCUMENTS: Final = (*READMES, "CONTRIBUTING.md")
TABLE: Final = re.compile(r"^\| (?:variable|変数) \|.*\n\|[ -|]*\n((?:\|.*\n)+)", re.MULTILINE)
FENCED: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
FILE: Final = re.compile(r"[\w.-]+(?:/[\w.-]*)+|[\w.-]*\.(?:py|md|toml|txt)|\.\w+")
NAME: Final = re.compile(r"(?!ECSHOP_)([A-Z]\w+)|(\w+)\(\.\.\.\)")
FOLDERS: Final = (ROOT, ROOT / "ecshop", ROOT / "entrypoints", *(ROOT / "ecshop" / name for name in NAMES))


class Row(NamedTuple):
    """A line of the table of settings; several variables have a default each, in their order."""

    variables: list[str]
    aliases: list[str]
    defaults: list[str]


def rows(readme: str) -> Iterator[Row]:
    [table] = TABLE.findall((ROOT / readme).read_text())
    for line in table.splitlines():
        first, *_, last = [cell.strip() for cell in line.strip("|").split("|")]
        named = re.findall(r"`(\w+)`", first)
        own = [name for name in named if name not in ALIASES]
        defaults = [value.strip(" `") for value in last.split(",") if value.strip()]
        yield Row(own, [name for name in named if name in ALIASES], defaults or [""] * len(own))


def quoted(document: str) -> list[str]:
    """What stands in backticks, outside of the blocks of code."""
    return re.findall(r"`([^`\n]+)`", FENCED.sub("", (ROOT / document).read_text()))


def holds(folder: Path, name: str) -> bool:
    """A page of docs/adr may be named by its number alone."""
    return (folder / name).exists() or any(folder.glob(f"{name}-*.md"))


def default_of(variable: str) -> str:
    name, settings = variable.removeprefix("ECSHOP_").lower(), Settings()
    if name.endswith("_database_url"):
        return settings.database_urls.get(name.removesuffix("_database_url"), "")
    context = name.removesuffix("_url")
    value = settings.urls[context] if context in settings.urls else getattr(settings, name)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("readme", READMES)
def test_every_variable_is_in_the_table_once_and_no_other(readme: str) -> None:
    assert sorted(name for row in rows(readme) for name in row.variables) == sorted(variables())
    assert sorted(name for row in rows(readme) for name in row.aliases) == sorted(ALIASES)


@pytest.mark.parametrize("readme", READMES)
def test_every_default_in_the_table_is_that_of_the_settings(readme: str) -> None:
    told = {name: value for row in rows(readme) for name, value in zip(row.variables, row.defaults, strict=True)}
    assert told == {name: default_of(name) for name in told}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_is_named_exists(document: str) -> None:
    files = [text for text in quoted(document) if FILE.fullmatch(text) and not text.startswith(".venv")]
    links = re.findall(r"\]\((?!http)([^)]+)\)", (ROOT / document).read_text())
    assert [name for name in files if not any(holds(folder, name) for folder in FOLDERS)] == []
    assert [name for name in links if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_of_dev_that_is_named_exists(document: str) -> None:
    commands = re.findall(r"^    (\w+)\)", (ROOT / "dev").read_text(), re.MULTILINE)
    assert set(re.findall(r"\./dev (\w+)", (ROOT / document).read_text())) <= set(commands)


@pytest.mark.parametrize("readme", READMES)
def test_every_name_of_the_code_that_is_named_exists(readme: str) -> None:
    names = ["".join(found.groups("")) for text in quoted(readme) if (found := NAME.fullmatch(text))]
    code = "\n".join(file.read_text() for part in ("ecshop", "entrypoints") for file in (ROOT / part).rglob("*.py"))
    assert [name for name in names if not re.search(rf"\b{name}\b", code)] == []


def test_both_readmes_name_the_same_files_names_and_commands() -> None:
    english, japanese = (sorted(set(quoted(readme))) for readme in READMES)
    assert english == japanese
