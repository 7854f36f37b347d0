"""What must be true of every shop once its events have settled, whatever was done to it."""

from __future__ import annotations

from pathlib import Path

from entrypoints.operations.doctor import examine
from entrypoints.settings import Settings
from tests.waiting import eventually


def all_is_well(folder: Path, database_url: str = "") -> None:
    """Waits for what is on its way."""
    settings = Settings(data_dir=str(folder), database_url=database_url)
    eventually(lambda: [str(finding) for finding in examine(settings)], [], seconds=30)
