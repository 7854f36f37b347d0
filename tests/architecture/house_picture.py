"""The house as a Mermaid graph, drawn from the linter's rules: a picture that nobody has to keep true.

`./dev picture` writes it into the documents that show it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from configparser import ConfigParser
from itertools import groupby, pairwise
from pathlib import Path
from string import ascii_lowercase
from typing import Final, NamedTuple

from tests.architecture.tools import ROOT

DOCUMENTS: Final = ("README.md", "README.ja.md", "docs/house.md")
BEGIN, END = "<!-- house -->", "<!-- /house -->"
_BLOCK: Final = re.compile(f"{BEGIN}\n.*?{END}", re.DOTALL)


class Part(NamedTuple):
    """A module of a layer; `optional` where the rules have it in parentheses."""

    name: str
    optional: bool


Layer = Sequence[Part]


class Rules:
    def __init__(self, file: Path) -> None:
        self._parser = ConfigParser()
        self._parser.read_string(file.read_text())

    def lines(self, contract: str, key: str) -> list[str]:
        return self._parser[f"importlinter:contract:{contract}"][key].split("\n")[1:]

    def layers(self, contract: str) -> list[Layer]:
        """From the top down."""
        split = [re.split(r"\s*[|:]\s*", line) for line in self.lines(contract, "layers")]
        return [[Part(name.strip("()"), name.startswith("(")) for name in names] for names in split]


def block(root: Path = ROOT) -> str:
    """What a document has between its markers, the markers with it."""
    return "\n".join([BEGIN, "```mermaid", *_graph(Rules(root / ".importlinter"), root), "```", END])


def found_in(document: str) -> str:
    found = _BLOCK.search(document)
    return found[0] if found else ""


def renew(root: Path = ROOT) -> None:
    picture = block(root)
    for name in DOCUMENTS:
        file = root / name
        file.write_text(_BLOCK.sub(lambda _: picture, file.read_text()))


def _graph(rules: Rules, root: Path) -> Iterator[str]:
    house = [part.name for layer in rules.layers("house") for part in layer]
    doors = {line.rsplit(".", 1)[-1] for line in rules.lines("doors", "ignore_imports")}
    contexts = [name for name in house if f"ecshop.{name}" in rules.lines("doors", "modules")]
    storeys = [name for name, _ in groupby("contexts" if name in contexts else name for name in house)]
    yield "flowchart TD"
    yield from _begin("contexts", "calls go down")
    yield from _arrows(contexts, f"-- {' or '.join(sorted(doors))} -->", indent=8)
    yield "    end"
    kernel = root / "ecshop" / "kernel"
    yield from _box("kernel", "kernel", rules.layers("kernel"), gather=lambda part: not (kernel / part.name).is_dir())
    title = f"{', '.join(contexts)}: each has inside"
    yield from _box("room", title, rules.layers("rooms"), gather=lambda part: part.optional)
    yield from _arrows([*rules.lines("entrypoints", "forbidden_modules"), *storeys])
    if storeys.index("events") > storeys.index("contexts"):
        yield "    events -. events come up .-> contexts"


def _arrows(names: Sequence[str], arrow: str = "-->", *, indent: int = 4) -> Iterator[str]:
    yield from (f"{' ' * indent}{upper} {arrow} {lower}" for upper, lower in pairwise(names))


def _begin(name: str, title: str) -> Iterator[str]:
    yield f'    subgraph {name} ["{title}"]'
    yield "        direction TB"


def _box(name: str, title: str, layers: Sequence[Layer], *, gather: Callable[[Part], bool]) -> Iterator[str]:
    """Layers one under the other; those of which every part is to be gathered are the lines of one node."""
    yield from _begin(name, title)
    rows: list[str] = []
    for gathered, together in groupby(layers, key=lambda layer: all(gather(part) for part in layer)):
        lines = [[part.name for part in layer] for layer in together]
        for nodes in [["<br/>".join(" · ".join(line) for line in lines)]] if gathered else lines:
            ids = [f"{name}_{len(rows)}{letter}" for letter, _ in zip(ascii_lowercase, nodes, strict=False)]
            yield from (f'        {id_}["{label}"]' for id_, label in zip(ids, nodes, strict=True))
            rows.append(" & ".join(ids))
    yield from _arrows(rows, indent=8)
    yield "    end"


if __name__ == "__main__":
    renew()
