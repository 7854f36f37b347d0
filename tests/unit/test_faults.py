"""What goes wrong on purpose: once, at the event that comes next, and never longer than a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from ecshop.events import faults
from ecshop.events.catalog import OrderCancelled
from ecshop.events.envelope import AnyEnvelope, envelope_of, id_of
from ecshop.events.faults import BrokenOnPurpose, Faults
from tests.events import EXAMPLES

pytestmark = pytest.mark.anyio


class Listener:
    """Applies each event once, as an inbox makes it."""

    def __init__(self) -> None:
        self.applied: list[str] = []

    async def apply(self, envelopes: Sequence[AnyEnvelope]) -> list[str | Exception]:
        did: list[str | Exception] = []
        for envelope in envelopes:
            did.append("ignored: applied before" if envelope.id in self.applied else "done")
            self.applied.append(envelope.id)
        return did


def cancelled() -> list[AnyEnvelope]:
    return [envelope_of(event, id_of(event)) for event in EXAMPLES if isinstance(event, OrderCancelled)]


async def test_nothing_goes_wrong_unless_it_is_asked_for() -> None:
    broken, listener = Faults(can_die=False), Listener()
    assert await broken.around(listener.apply, cancelled()) == ["done", "done"]
    assert not broken.happened


async def test_the_next_event_fails_once_and_the_others_do_not() -> None:
    broken, listener, events = Faults(can_die=False), Listener(), cancelled()
    broken.cause("fail")
    first, second = await broken.around(listener.apply, events)
    assert (type(first), second) == (BrokenOnPurpose, "done")
    assert await broken.around(listener.apply, events[:1]) == ["done"]
    assert [one.did for one in broken.happened] == ["done", "failed on purpose, and will be tried again"]


async def test_the_next_event_comes_twice() -> None:
    broken, listener, events = Faults(can_die=False), Listener(), cancelled()
    broken.cause("duplicate")
    assert await broken.around(listener.apply, events) == ["done", "done"]
    assert listener.applied == [events[0].id, events[1].id, events[0].id]
    assert [one.did for one in broken.happened] == ["came twice: ignored: applied before"]


async def test_a_pause_ends_when_it_is_told_to_and_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, listener = Faults(can_die=False), Listener()
    broken.cause("pause")
    waiting = asyncio.ensure_future(broken.around(listener.apply, cancelled()))
    assert not (await asyncio.wait([waiting], timeout=0.2))[0]
    broken.cause("resume")
    assert await asyncio.wait_for(waiting, 5) == ["done", "done"]
    monkeypatch.setattr(faults, "LONGEST_PAUSE", faults.LONGEST_PAUSE / 100)
    broken.cause("pause")
    assert broken.paused_until is not None
    await asyncio.wait_for(broken.around(listener.apply, cancelled()), 5)
    assert broken.paused_until is None


async def test_what_nobody_would_start_again_does_not_die() -> None:
    Faults(can_die=False).cause("kill")
    await asyncio.sleep(0.5)
