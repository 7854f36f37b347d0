"""How passwords are kept: as hashes that cost a thief time."""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from ecshop.auth.credentials import prepared
from ecshop.kernel.deadline import deadline
from ecshop.kernel.errors import Aborted

_QUEUE: Final = 16
"""How many wait for each core, which is less than half a second."""


class Passwords:
    """Argon2id with 19 MiB, two passes and one lane, as OWASP's password storage cheat sheet has it.

    It takes about 20 ms of a core, so it runs in threads, as many at a time as there are cores, and one more for those
    who have been here before: no crowd of strangers is in their way. Few wait for a turn, and who has gone meanwhile
    gets none; the others are refused at once, by `Aborted`.
    """

    def __init__(self) -> None:
        self._hasher = _hasher()
        self._lane, self._lane_of_known = _Lane(os.cpu_count() or 1), _Lane(1)
        self._nobodys = nobodys_hash()

    async def hash(self, password: str) -> str:
        async with self._lane.turn():
            return await asyncio.to_thread(self._hasher.hash, prepared(password) or "")

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash costs a thief less than one would that is made today."""
        return self._hasher.check_needs_rehash(stored)

    async def match(self, stored: str | None, password: str, *, is_known: bool = False) -> bool:
        """Without a stored hash the answer is no, but takes as long."""
        async with (self._lane_of_known if is_known else self._lane).turn():
            return await asyncio.to_thread(self._verify, stored or self._nobodys, prepared(password) or "")

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except VerificationError:
            return False


class _Lane:
    """So many hashes at a time, and a short queue for each of them."""

    def __init__(self, turns: int) -> None:
        self._turns, self._waiting, self._most = asyncio.Semaphore(turns), 0, turns * (1 + _QUEUE)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        if self._waiting >= self._most:
            raise Aborted("more people log in than can be served; try again")
        self._waiting += 1
        try:
            async with self._turns:
                if deadline.get().left <= 0:
                    raise Aborted("its time was over before it began; try again")
                yield
        finally:
            self._waiting -= 1


def nobodys_hash() -> str:
    """A hash of no password, in the form of the PHC: to hash one would be a twentieth of a start."""
    hasher = _hasher()
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    salt, tag = (_unpadded(os.urandom(length)) for length in (hasher.salt_len, hasher.hash_len))
    return f"$argon2id$v=19${cost}${salt}${tag}"


def _hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def _unpadded(value: bytes) -> str:
    return b64encode(value).rstrip(b"=").decode()
