"""Requests as bytes: good ones of every kind, from which a fuzzer begins, and odd ones that it once took to find."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_JSON: Final = b"content-type: application/json\r\n"
_GET: Final = b"GET /products HTTP/1.1\r\nhost: shop\r\n"
_POST: Final = b"POST /categories HTTP/1.1\r\nhost: shop\r\n"
_FORM: Final = b"content-type: application/x-www-form-urlencoded\r\n"


def good(token: str) -> Iterator[bytes]:
    """Whose answers are 2xx or a refusal of what they ask for."""
    signed = b"authorization: Bearer " + token.encode() + b"\r\n"
    for path in (
        b"/products?q=te&sort=-price&limit=5",
        b"/products/1",
        b"/products?in_stock=true&category_id=1&updated_after=2026-01-31T12:00:00Z",
        b"/categories",
        b"/stock?limit=3",
        b"/stock/1/movements",
        b"/orders?status=confirmed&product_id=1",
        b"/orders/01a208cf-ca8f-7408-a679-bf3a1688dcc1",
        b"/auth/me",
        b"/auth/sessions",
        b"/users?q=a&role=staff",
        b"/audit/order?action=order.cancelled",
        b"/health/ready",
        b"/metrics",
        b"/docs",
        b"/docs/openapi.json",
        b"/.well-known/jwks.json",
        b"/auth/ended-sessions?since=2026-01-31T12:00:00Z",
    ):
        yield _request(b"GET", path, signed)
    for method, path, body in (
        (b"POST", b"/products", b'{"name": "Tea", "price": 1200, "detail": "First flush", "category_id": null}'),
        (b"PUT", b"/products/1", b'{"price": 1300}'),
        (b"POST", b"/categories", b'{"name": "Tea"}'),
        (b"POST", b"/stock", b'{"product_id": 1, "stock": 5}'),
        (b"PUT", b"/stock/1", b'{"stock": 50}'),
        (b"POST", b"/stock/1/adjustments", b'{"delta": 3, "reason": "delivery"}'),
        (b"POST", b"/orders", b'{"lines": [{"product_id": 1, "quantity": 1}], "expected_total": 1200}'),
        (b"POST", b"/orders/01a208cf-ca8f-7408-a679-bf3a1688dcc1/cancel", b'{"reason": "broken", "restock": false}'),
        (b"POST", b"/auth/refresh", b'{"refresh_token": "er_AAAA"}'),
        (b"POST", b"/auth/password", b'{"current_password": "x", "new_password": "another horse battery"}'),
        (b"PUT", b"/users/01a208cf-ca8f-7408-a679-bf3a1688dcc1", b'{"role": "staff", "disabled": false}'),
    ):
        conditions = b'idempotency-key: "k1"\r\nif-match: "abc"\r\n' if method == b"PUT" else b""
        yield _request(method, path, signed + _JSON + conditions, body)
    yield _request(b"POST", b"/order?product_id=1&quantity=1", signed + b"idempotency-key: k1\r\n", b"")
    yield _request(b"DELETE", b"/stock/999", signed)
    chunked = b"transfer-encoding: chunked\r\n" + signed + _JSON
    yield b"POST /categories HTTP/1.1\r\nhost: shop\r\n" + chunked + b'\r\n10\r\n{"name": "Cups"}\r\n0\r\n\r\n'
    yield _request(b"OPTIONS", b"/products", signed)
    yield _request(b"HEAD", b"/products", signed)


ODD: Final[dict[str, bytes]] = {
    "nothing but line ends": b"\r\n\r\n\r\n",
    "a line feed alone": b"GET /products HTTP/1.1\nhost: shop\n\n",
    "no version": b"GET /products\r\n\r\n",
    "version 0.9": b"GET /products HTTP/0.9\r\nhost: shop\r\n\r\n",
    "version 1.0": b"GET /products HTTP/1.0\r\n\r\n",
    "version 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "version 9.9": b"GET /products HTTP/9.9\r\nhost: shop\r\n\r\n",
    "TLS where there is none": bytes.fromhex("1603010200010001fc0303") + bytes(200),
    "a method that nobody knows": b"BREW /products HTTP/1.1\r\nhost: shop\r\n\r\n",
    "connect": b"CONNECT shop:443 HTTP/1.1\r\nhost: shop\r\n\r\n",
    "an upgrade": _GET + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n",
    "an upgrade to HTTP 2": _GET + b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\n\r\n",
    "an absolute path": b"GET http://other/products HTTP/1.1\r\nhost: shop\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nhost: shop\r\n\r\n",
    "no path": b"GET ? HTTP/1.1\r\nhost: shop\r\n\r\n",
    "a fragment": b"GET /products#x HTTP/1.1\r\nhost: shop\r\n\r\n",
    "dots": b"GET /products/../../etc/passwd HTTP/1.1\r\nhost: shop\r\n\r\n",
    "dots that are encoded": b"GET /docs/assets/%2e%2e%2f%2e%2e%2fapp.py HTTP/1.1\r\nhost: shop\r\n\r\n",
    "a NUL that is encoded": b"GET /products/%00 HTTP/1.1\r\nhost: shop\r\n\r\n",
    "half an escape": b"GET /products?q=%E3%81 HTTP/1.1\r\nhost: shop\r\n\r\n",
    "a surrogate": b"GET /products?q=%ED%A0%80 HTTP/1.1\r\nhost: shop\r\n\r\n",
    "bytes that are no letters": b"GET /products?q=\xff\xfe HTTP/1.1\r\nhost: shop\r\n\r\n",
    "no host": b"GET /products HTTP/1.1\r\n\r\n",
    "two hosts": _GET + b"host: other\r\n\r\n",
    "a host of spaces": b"GET /products HTTP/1.1\r\nhost:   \r\n\r\n",
    "a port that is no number": b"POST /auth/login HTTP/1.1\r\nhost: sho:p\r\n\r\n",
    "a port beyond all": b"POST /auth/login HTTP/1.1\r\nhost: shop:65536\r\n\r\n",
    "half an address": b"POST /auth/login HTTP/1.1\r\nhost: [::\r\n\r\n",
    "a host that is none": b"GET /products HTTP/1.1\r\nhost: a b@c:99999\r\n\r\n",
    "two tokens": b"GET /orders HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n",
    "a folded header": _GET + b"x-a: b\r\n c\r\n\r\n",
    "a space before the colon": _GET + b"x-a : b\r\n\r\n",
    "a header without a name": _GET + b": b\r\n\r\n",
    "a NUL in a header": _GET + b"x-a: b\x00c\r\n\r\n",
    "two lengths": _POST + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}x",
    "a length and chunks": _POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a negative length": _POST + b"content-length: -1\r\n\r\n",
    "a length with a sign": _POST + b"content-length: +2\r\n\r\n{}",
    "a length that is no number": _POST + b"content-length: 0x2\r\n\r\n{}",
    "a length beyond all numbers": _POST + b"content-length: " + b"9" * 40 + b"\r\n\r\n",
    "chunks of another coding": _POST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a chunk that is too long for its size": _POST + b"transfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "a chunk of a size beyond all numbers": _POST + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "a body that is compressed": _POST + b"content-encoding: gzip\r\ncontent-length: 2\r\n" + _JSON + b"\r\n\x1f\x8b",
    "a form with a name twice": b"POST /auth/login HTTP/1.1\r\nhost: shop\r\ncontent-length: 21\r\n"
    + _FORM
    + b"\r\nusername=a&username=b",
    "expectations": _POST + b"expect: 200-ok\r\ncontent-length: 2\r\n\r\n{}",
    "two requests in one": _GET + b"\r\nGET /stock HTTP/1.1\r\nhost: shop\r\n\r\n",
}


def _request(method: bytes, path: bytes, headers: bytes, body: bytes | None = None) -> bytes:
    length = b"" if body is None else b"content-length: %d\r\n" % len(body)
    return method + b" " + path + b" HTTP/1.1\r\nhost: shop\r\n" + headers + length + b"\r\n" + (body or b"")
