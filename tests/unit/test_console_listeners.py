"""The console tells who listens to what: the same as the contexts say by their subscriptions."""

from __future__ import annotations

from pathlib import Path

from ecshop.events.catalog import CATALOG
from ecshop.web.console.heard import LISTENERS
from entrypoints.compose import compose
from entrypoints.settings import Settings


def test_the_console_knows_every_type_and_its_listeners(tmp_path: Path) -> None:
    shop = compose(Settings(data_dir=str(tmp_path)))
    listening = {
        type_: {context.name for context in shop.contexts if event in context.subscriptions}
        for type_, event in CATALOG.items()
    }
    assert {type_: set(names) for type_, names in LISTENERS.items()} == listening
