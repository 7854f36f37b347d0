"""The keys that tell a good token: fetched once for all, renewed in time, and kept while their source is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from ecshop.kernel.errors import Unauthenticated, Unavailable
from ecshop.kernel.tokens import Verifier
from tests.unit.issuer import Issuer, KeySource
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio


SOON = 0.05  # seconds


@pytest.fixture
async def watched(source: KeySource) -> AsyncIterator[Verifier]:
    """It looks for the keys anew every moment."""
    verifier = Verifier(source, callees=["stock"], check_every=SOON)
    watching = asyncio.create_task(verifier.watch())
    yield verifier
    watching.cancel()


async def _is_good(verifier: Verifier, token: str) -> bool:
    try:
        await verifier.actor(token)
    except Unauthenticated:
        return False
    return True


async def test_many_requests_before_the_first_key_fetch_it_once(
    issuer: Issuer, source: KeySource, verifier: Verifier
) -> None:
    await asyncio.gather(*(verifier.actor(issuer.token()) for _ in range(20)))
    assert source.calls == 1


async def test_unknown_key_ids_cause_one_fetch_in_an_interval(
    issuer: Issuer, source: KeySource, verifier: Verifier
) -> None:
    await verifier.actor(issuer.token())
    for _ in range(5):
        strangers = [Issuer().token() for _ in range(3)]
        results = await asyncio.gather(*(verifier.actor(token) for token in strangers), return_exceptions=True)
        assert all(isinstance(result, Unauthenticated) for result in results)
    assert source.calls == 1


async def test_a_new_key_is_found_after_the_interval(issuer: Issuer, source: KeySource, watched: Verifier) -> None:
    await watched.actor(issuer.token())
    successor = Issuer()
    source.keys = [successor.key]
    await eventually_async(lambda: _is_good(watched, successor.token()), True)


async def test_a_withdrawn_key_is_refused_and_so_is_what_was_seen_of_it(
    issuer: Issuer, source: KeySource, watched: Verifier
) -> None:
    seen = issuer.token()
    await watched.actor(seen)
    source.keys = [Issuer().key]
    await eventually_async(lambda: _is_good(watched, seen), False)
    assert not await _is_good(watched, issuer.token())


async def test_known_keys_stay_good_while_their_source_is_away(
    issuer: Issuer, source: KeySource, watched: Verifier
) -> None:
    await watched.actor(issuer.token())
    source.away = True

    async def is_asked_again() -> bool:
        return source.calls > 2

    await eventually_async(is_asked_again, True)
    assert await _is_good(watched, issuer.token())


async def test_nobody_waits_for_a_renewal_while_what_is_there_is_good(
    issuer: Issuer, source: KeySource, watched: Verifier
) -> None:
    await watched.actor(issuer.token())
    source.hangs = True

    async def is_asked_again() -> bool:
        return source.calls > 1

    await eventually_async(is_asked_again, True)
    async with asyncio.timeout(SOON):
        for _ in range(100):
            await watched.actor(issuer.token())


async def test_all_who_wait_for_the_first_try_wait_for_one_and_those_who_leave_end_it_for_nobody(
    issuer: Issuer, source: KeySource, verifier: Verifier
) -> None:
    waiting = [asyncio.create_task(verifier.actor(issuer.token())) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.gather(*waiting[1:])
    assert source.calls == 1


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
