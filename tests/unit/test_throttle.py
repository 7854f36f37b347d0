"""Whoever guesses waits longer each time; nobody is locked out for good, and no owner by a stranger."""

from __future__ import annotations

import pytest

from ecshop.auth.contract import TooManyAttempts
from ecshop.auth.guesses import Guesses
from ecshop.auth.throttle import Throttle

FREE, LONGEST = 3, 60.0


class Clock:
    def __init__(self) -> None:
        self.moment = 1000.0

    def __call__(self) -> float:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(FREE, LONGEST, clock)


def test_the_first_attempts_are_free_and_each_further_one_waits_twice_as_long(throttle: Throttle, clock: Clock) -> None:
    assert [throttle.take("aoi") for _ in range(FREE)] == [0, 0, 0]
    waits = []
    for _ in range(8):
        waits.append(throttle.take("aoi"))
        clock.moment += waits[-1]
        assert throttle.take("aoi") == 0
    assert waits == [1, 2, 4, 8, 16, 32, LONGEST, LONGEST]


def test_waiting_is_enough_and_asking_meanwhile_makes_it_no_longer(throttle: Throttle, clock: Clock) -> None:
    for _ in range(FREE + 3):
        while wait := throttle.take("aoi"):
            assert throttle.take("aoi") == wait
            clock.moment += wait
    assert 0 < throttle.take("aoi") <= LONGEST


def test_what_was_not_tried_for_long_is_forgotten(throttle: Throttle, clock: Clock) -> None:
    for _ in range(FREE):
        throttle.take("aoi")
    clock.moment += 3 * LONGEST
    assert [throttle.take("aoi") for _ in range(FREE)] == [0, 0, 0]


def test_others_are_not_concerned(throttle: Throttle) -> None:
    for _ in range(10):
        throttle.take("aoi")
    assert throttle.take("hana") == 0


def test_ten_thousand_guesses_at_once_are_few_attempts(throttle: Throttle) -> None:
    assert [throttle.take("aoi") for _ in range(10_000)].count(0) == FREE


def test_an_owner_gets_in_from_where_he_was_while_strangers_guess() -> None:
    guesses = Guesses(FREE)
    guesses.begin("aoi", "192.0.2.1")
    guesses.succeeded("aoi", "192.0.2.1")
    for _ in range(FREE):
        guesses.begin("aoi", "198.51.100.7")
    with pytest.raises(TooManyAttempts) as refusal:
        guesses.begin("aoi", "198.51.100.7")
    assert refusal.value.fields == {"retry_after": 1}
    for _ in range(20):
        guesses.begin("aoi", "192.0.2.1")
        guesses.succeeded("aoi", "192.0.2.1")


def test_one_password_for_many_accounts_is_bounded_by_the_address() -> None:
    guesses = Guesses(FREE)
    for number in range(10 * FREE):
        guesses.begin(f"user{number}", "198.51.100.7")
    with pytest.raises(TooManyAttempts):
        guesses.begin("user1000", "198.51.100.7")
    guesses.begin("user0", "203.0.113.9")


def test_whoever_logs_in_well_uses_up_nothing() -> None:
    guesses = Guesses(FREE)
    for number in range(1000):
        guesses.begin(f"user{number}", "192.0.2.1")
        guesses.succeeded(f"user{number}", "192.0.2.1")


def test_an_account_of_ones_own_is_no_way_around_the_bound_of_an_address() -> None:
    guesses = Guesses(FREE)
    for number in range(10 * FREE - 1):
        guesses.begin(f"user{number}", "198.51.100.7")
    guesses.begin("own", "198.51.100.7")
    guesses.succeeded("own", "198.51.100.7")
    guesses.begin("user1000", "198.51.100.7")
    with pytest.raises(TooManyAttempts):
        guesses.begin("own", "198.51.100.7")
