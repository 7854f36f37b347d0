"""Tokens that are none: damaged, forged, signed by others, or signed by the shop's own key and still not good."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_HOUR: Final = 3600
_ODD: Final[list[Any]] = [None, [], {}, True, 1.5, "", "\u0000", -1, 2**70]


class Forger:
    """Knows the shop's own key, as a leak of it would have it, and keys of its own."""

    def __init__(self, own: Ed25519PrivateKey, kid: str, public: str) -> None:
        self._own, self._kid, self._public = own, kid, public
        self._foreign = Ed25519PrivateKey.generate()
        self._by_algorithm: dict[str, Any] = {
            "EdDSA": self._foreign,
            "RS256": rsa.generate_private_key(65537, 2048),
            "PS256": rsa.generate_private_key(65537, 2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "HS256": public.ljust(64, "="),
            "HS384": public.ljust(64, "="),
            "HS512": public.ljust(64, "="),
            "none": None,
        }

    def all(self) -> Iterator[tuple[str, str]]:
        """Each with its name."""
        yield from self._signed_otherwise()
        yield from self._with_odd_headers()
        yield from self._with_odd_claims()
        yield from self._damaged()

    def good(self, **claims: Any) -> str:
        """By the right key, but for what is given."""
        return self._signed(self._own, "EdDSA", {}, claims)

    def _signed_otherwise(self) -> Iterator[tuple[str, str]]:
        for algorithm, key in self._by_algorithm.items():
            yield f"signed by {algorithm}", self._signed(key, algorithm, {}, {})
        header, claims, signature = self.good().split(".")
        for name in ("None", "NONE", "nOnE", ""):
            unsigned = _encoded({"alg": name, "typ": "at+jwt", "kid": self._kid})
            yield f"unsigned as {name!r}", f"{unsigned}.{claims}."
            yield f"signed, and called {name!r}", f"{unsigned}.{claims}.{signature}"
        yield "another's claims", f"{header}.{self.good(role='admin').split('.')[1]}.{signature}"

    def _with_odd_headers(self) -> Iterator[tuple[str, str]]:
        for kid in ("", "x", "../../signing_key.pem", "' OR 1=1 --", "k" * 500):
            yield f"key id {kid[:12]!r}", self._signed(self._own, "EdDSA", {"kid": kid}, {})
        for typ in ("JWT", "at+jwt2", "", "application/at+jwt;x"):
            yield f"type {typ!r}", self._signed(self._own, "EdDSA", {"typ": typ}, {})
        for name in ("jku", "x5u"):
            yield f"a key at {name}", self._signed(self._foreign, "EdDSA", {name: "http://127.0.0.1:9/keys"}, {})
        embedded = {"kty": "OKP", "crv": "Ed25519", "x": self._public}
        yield "a key in it", self._signed(self._foreign, "EdDSA", {"jwk": embedded}, {})
        yield "critical extensions", self._signed(self._own, "EdDSA", {"crit": ["exp2"], "exp2": 1}, {})

    def _with_odd_claims(self) -> Iterator[tuple[str, str]]:
        moment = int(time.time())
        for name in ("iss", "aud", "sub", "exp", "iat", "jti", "role"):
            yield f"without {name}", self._signed(self._own, "EdDSA", {}, {}, without=name)
        wrong: dict[str, list[Any]] = {
            "exp": [1, moment - 1, moment + 10 * _HOUR, str(moment + 60), float(moment + 60), 2**63],
            "iat": [moment + _HOUR, str(moment), moment - 2 * _HOUR],
            "nbf": [moment + _HOUR],
            "iss": ["another", "ECSHOP", ["ecshop"]],
            "aud": ["another", ["ecshop"], "ecshop.stock", ["ecshop", "another"]],
            "sub": ["admin", "1", "../x"],
            "role": ["owner", "ADMIN", "admin ", ["admin"]],
            "sid": ["x", "1"],
        }
        for name, values in wrong.items():
            for value in values:
                yield f"{name} is {str(value)[:20]}", self._raw({name: value})
        for name in ("sub", "role", "sid"):
            for value in _ODD:
                yield f"{name} is {value!r}", self._raw({name: value})

    def _damaged(self) -> Iterator[tuple[str, str]]:
        good = self.good()
        header, claims, signature = good.split(".")
        nested = base64.urlsafe_b64encode(b"[" * 900 + b"]" * 900).decode().rstrip("=")
        yield from {
            "nothing": "x",
            "dots alone": "..",
            "one part": header,
            "two parts": f"{header}.{claims}",
            "four parts": f"{good}.{signature}",
            "five parts": f"{good}.{signature}.{signature}",
            "a signature cut off": good[:-4],
            "a signature of nothing": f"{header}.{claims}.",
            "a signature of another length": f"{good}AAAA",
            "a bit of the signature turned": f"{header}.{claims}.{_turned(signature)}",
            "a bit of the claims turned": f"{header}.{_turned(claims)}.{signature}",
            "padded": f"{header}==.{claims}==.{signature}==",
            "in another alphabet": f"{header}.{claims}.{'+/' * 43}",
            "claims that are no JSON": f"{header}.{base64.urlsafe_b64encode(b'no').decode()}.{signature}",
            "a header that is no JSON": f"AAAA.{claims}.{signature}",
            "a header that is a list": f"{_encoded([])}.{claims}.{signature}",
            "a header of brackets": f"{nested}.{claims}.{signature}",
            "claims of brackets": f"{header}.{nested}.{signature}",
            "longer than is parsed": f"{header}.{'A' * 4000}.{signature}",
            "a page long": "A" * 12_000,
            "two of them": f"{good},{good}",
            "a refresh token": "er_" + "A" * 64,
            "a user name": "admin",
        }.items()

    def _raw(self, claims: dict[str, Any]) -> str:
        """As the library would not sign it."""
        content = f"{_encoded({'alg': 'EdDSA', 'typ': 'at+jwt', 'kid': self._kid})}.{_encoded(self._claims() | claims)}"
        signature = base64.urlsafe_b64encode(self._own.sign(content.encode())).decode().rstrip("=")
        return f"{content}.{signature}"

    def _claims(self) -> dict[str, Any]:
        moment = int(time.time())
        own = {"iss": "ecshop", "aud": "ecshop", "sub": str(uuid4()), "role": "admin", "jti": str(uuid4())}
        return {**own, "iat": moment, "exp": moment + 300}

    def _signed(
        self, key: Any, algorithm: str, headers: dict[str, Any], claims: dict[str, Any], without: str = ""
    ) -> str:
        whole = self._claims() | claims
        whole.pop(without, None)
        return jwt.encode(whole, key, algorithm=algorithm, headers={"kid": self._kid, "typ": "at+jwt", **headers})


def _turned(text: str) -> str:
    """With another letter in its middle."""
    middle = len(text) // 2
    return text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]


def _encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
