"""The project's own tools, run in a folder: most often a copy of the house in which something was changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def copy_house(folder: Path, *, without: tuple[str, ...] = ()) -> Path:
    for part in ("ecshop", "entrypoints"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", *without))
    for name in (".importlinter", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def append(file: Path, line: str) -> None:
    """The file is made where it is missing, and its folder too."""
    file.parent.mkdir(exist_ok=True)
    with file.open("a") as text:
        text.write(f"\n{line}\n")


def tool(folder: Path, name: str, *arguments: str) -> tuple[int, str]:
    """Its exit status, and what it said."""
    executable = Path(sys.executable).with_name(name)
    done = subprocess.run([str(executable), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def rules() -> list[str]:
    """The names of the import rules."""
    parser = ConfigParser()
    parser.read(ROOT / ".importlinter")
    return [parser[section]["name"] for section in parser if ":contract:" in section]


def broken_rules(folder: Path) -> list[str]:
    """The names of the import rules that the folder does not keep. Fails where the linter could not judge."""
    _, said = tool(folder, "lint-imports", "--no-cache")
    told = " ".join(said.split())
    found = [rule for rule in rules() if f"{rule} BROKEN" in told]
    assert f"Contracts: {len(rules()) - len(found)} kept, {len(found)} broken." in told, said
    return found
