"""The way of an order through the contexts: what waits at each station now, and how long it takes there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from ecshop.kernel.values import Spread
from ecshop.oversight.contract import Backlog
from ecshop.web.console.history import Hour
from ecshop.web.words import Words

NOTHING: Final = "\N{EN DASH}"


class Standing(NamedTuple):
    """Of one context: None where it does not answer."""

    name: str
    backlog: Backlog | None

    @property
    def waiting(self) -> int:
        return self.backlog.due + self.backlog.unheard if self.backlog else 0

    @property
    def since(self) -> datetime | None:
        waits = [self.backlog.due_since, self.backlog.unheard_since] if self.backlog else []
        return min(filter(None, waits), default=None)


class Station(NamedTuple):
    """What is done there; a figure and what it counts; how it stands; and a line below."""

    context: str
    does: str
    figure: str
    unit: str
    state: tuple[str, str]
    note: str


def stations_of(standings: Mapping[str, Standing], hour: Hour | None, _: Words) -> list[Station]:
    whole, quoted, reserved, recorded = (
        (hour.pace.whole, hour.pace.quoted, hour.pace.reserved, hour.pace.recorded) if hour else (None,) * 4
    )
    order, stock, product = (standings[name] for name in ("order", "stock", "product"))
    taken, sold_out = (_newest(hour.taken), _newest(hour.sold_out)) if hour else (None, None)
    placed = _.number(hour.placed[-1]) if hour else NOTHING
    return [
        Station("web", _("Requests"), placed, _("this minute"), ("ok", _("well")), _slowest(whole, _)),
        _step(product, _("Quotes"), quoted, _),
        _step(stock, _("Reservations"), reserved, _),
        _step(order, _("Records"), recorded, _),
        _outbox(order, _),
        _step(stock, _("Units taken"), taken, _),
        _step(product, _("Off sale"), sold_out, _),
    ]


def _step(standing: Standing, does: str, took: Spread | None, _: Words) -> Station:
    figure = _.took(took.p50) if took else NOTHING
    return Station(standing.name, does, figure, _("usually"), _answers(standing, _), _slowest(took, _))


def _outbox(standing: Standing, _: Words) -> Station:
    waiting = _.number(standing.waiting) if standing.backlog else NOTHING
    oldest = _("since {time}", time=_.second(standing.since)) if standing.since else _("none waits")
    return Station("events", _("Outbox and bus"), waiting, _("on their way"), _answers(standing, _), oldest)


def _newest(spreads: Sequence[Spread | None]) -> Spread | None:
    return next(filter(None, reversed(spreads)), None)


def _slowest(took: Spread | None, _: Words) -> str:
    return _("p99 {time}", time=_.took(took.p99)) if took else _("nothing yet")


def _answers(standing: Standing, _: Words) -> tuple[str, str]:
    if standing.backlog is None:
        return "bad", _("does not answer")
    letters = standing.backlog.dead_letters
    return ("bad", _("{n} given up", n=letters)) if letters else ("ok", _("well"))
