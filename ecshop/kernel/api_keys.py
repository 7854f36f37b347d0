"""API keys: what a machine shows in the place of a person's token; at auth one is exchanged for a token of minutes."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from ecshop.kernel.errors import Unauthenticated, Unavailable
from ecshop.kernel.refreshing import Fresh, Refreshing

PREFIX: Final = "ek_"
_FORM: Final = re.compile(r"ek_[\w-]{64}", re.ASCII)
_MOST_REMEMBERED: Final = 1000
_PAUSE: Final = 1.0
_REFUSED_FOR: Final = 2.0
"""Seconds in which auth is not asked again, from when it has told."""
_MARGIN: Final = 5.0
"""Seconds of a token's life that are not used: it has to be good at its neighbours too."""


_Known = Refreshing["str | Unauthenticated"]


class Lent(Protocol):
    """A person's access token, and for how many seconds it is good."""

    @property
    def access_token(self) -> str: ...

    @property
    def expires_in(self) -> int: ...


Exchange = Callable[[str], Awaitable[Lent]]
"""Raises `Unauthenticated` for a key that is not good, or no longer."""


async def no_keys(_: str) -> Lent:
    """Where nobody makes any."""
    raise Unauthenticated("there are no API keys here")


class LentTokens:
    """What the keys that were shown lately came to. Those that are none push none out that is good."""

    def __init__(self, exchange: Exchange, clock: Callable[[], float] = time.monotonic) -> None:
        self._exchange, self._clock = exchange, clock
        self._good: OrderedDict[str, _Known] = OrderedDict()
        self._others: OrderedDict[str, _Known] = OrderedDict()

    async def token_of(self, key: str) -> str:
        """One exchange for all who ask at a time. Raises `Unauthenticated` or `Unavailable`."""
        if not _FORM.fullmatch(key):
            raise Unauthenticated("that is no API key")
        found = await (self._good.get(key) or self._other(key)).get()
        if found is None:
            raise Unavailable("auth does not answer, and the API key is not known here; try again")
        if isinstance(found, Unauthenticated):
            raise Unauthenticated(found.detail)
        if key in self._others:
            _remember(self._good, key, self._others.pop(key))
        elif key in self._good:
            self._good.move_to_end(key)
        return found

    def _other(self, key: str) -> _Known:
        known = self._others.get(key) or Refreshing(
            "a token for an API key", lambda: self._fetch(key), pause=_PAUSE, clock=self._clock
        )
        _remember(self._others, key, known)
        return known

    async def _fetch(self, key: str) -> Fresh[str | Unauthenticated]:
        asked = self._clock()
        try:
            lent = await self._exchange(key)
        except Unauthenticated as refusal:
            refused_for = self._clock() - asked + _REFUSED_FOR
            return Fresh(refusal, renew_after=refused_for, good_for=refused_for)
        good_for = max(lent.expires_in - _MARGIN, lent.expires_in / 2)
        return Fresh(lent.access_token, renew_after=good_for, good_for=good_for)


def _remember(known: OrderedDict[str, _Known], key: str, one: _Known) -> None:
    known[key] = one
    known.move_to_end(key)
    if len(known) > _MOST_REMEMBERED:
        known.popitem(last=False)
