"""Whoever pushes events, as Pub/Sub does: with tokens of an issuer whose keys are served for all to see."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from bench import patient
from ecshop.events.catalog import Event
from ecshop.events.envelope import to_bytes
from tests.events import seal

AUDIENCE, EMAIL = "https://stock.shop.test", "pusher@shop.iam.gserviceaccount.com"


class TokenIssuer:
    """Of OpenID Connect; `url` is its name, and its keys are at `keys_url`."""

    def __init__(self, url: str) -> None:
        self.url, self.keys_url = url, f"{url}/certs"
        self.key = generate_private_key(65537, 2048)
        self.published = {"known": self.key}

    def token(self, key: Any = None, algorithm: str = "RS256", kid: str = "known", **claims: Any) -> str:
        """A good one but for what is said; a claim that is None is left out."""
        now = int(time.time())
        good = {"iss": self.url, "aud": AUDIENCE, "sub": "1", "email": EMAIL, "email_verified": True}
        told = {**good, "iat": now, "exp": now + 300, **claims}
        wanted = {name: value for name, value in told.items() if value is not None}
        return jwt.encode(wanted, self.key if key is None else key, algorithm, headers={"kid": kid})

    def jwks(self) -> bytes:
        return json.dumps({"keys": [_public(kid, key) for kid, key in self.published.items()]}).encode()


def _public(kid: str, key: RSAPrivateKey) -> dict[str, str]:
    told: dict[str, str] = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**told, "kid": kid, "use": "sig", "alg": "RS256"}


@contextmanager
def token_issuer() -> Iterator[TokenIssuer]:
    class Certs(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = issuer.jwks()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Certs)
    issuer = TokenIssuer(f"http://127.0.0.1:{server.server_port}")
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


class Pusher:
    def __init__(self, address: str, prefix: str, issuer: TokenIssuer) -> None:
        self._url, self._prefix, self.issuer = f"{address}/internal/events", prefix, issuer

    def push(self, event: Event, *, token: str | None = None, seq: str = "1") -> httpx.Response:
        """Of the outbox of order, for stock."""
        envelope = seal(event)
        attributes = {"outbox": "order", "seq": seq, "event": envelope.id, "type": event.type}
        return self.send(self.body(to_bytes(envelope), attributes=attributes), token=token)

    def body(self, data: bytes, *, topic: str = "order-cancelled", **message: Any) -> dict[str, Any]:
        """As the documentation of Pub/Sub shows it, with what is of no use here."""
        id_ = uuid4().hex
        told = {"data": base64.b64encode(data).decode(), "messageId": id_, "message_id": id_, **message}
        subscription = f"projects/push/subscriptions/{self._prefix}{topic}-stock"
        return {"message": told, "subscription": subscription, "deliveryAttempt": 1}

    def send(self, body: object, *, token: str | None = None) -> httpx.Response:
        bearer = self.issuer.token() if token is None else token
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json", **({"authorization": f"Bearer {bearer}"} if bearer else {})}
        return patient.post(self._url, content=content, headers=headers)
