"""The order protocol under sequences nobody thought of: a state machine for hypothesis, over real databases.

Its rules are what may happen to a shop, in any order. At the end everything settles, and the books must agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy.orm import Session

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.identity import Actor, Role
from ecshop.order.contract import Cancellation, NewOrder, OrderExpired, WantedLine
from ecshop.product.contract import NewProduct
from ecshop.stock import items
from ecshop.stock.contract import Adjustment, NewStock
from entrypoints.operations.doctor import Finding, compare, compare_stock
from tests.unit import protocol_books as books
from tests.unit.inline_database import at_once
from tests.unit.protocol_shop import FAILURES, STAFF, At, Attempt, ProtocolShop

T = TypeVar("T")

PRODUCTS: Final = (1, 2, 3)
UNITS: Final = 6
WALK_IN: Final = Actor(UUID(int=2), Role.CUSTOMER)
KEYED: Final = {"key": Actor(UUID(int=3), Role.CUSTOMER), "other key": Actor(UUID(int=4), Role.CUSTOMER)}
"""Each key is some buyer's only one: the orders of the buyer are those of the key."""
CONTEXTS: Final = ("product", "stock", "order")
ROUNDS: Final = 40

keys = st.sampled_from(("key", "other key", None))
products = st.sampled_from(PRODUCTS)
steps = st.sampled_from((2, 1, 3, 0, len(At)))
baskets = st.dictionaries(products, st.sampled_from((1, 2)), min_size=1, max_size=2)


class ProtocolMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.shop = ProtocolShop()
        self.under_way: list[Attempt] = []
        self.recorded: list[UUID] = []
        self.wanted: dict[str, NewOrder] = {}
        self.brought = Counter[int]()
        self.seen = self.passed = dict.fromkeys(self.shop.databases, 0)
        for product in PRODUCTS:
            at_once(self.shop.products.create(STAFF, NewProduct("Green tea", 1200)))
            self._register(product, UNITS)

    def teardown(self) -> None:
        self.settle()

    @rule(basket=baskets, key=keys, going=steps, again=st.booleans())
    def a_buyer_orders(self, basket: dict[int, int], key: str | None, going: int, again: bool) -> None:
        """The answer may take too long, so that it is asked for again."""
        new = NewOrder(tuple(WantedLine(product, quantity) for product, quantity in basket.items()))
        if key is not None:
            self.wanted.setdefault(key, new)
        self._place(new, key, going)
        if again:
            self._place(new, key, len(At))

    @precondition(lambda self: self.wanted)
    @rule(data=st.data(), going=steps)
    def a_buyer_repeats_the_order_of_a_key(self, data: st.DataObject, going: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.wanted)))
        self._place(self.wanted[key], key, going)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), going=steps)
    def an_attempt_goes_on(self, data: st.DataObject, going: int) -> None:
        attempt = data.draw(st.sampled_from(self.under_way))
        for _ in range(going + 1):
            if attempt.at is not None:
                attempt.go_on()

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), soon=st.booleans())
    def an_attempt_fails(self, data: st.DataObject, soon: bool) -> None:
        """What it holds is given back soon, or later."""
        attempt = data.draw(st.sampled_from(self.under_way))
        assert attempt.at is not None
        attempt.fail(data.draw(st.sampled_from(FAILURES[attempt.at]))())
        if soon and self.shop.has_to_give_back:
            self.shop.give_back()

    @precondition(lambda self: self.under_way)
    @rule()
    def order_crashes(self) -> None:
        for attempt in self.under_way:
            attempt.crash()
        self.under_way = []
        self.shop.restart_order()

    @precondition(lambda self: self.shop.has_to_give_back)
    @rule()
    def order_gives_back_what_came_to_nothing(self) -> None:
        self.shop.give_back()

    @precondition(lambda self: self.shop.wire.sent)
    @rule(data=st.data())
    def a_reserve_comes_late_or_again(self, data: st.DataObject) -> None:
        with suppress(EcshopError):
            at_once(self.shop.stock.reserve(*data.draw(st.sampled_from(self.shop.wire.sent[:-4:-1]))))

    @precondition(lambda self: self.shop.orders.late)
    @rule(data=st.data())
    def a_record_is_written_late(self, data: st.DataObject) -> None:
        self.shop.record_late(data.draw(st.sampled_from(self.shop.orders.late)))

    @precondition(lambda self: self.recorded)
    @rule(data=st.data(), end=st.sampled_from((Cancellation(), Cancellation(restock=False), None)))
    def an_order_is_cancelled_or_fulfilled(self, data: st.DataObject, end: Cancellation | None) -> None:
        order, service = data.draw(st.sampled_from(self.recorded)), self.shop.order
        with suppress(EcshopError):
            at_once(service.cancel(STAFF, order, end) if end else service.fulfil(STAFF, order))

    @rule(product=products, units=st.sampled_from(range(UNITS + 1)), anew=st.booleans())
    def staff_registers_stock(self, product: int, units: int, anew: bool) -> None:
        """Also of a product that was deleted since it was looked up; `anew` what is there is removed before."""
        with suppress(EcshopError):
            if anew:
                at_once(self.shop.stock.remove(STAFF, product))
            self._register(product, units)

    @rule(product=products, change=st.sampled_from(("more", "less", "more", "removed", "deleted")))
    def goods_change(self, product: int, change: str) -> None:
        shop = self.shop
        with suppress(EcshopError):
            if change == "removed":
                at_once(shop.stock.remove(STAFF, product))
            elif change == "deleted":
                at_once(shop.products.delete(STAFF, product))
            else:
                delta = 1 if change == "more" else -1
                at_once(shop.stock.adjust(STAFF, product, Adjustment(delta, "counted")))
                self.brought[product] += delta

    @rule(name=st.sampled_from(CONTEXTS), looks=st.booleans())
    def a_relay_publishes(self, name: str, looks: bool) -> None:
        """It may also look for what is published and not heard."""
        relay = self.shop.relays[name]
        (relay.step if looks else relay.publish)()

    @precondition(lambda self: self.shop.broker.in_hand())
    @rule(data=st.data(), answered=st.booleans())
    def events_are_delivered_late_twice_or_out_of_order(self, data: st.DataObject, answered: bool) -> None:
        handouts = st.lists(st.sampled_from(self.shop.broker.in_hand()), min_size=1, max_size=6)
        at_once(self.shop.broker.deliver(data.draw(handouts), answered=answered))

    @precondition(lambda self: self.seen != self.passed)
    @rule()
    def what_is_on_its_way_arrives(self) -> None:
        self.passed = self.seen
        self.shop.pass_on()

    @precondition(lambda self: self.shop.broker.waiting())
    @rule(data=st.data())
    def a_listener_gives_an_event_up(self, data: st.DataObject) -> None:
        handout = data.draw(st.sampled_from(self.shop.broker.waiting()))
        self.shop.databases[handout.group].fails = True
        at_once(self.shop.broker.deliver([handout]))
        self.shop.databases[handout.group].fails = False

    @precondition(lambda self: self.shop.broker.waiting())
    @rule(data=st.data(), what=st.sampled_from(("lose_stream", "lose_receipts", "set_forward")))
    def the_broker_forgets(self, data: st.DataObject, what: str) -> None:
        sources = sorted({handout.entry.source for handout in self.shop.broker.waiting()})
        getattr(self.shop.broker, what)(data.draw(st.sampled_from(sources)))

    @precondition(lambda self: self.shop.wire.sent)
    @rule(days=st.booleans())
    def time_runs_out(self, days: bool) -> None:
        """For what is reserved; within days an operator looks at the dead letters, and what was heard is purged."""
        self.shop.time_runs_out()
        if days:
            self.shop.replay()
            self.shop.purge()

    @invariant()
    def nothing_is_wrong_at_any_moment(self) -> None:
        self.under_way = [attempt for attempt in self.under_way if attempt.at is not None]
        before, self.seen = self.seen, {name: database.commits for name, database in self.shop.databases.items()}
        if before["order"] != self.seen["order"]:
            self.recorded = self._read("order", books.recorded)
            buyers = self._read("order", books.buyers)
            assert all(buyers[buyer.user_id] <= 1 for buyer in KEYED.values()), "a key placed two orders"
        if before["stock"] != self.seen["stock"]:
            _assert_none(compare_stock(self._read))
            assert not set(self._read("stock", books.held)) & self._withdrawn(), "what was withdrawn is held again"
        if before != self.seen:
            assert min(self._left().values()) >= 0, f"more is sold than there was: {self._left()}"
            assert all(times == 1 for times in self.shop.told.values()), "a fact was told twice"

    def settle(self) -> None:
        for attempt in self.under_way:
            attempt.end()
        if self.shop.has_to_give_back:
            self.shop.give_back()
        self._let_events_pass()
        for key, new in self.wanted.items():
            outcome = self.shop.place(KEYED[key], new, key).end()
            assert not isinstance(outcome, OrderExpired), f"{key} cannot be used again"
        self._let_events_pass()
        self.nothing_is_wrong_at_any_moment()
        _assert_none(compare(self._read, list(self.shop.databases)))
        left, on_hand = self._left(), self._read("stock", books.on_hand)
        assert {product: left[product] for product in on_hand} == on_hand, "units are mislaid"
        assert self.shop.told == self._read("order", books.facts), "not every fact was told"

    def _register(self, product: int, units: int) -> None:
        with self.shop.databases["stock"].transaction() as session:
            items.register(session, STAFF, NewStock(product, units))
        self.brought[product] += units

    def _place(self, new: NewOrder, key: str | None, going: int) -> None:
        attempt = self.shop.place(KEYED[key] if key else WALK_IN, new, key)
        for _ in range(going):
            if attempt.at is not None:
                attempt.go_on()
        self.under_way.append(attempt)

    def _let_events_pass(self) -> None:
        for _ in range(ROUNDS):
            self.shop.replay()
            self.shop.pass_on()
            self.shop.time_runs_out()
            if self._is_quiet():
                return
        _assert_none(compare(self._read, list(self.shop.databases)))
        raise AssertionError("units are held for ever")

    def _is_quiet(self) -> bool:
        unheard = any(self._read(name, books.unheard) for name in self.shop.databases)
        return not unheard and not self._read("stock", books.held)

    def _read(self, context: str, fn: Callable[[Session], T], /) -> T:
        return at_once(self.shop.databases[context].read(fn))

    def _withdrawn(self) -> set[tuple[UUID, int]]:
        """The attempts that are withdrawn and the only ones of their orders."""
        wire = self.shop.wire
        return {one for one in wire.withdrawn if wire.attempts[one[0]] == {one[1]}}

    def _left(self) -> Counter[int]:
        """What must be there, by what was brought, struck off and sold, whatever stock's reservations say."""
        left = Counter(self.brought)
        left.subtract(self._read("order", books.gone))
        left.update(self._read("stock", books.struck_off))
        return left


_HASTE: Final = (
    "a_buyer_orders",
    "an_attempt_fails",
    "order_gives_back_what_came_to_nothing",
    "a_reserve_comes_late_or_again",
)
_DELAYS: Final = (
    "a_buyer_repeats_the_order_of_a_key",
    "an_attempt_goes_on",
    "order_crashes",
    "a_record_is_written_late",
    "what_is_on_its_way_arrives",
    "time_runs_out",
)
_EVENTS: Final = (
    "a_buyer_orders",
    "an_order_is_cancelled_or_fulfilled",
    "a_relay_publishes",
    "events_are_delivered_late_twice_or_out_of_order",
)
_GOODS: Final = ("staff_registers_stock", "goods_change")
_LOSSES: Final = ("a_listener_gives_an_event_up", "the_broker_forgets", "time_runs_out")


def _only(*rules: str) -> type[ProtocolMachine]:
    """A machine that goes further into what these rules make of each other."""
    known = {name for name, member in vars(ProtocolMachine).items() if hasattr(member, "hypothesis_stateful_rule")}
    assert known >= set(rules), "there is no such rule"
    return type("ProtocolMachine", (ProtocolMachine,), dict.fromkeys(known - set(rules)))


Haste, Delays = _only(*_HASTE), _only(*_HASTE, *_DELAYS)
Goods, Losses = _only(*_EVENTS, *_GOODS), _only(*_EVENTS, *_LOSSES)


def _assert_none(findings: Iterable[Finding]) -> None:
    found = [str(finding) for finding in findings]
    assert not found, "; ".join(found)
