"""The bare handler beside whatever is measured: by turns, since a shared machine is not as quick in every second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final, Generic, TypeVar

from bench.buying import Bought, load_on, orders_of
from bench.load import Request, Result
from bench.server import Server, running

Taken = TypeVar("Taken")

SECONDS: Final = 2
"""Of a turn."""
_TURNS: Final = 5


class Beside(Generic[Taken]):
    """What was measured, with the rate a second of the bare handler in the turn next to each."""

    def __init__(self, turns: Sequence[tuple[float, Taken]], rate: Callable[[Taken], float]) -> None:
        self.turns, self._rate = turns, rate

    @property
    def bare(self) -> float:
        return median(bare for bare, _ in self.turns)

    @property
    def rate(self) -> float:
        return self.median(self._rate)

    @property
    def share(self) -> float:
        """Of the bare handler's rate: the median of what each pair of turns says."""
        return median(self._rate(taken) / bare for bare, taken in self.turns)

    def median(self, figure: Callable[[Taken], float]) -> float:
        return median(figure(taken) for _, taken in self.turns)


class Yardstick:
    """A handler that only answers; it costs nothing when it is not its turn."""

    def __init__(self, server: Server, app: str, products: Sequence[int]) -> None:
        self._server, self._app = server, app
        self._requests = orders_of(server.folder, products)

    def rate(self) -> float:
        return load_on(self._server, self._app, self._requests, SECONDS).rate

    def beside(self, take: Callable[[], Taken], rate: Callable[[Taken], float]) -> Beside[Taken]:
        """Neither is always the first."""
        turns = list[tuple[float, Taken]]()
        for turn in range(_TURNS):
            if turn % 2:
                taken = take()
                turns.append((self.rate(), taken))
            else:
                turns.append((self.rate(), take()))
        return Beside(turns, rate)

    def beside_orders(self, order: Callable[[], Bought]) -> Beside[Bought]:
        return self.beside(order, lambda bought: bought.applied.rate)

    def beside_load(self, server: Server, context: str, requests: Sequence[Request]) -> Beside[Result]:
        return self.beside(lambda: load_on(server, context, requests, SECONDS), lambda load: load.rate)


@contextmanager
def handler(folder: Path, app: str, products: Sequence[int]) -> Iterator[Yardstick]:
    """One of `bench.bare`, warm."""
    with running(folder / app, "bench.bare", app, str(folder / app), contexts=[app]) as server:
        found = Yardstick(server, app, products)
        found.rate()
        yield found
