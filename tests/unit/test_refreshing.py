"""The keys that tell a good token: fetched once for all, renewed in time, and kept while their source is away."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from ecshop.kernel import refreshing, tokens
from ecshop.kernel.errors import Unauthenticated, Unavailable
from ecshop.kernel.tokens import Verifier
from tests.unit.issuer import Issuer, KeySource
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.moment = 1000.0

    def monotonic(self) -> float:
        return self.moment

    def time(self) -> float:
        return time.time()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(tokens, "time", clock)
    monkeypatch.setattr(refreshing, "time", clock)
    return clock


async def test_many_requests_before_the_first_key_fetch_it_once(
    issuer: Issuer, source: KeySource, verifier: Verifier
) -> None:
    await asyncio.gather(*(verifier.actor(issuer.token()) for _ in range(20)))
    assert source.calls == 1


async def test_unknown_key_ids_cause_one_fetch_in_an_interval(
    issuer: Issuer, source: KeySource, verifier: Verifier, clock: Clock
) -> None:
    async def strangers_knock() -> None:
        tokens = [Issuer().token() for _ in range(3)]
        results = await asyncio.gather(*(verifier.actor(token) for token in tokens), return_exceptions=True)
        assert all(isinstance(result, Unauthenticated) for result in results)

    await verifier.actor(issuer.token())
    await strangers_knock()
    assert source.calls == 1
    clock.moment += 6
    await strangers_knock()
    clock.moment += 4
    await strangers_knock()
    assert source.calls == 2
    clock.moment += 2
    await strangers_knock()
    assert source.calls == 3


async def test_a_new_key_is_found_after_the_interval(
    issuer: Issuer, source: KeySource, verifier: Verifier, clock: Clock
) -> None:
    await verifier.actor(issuer.token())
    successor = Issuer()
    source.keys = [successor.key]
    clock.moment += 6
    await verifier.actor(successor.token())
    assert source.calls == 2


async def test_a_withdrawn_key_is_refused_once_the_keys_are_stale(
    issuer: Issuer, source: KeySource, verifier: Verifier, clock: Clock
) -> None:
    await verifier.actor(issuer.token())
    source.keys = [Issuer().key]
    clock.moment += 301
    with pytest.raises(Unauthenticated):
        await verifier.actor(issuer.token())


async def test_a_token_that_was_seen_ends_with_its_key(
    issuer: Issuer, source: KeySource, verifier: Verifier, clock: Clock
) -> None:
    token = issuer.token()
    await verifier.actor(token)
    source.keys = [Issuer().key]
    clock.moment += 61
    with pytest.raises(Unauthenticated):
        await verifier.actor(token)


async def test_known_keys_stay_good_while_their_source_is_away(
    issuer: Issuer, source: KeySource, verifier: Verifier, clock: Clock
) -> None:
    await verifier.actor(issuer.token())
    source.away = True
    clock.moment += 301
    await verifier.actor(issuer.token())
    await verifier.actor(issuer.token())
    assert source.calls == 2


async def test_without_any_key_nobody_can_be_told_from_anybody(
    issuer: Issuer, source: KeySource, verifier: Verifier
) -> None:
    source.away = True
    with pytest.raises(Unavailable):
        await verifier.actor(issuer.token())
    source.away = False

    async def is_known() -> bool:
        with suppress(Unavailable):
            return bool(await verifier.actor(issuer.token()))
        return False

    await eventually_async(is_known, True)
