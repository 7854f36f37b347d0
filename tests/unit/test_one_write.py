"""The head and the body of an answer leave together."""

from __future__ import annotations

import asyncio
from typing import cast

from entrypoints.protocol import OneWrite
from tests.waiting import eventually_async


class Recorded:
    """What a transport was asked for, in its order."""

    def __init__(self) -> None:
        self.asked: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.asked.append(data)

    def close(self) -> None:
        self.asked.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.asked

    async def so_far(self) -> list[bytes | str]:
        return self.asked


def over(transport: Recorded) -> OneWrite:
    return OneWrite(cast(asyncio.Transport, transport), asyncio.get_running_loop())


async def test_a_head_and_the_body_that_follows_it_are_one_write() -> None:
    recorded = Recorded()
    transport = over(recorded)
    for answer in range(2):
        transport.write(b"head %d;" % answer)
        transport.write(b"body %d" % answer)
    assert recorded.asked == [b"head 0;body 0", b"head 1;body 1"]


async def test_a_head_whose_body_is_late_does_not_wait_for_it() -> None:
    recorded = Recorded()
    over(recorded).write(b"head")
    assert recorded.asked == []
    await eventually_async(recorded.so_far, [b"head"])


async def test_a_body_without_a_byte_lets_its_head_go() -> None:
    recorded = Recorded()
    transport = over(recorded)
    transport.write(b"head")
    transport.write(b"")
    assert recorded.asked == [b"head"]


async def test_what_is_held_goes_before_the_end() -> None:
    recorded = Recorded()
    transport = over(recorded)
    transport.write(b"head")
    transport.close()
    assert recorded.asked == [b"head", "closed"]
    assert transport.is_closing()
