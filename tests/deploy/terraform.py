"""A folder of Terraform's files, as it is written: expressions are not evaluated, and stand in `${}`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import hcl2
from hcl2 import SerializationOptions

from tests.architecture.tools import ROOT

Block = dict[str, Any]

FOLDER: Final = ROOT / "deploy" / "cloudrun" / "terraform"

_AS_WRITTEN: Final = SerializationOptions(strip_string_quotes=True, with_comments=False, explicit_blocks=False)
_OF_A_PROVIDER: Final = r"google_\w+|random_\w+"
_REFERENCE: Final = re.compile(rf"(?<![\w.])(var|local|data\.(?:{_OF_A_PROVIDER})|{_OF_A_PROVIDER})\.(\w+)")


class Terraform:
    def __init__(self, folder: Path = FOLDER) -> None:
        self.files = sorted(folder.glob("*.tf"))
        self._blocks = [hcl2.loads(file.read_text(), serialization_options=_AS_WRITTEN) for file in self.files]
        self.variables: dict[str, Block] = dict(self._named("variable"))
        self.outputs: dict[str, Block] = dict(self._named("output"))
        self.locals: dict[str, Any] = {name: value for block in self._of("locals") for name, value in block.items()}

    def resources(self, type_: str) -> dict[str, Block]:
        """By name."""
        return {
            name: block for found, named in self._named("resource") if found == type_ for name, block in named.items()
        }

    def only(self, type_: str) -> Block:
        [block] = self.resources(type_).values()
        return block

    @property
    def types(self) -> set[str]:
        return {type_ for type_, _ in self._named("resource")}

    @property
    def declared(self) -> set[str]:
        """As they are referred to."""
        return {
            *(f"var.{name}" for name in self.variables),
            *(f"local.{name}" for name in self.locals),
            *(f"{type_}.{name}" for type_, named in self._named("resource") for name in named),
            *(f"data.{type_}.{name}" for type_, named in self._named("data") for name in named),
        }

    @property
    def used(self) -> set[str]:
        """What is referred to; what a variable says of itself does not count."""
        rest = [{kind: body for kind, body in blocks.items() if kind != "variable"} for blocks in self._blocks]
        return {f"{kind}.{name}" for text in _expressions(rest) for kind, name in _REFERENCE.findall(text)}

    def _of(self, kind: str) -> list[Block]:
        return [block for blocks in self._blocks for block in blocks.get(kind, [])]

    def _named(self, kind: str) -> Iterator[tuple[str, Block]]:
        return ((name, body) for block in self._of(kind) for name, body in block.items())


def _expressions(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _expressions(key)
            yield from _expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _expressions(inner)
    elif isinstance(value, str) and "${" in value:
        yield value
