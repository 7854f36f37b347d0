"""Keys that are replaced and nobody notices: the next one is known before it signs, the last one while it matters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ecshop.auth.key_ring import held_in, turned, with_next
from ecshop.auth.keys import SigningKeyUnusable, new_key, read_key


def ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)


def fresh() -> str:
    return new_key().decode()


def kid(pem: str) -> str:
    return read_key(pem.encode(), "the test").public.kid


def published(text: str) -> list[str]:
    return [key.kid for key in read_key(text.encode(), "the test").jwks.keys]


def test_one_key_signs_and_is_published() -> None:
    text = fresh()
    assert published(text) == [kid(text)]


def test_the_next_key_is_published_before_it_signs_and_the_last_one_after_it() -> None:
    first, second = fresh(), fresh()
    both = with_next(first, second)
    assert kid(both) == kid(first)
    assert published(both) == [kid(first), kid(second)]
    after = turned(both, ago())
    assert kid(after) == kid(second)
    assert published(after) == [kid(second), kid(first)]


def test_a_rotation_that_was_broken_off_goes_on_with_the_key_that_is_known_already() -> None:
    first, second = fresh(), fresh()
    both = with_next(first, second)
    assert with_next(both, fresh()) == both


def test_a_key_that_retired_is_published_until_no_token_of_it_can_be_good() -> None:
    text = turned(with_next(fresh(), fresh()), ago(minutes=60))
    assert len(published(text)) == 2
    text = turned(with_next(fresh(), fresh()), ago(minutes=62))
    assert len(published(text)) == 1


def test_what_retired_long_ago_is_left_out_by_the_next_rotation() -> None:
    text = fresh()
    for hours in (30, 20, 10, 0):
        text = turned(with_next(text, fresh()), ago(hours=hours))
    assert [one.retired is None for one in held_in(text)] == [True, False]


@pytest.mark.parametrize(
    "spoil", [lambda _: "", lambda _: "no key", lambda t: f"retired: never\n{t}", lambda t: t[:80]]
)
def test_what_is_no_key_is_refused(spoil: Callable[[str], str]) -> None:
    with pytest.raises(SigningKeyUnusable):
        read_key(spoil(fresh()).encode(), "the test")
