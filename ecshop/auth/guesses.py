"""Who may try another password: bounded by account and by address, and no owner is kept out by a stranger's guesses."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Final

from ecshop.auth.contract import TooManyAttempts
from ecshop.auth.throttle import Throttle

_LONGEST: Final = 300.0  # seconds; of an account
_LONGEST_OF_ADDRESS: Final = 60.0
_ADDRESS_FREE: Final = 10
"""Times what an account has: many people may have one address."""
_MOST_KNOWN: Final = 10_000


class Guesses:
    """An address from which an account has logged in has attempts of its own on it: those of strangers use up none."""

    def __init__(self, free: int) -> None:
        """So many wrong passwords of an account before the first pause."""
        self._accounts = Throttle(free, _LONGEST)
        self._addresses = Throttle(free * _ADDRESS_FREE, _LONGEST_OF_ADDRESS)
        self._makers = Throttle(free * _ADDRESS_FREE, _LONGEST_OF_ADDRESS)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, account: str, address: str) -> None:
        """Raises `TooManyAttempts`, and then the attempt is not made."""
        _take(self._addresses, address)
        _take(self._accounts, self._key(account, address))

    def succeeded(self, account: str, address: str) -> None:
        self._accounts.forget(self._key(account, address))
        self._addresses.give_back(address)
        self._known[account, address] = None
        self._known.move_to_end((account, address))
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def knows(self, account: str, address: str) -> bool:
        """Whether the account has logged in from there, as long as that is kept in mind."""
        return (account, address) in self._known

    def begin_at(self, address: str) -> None:
        """Of a secret that belongs to no person. Raises `TooManyAttempts`."""
        _take(self._addresses, address)

    def succeeded_at(self, address: str) -> None:
        self._addresses.give_back(address)

    def make_account(self, address: str) -> None:
        """Raises `TooManyAttempts`."""
        _take(self._makers, address)

    def _key(self, account: str, address: str) -> str:
        return f"{account} {address}" if self.knows(account, address) else account


def _take(throttle: Throttle, key: str) -> None:
    wait = throttle.take(key)
    if wait:
        seconds = math.ceil(wait)
        raise TooManyAttempts(f"too many attempts; try again in {seconds} s", retry_after=seconds)
