"""The signing key and the tokens it signs."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from uuid_utils.compat import uuid7

from ecshop.auth.key_file import FILE, signing_key_in
from ecshop.auth.keys import SigningKey, SigningKeyUnusable
from ecshop.kernel.identity import Role


def _unpacked(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
    return json.loads(header), json.loads(claims)


def test_the_key_is_made_on_first_use_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    signing_key_in(tmp_path / "new" / "folder")
    file = tmp_path / "new" / "folder" / FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert isinstance(load_pem_private_key(file.read_bytes(), None), Ed25519PrivateKey)


def test_the_second_use_reads_the_same_key(tmp_path: Path) -> None:
    assert signing_key_in(tmp_path).public == signing_key_in(tmp_path).public


def test_making_the_key_leaves_no_other_file(tmp_path: Path) -> None:
    signing_key_in(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_two_folders_have_two_keys(tmp_path: Path) -> None:
    assert signing_key_in(tmp_path / "one").public.kid != signing_key_in(tmp_path / "two").public.kid


def test_processes_that_make_the_key_at_the_same_time_agree_on_one(tmp_path: Path) -> None:
    making = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ecshop.auth.key_file import signing_key_in\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "print(signing_key_in(Path(sys.argv[1])).public.kid)\n"
    )
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", making, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for maker in makers:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "ready\n"
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("go\n")
        maker.stdin.flush()
    kids = {maker.communicate(timeout=10)[0].strip() for maker in makers}
    assert kids == {signing_key_in(tmp_path).public.kid}
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_a_file_with_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    other = generate_private_key(65537, 2048)
    (tmp_path / FILE).write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(SigningKeyUnusable, match="another kind than Ed25519"):
        signing_key_in(tmp_path)


def test_the_key_id_is_the_thumbprint_of_rfc_7638() -> None:
    key = SigningKey(Ed25519PrivateKey.generate())
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": key.public.x}, separators=(",", ":"), sort_keys=True)
    digest = hashlib.sha256(members.encode()).digest()
    assert key.public.kid == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_the_thumbprint_of_the_key_in_rfc_8037_is_the_one_given_there() -> None:
    secret = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    key = SigningKey(Ed25519PrivateKey.from_private_bytes(secret))
    assert key.public.x == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    assert key.public.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_only_the_public_half_is_published() -> None:
    [public] = SigningKey(Ed25519PrivateKey.generate()).jwks.keys
    assert set(public.__struct_fields__) == {"kid", "x", "kty", "crv", "use", "alg"}
    assert (public.kty, public.crv, public.use, public.alg) == ("OKP", "Ed25519", "sig", "EdDSA")


def test_a_persons_token_follows_rfc_9068() -> None:
    key, user_id, before = SigningKey(Ed25519PrivateKey.generate()), uuid7(), int(time.time())
    header, claims = _unpacked(key.token_for_user(user_id, Role.STAFF, 60))
    assert header == {"alg": "EdDSA", "kid": key.public.kid, "typ": "at+jwt"}
    assert set(claims) == {"iss", "aud", "sub", "iat", "exp", "jti", "role"}
    assert (claims["iss"], claims["aud"], claims["sub"]) == ("ecshop", "ecshop", str(user_id))
    assert claims["role"] == "staff"
    assert before <= claims["iat"] <= time.time()
    assert claims["exp"] == claims["iat"] + 60


def test_a_services_token_is_for_its_callee_and_names_its_scopes() -> None:
    key = SigningKey(Ed25519PrivateKey.generate())
    header, claims = _unpacked(key.token_for_service("order", "ecshop.stock", "stock.reserve", 60))
    assert header == {"alg": "EdDSA", "kid": key.public.kid, "typ": "at+jwt"}
    assert (claims["sub"], claims["aud"], claims["scope"]) == ("order", "ecshop.stock", "stock.reserve")
    assert "role" not in claims


def test_no_two_tokens_have_the_same_id() -> None:
    key, user_id = SigningKey(Ed25519PrivateKey.generate()), uuid7()
    ids = {_unpacked(key.token_for_user(user_id, Role.CUSTOMER, 60))[1]["jti"] for _ in range(50)}
    assert len(ids) == 50
    assert all(UUID(each).version == 7 for each in ids)


def test_anybody_can_verify_a_token_by_the_published_key() -> None:
    key, user_id = SigningKey(Ed25519PrivateKey.generate()), uuid7()
    public = {name: getattr(key.public, name) for name in key.public.__struct_fields__}
    claims = jwt.decode(key.token_for_user(user_id, Role.CUSTOMER, 60), jwt.PyJWK(public), ["EdDSA"], audience="ecshop")
    assert claims["sub"] == str(user_id)
