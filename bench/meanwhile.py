"""What goes on beside something else, and whose failure is not lost in its thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[Future[None]]:
    """`work` in a thread, which the context waits for in the end; raises what it has raised."""
    with ThreadPoolExecutor(1) as threads:
        working = threads.submit(work)
        yield working
    working.result()
