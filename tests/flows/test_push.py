"""Events that Pub/Sub pushes to a service: who may push, and what becomes of what is pushed."""

from __future__ import annotations

import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from bench import patient
from bench.server import running
from ecshop.events.catalog import OrderCancelled, OrderConfirmed, OrderedUnits
from ecshop.events.envelope import to_bytes
from ecshop.events.tables import DeadLetter
from ecshop.stock.models import ReservationRow
from entrypoints.operations.shop_data import beside_the_shop
from entrypoints.settings import Settings
from tests.events import seal
from tests.flows.pushing import AUDIENCE, EMAIL, Pusher, TokenIssuer, token_issuer
from tests.flows.refusals import assert_refused

Token = Callable[[TokenIssuer], str]


@pytest.fixture(scope="module")
def issuer() -> Iterator[TokenIssuer]:
    with token_issuer() as running:
        yield running


@pytest.fixture(scope="module")
def settings(pubsub_host: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        data_dir=str(tmp_path_factory.mktemp("push")), bus="pubsub", pubsub_emulator_host=pubsub_host, shop_id="push"
    )


@pytest.fixture(scope="module")
def pusher(settings: Settings, issuer: TokenIssuer) -> Iterator[Pusher]:
    """At a stock that is pushed what it listens to."""
    environment = {
        "ECSHOP_BUS": "pubsub",
        "ECSHOP_SHOP_ID": settings.shop_id,
        "PUBSUB_EMULATOR_HOST": settings.pubsub_emulator_host,
        "ECSHOP_PUSH_AUDIENCE": AUDIENCE,
        "ECSHOP_PUSH_EMAIL": EMAIL,
        "ECSHOP_PUSH_ISSUER": issuer.url,
        "ECSHOP_PUSH_KEYS_URL": issuer.keys_url,
    }
    command = ("ecshop", "serve", "stock", "--port", "0")
    with running(settings.folder, *command, contexts=["stock"], **environment) as server:
        yield Pusher(server.url("stock"), "ecshop-push-", issuer)


def _receipts(settings: Settings) -> list[dict[str, str]]:
    """What waits for the relay of order, as the emulator tells it by HTTP."""
    subscription = f"projects/ecshop/subscriptions/ecshop-{settings.shop_id}-receipts-order"
    pull = f"http://{settings.pubsub_emulator_host}/v1/{subscription}:pull"
    told = patient.post(pull, json={"maxMessages": 100, "returnImmediately": True}).raise_for_status().json()
    return [one["message"]["attributes"] for one in told.get("receivedMessages", ())]


def _state(settings: Settings, order: OrderCancelled) -> str | None:
    query = select(ReservationRow.state).where(ReservationRow.order_id == order.order_id)
    return beside_the_shop(settings, "stock", lambda session: session.scalar(query))


def _letters(settings: Settings) -> list[str]:
    return beside_the_shop(settings, "stock", lambda session: list(session.scalars(select(DeadLetter.error))))


def test_what_is_pushed_is_applied_and_its_outbox_is_told(pusher: Pusher, settings: Settings) -> None:
    event = OrderCancelled(uuid4(), 1)
    answer = pusher.push(event, seq="4711")
    assert (answer.status_code, answer.content) == (204, b"")
    assert _state(settings, event) == "released"
    [receipt] = [one for one in _receipts(settings) if one["seq"] == "4711"]  # others are of other tests
    assert (receipt["outbox"], receipt["listener"]) == ("order", "stock")


def test_what_is_pushed_twice_is_done_with_twice_and_applied_once(pusher: Pusher, settings: Settings) -> None:
    event = OrderCancelled(uuid4(), 1)
    assert [pusher.push(event).status_code for _ in range(2)] == [204, 204]
    assert _state(settings, event) == "released"


def test_what_fails_is_to_be_pushed_again_and_is_a_dead_letter_in_the_end(pusher: Pusher, settings: Settings) -> None:
    event = OrderConfirmed(uuid4(), 1, uuid4(), (OrderedUnits(1, 1),), 100, "EUR")
    body = pusher.body(to_bytes(seal(event)), topic="order-confirmed")
    answers = [pusher.send(body) for _ in range(6)]
    assert_refused(answers[0], 503, "bus.event_postponed")
    assert answers[0].headers["retry-after"]
    assert [answer.status_code for answer in answers] == [503] * 5 + [204]
    assert [error for error in _letters(settings) if str(event.order_id) in error]


def test_what_is_no_event_is_a_dead_letter_at_once(pusher: Pusher, settings: Settings) -> None:
    before = len(_letters(settings))
    assert pusher.send(pusher.body(b"no event")).status_code == 204
    assert len(_letters(settings)) == before + 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "request.malformed"),
        (b"\xff", "request.malformed"),
        (b"[" * 5000, "request.invalid"),
        (b"", "request.invalid"),
        (b"[]", "request.invalid"),
        (b"{}", "request.invalid"),
        (b'{"message": {}, "subscription": ""}', "request.invalid"),
        (b'{"message": {"messageId": 1}, "subscription": ""}', "request.invalid"),
        (b'{"message": {"messageId": "1", "data": "***"}, "subscription": ""}', "request.invalid"),
    ],
)
def test_what_is_no_push_is_refused(pusher: Pusher, body: bytes, code: str) -> None:
    assert_refused(pusher.send(body), 400, code)


def test_what_is_too_large_is_refused(pusher: Pusher) -> None:
    assert_refused(pusher.send(pusher.body(b"x" * 64 * 1024)), 413, "request.too_large")


def test_a_subscription_of_nobody_here_is_refused(pusher: Pusher) -> None:
    assert_refused(pusher.send(pusher.body(b"", topic="stock-depleted")), 404, "bus.subscription_unknown")


STRANGER = generate_private_key(65537, 2048)


def _signed_with_the_public_key(issuer: TokenIssuer) -> str:
    """As an HMAC, which a verifier that takes any algorithm would believe (RFC 8725, section 2.1)."""
    _, claims, _ = issuer.token().split(".")
    header = urlsafe_b64encode(b'{"alg": "HS256", "kid": "known"}').decode().rstrip("=")
    signed = f"{header}.{claims}"
    pem = issuer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return f"{signed}.{urlsafe_b64encode(hmac.digest(pem, signed.encode(), 'sha256')).decode().rstrip('=')}"


BAD_TOKENS: dict[str, Token] = {
    "none": lambda _: "",
    "no token at all": lambda _: "a.b.c",
    "signed by a stranger": lambda issuer: issuer.token(STRANGER),
    "signed with a key that nobody knows": lambda issuer: issuer.token(STRANGER, kid="strange"),
    "not signed": lambda issuer: issuer.token(key="", algorithm="none"),
    "signed as an HMAC": _signed_with_the_public_key,
    "expired": lambda issuer: issuer.token(iat=int(time.time()) - 900, exp=int(time.time()) - 600),
    "of the future": lambda issuer: issuer.token(iat=int(time.time()) + 600),
    "without an end": lambda issuer: issuer.token(exp=None),
    "of another issuer": lambda issuer: issuer.token(iss="https://accounts.example.com"),
    "for somebody else": lambda issuer: issuer.token(aud="https://order.shop.test"),
    "for several": lambda issuer: issuer.token(aud=[AUDIENCE, "https://order.shop.test"]),
    "for nobody": lambda issuer: issuer.token(aud=None),
    "of nobody": lambda issuer: issuer.token(email=None),
    "without a subject": lambda issuer: issuer.token(sub=None),
    "too long": lambda issuer: issuer.token(more="x" * 5000),
}


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
def test_a_push_with_a_bad_token_changes_nothing(pusher: Pusher, settings: Settings, token: Token) -> None:
    event = OrderCancelled(uuid4(), 1)
    assert_refused(pusher.push(event, token=token(pusher.issuer)), 401, "auth.unauthenticated")
    assert _state(settings, event) is None


@pytest.mark.parametrize(
    "claims", [{"email": "another@shop.iam.gserviceaccount.com"}, {"email_verified": False}, {"email_verified": None}]
)
def test_a_push_of_another_account_changes_nothing(pusher: Pusher, settings: Settings, claims: dict[str, Any]) -> None:
    event = OrderCancelled(uuid4(), 1)
    assert_refused(pusher.push(event, token=pusher.issuer.token(**claims)), 403, "auth.forbidden")
    assert _state(settings, event) is None


def test_a_key_that_is_published_later_is_found(pusher: Pusher) -> None:
    fresh = generate_private_key(65537, 2048)
    pusher.issuer.published["fresh"] = fresh
    deadline = time.monotonic() + 15

    def answer() -> httpx.Response:
        return pusher.push(OrderCancelled(uuid4(), 1), token=pusher.issuer.token(fresh, kid="fresh"))

    while answer().status_code != 204:
        assert time.monotonic() < deadline
