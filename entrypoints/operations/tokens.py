"""What whoever has the signing key can do with it: make tokens, replace it, and end them all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy.orm import Session

from ecshop.auth.key_ring import held_in, turned, with_next
from ecshop.auth.keys import new_key, read_key
from ecshop.events.audit import COMMAND_LINE, note
from ecshop.kernel.clock import now
from ecshop.kernel.file_lock import FileUnusable
from ecshop.kernel.identity import Role
from entrypoints.operations.shop_data import beside_the_shop
from entrypoints.settings import Settings
from entrypoints.signing_keys import edit_keys, key_of, pem_of, replace_key

_OWNERS_ALONE: Final = 0o600
_SECONDS: Final = 900
_PUBLISHED_FIRST: Final = 10.0  # seconds, in which every verifier has asked for keys five times


def local_token(settings: Settings, role: Role) -> str:
    """Each role is a user of its own. Raises as `key_of`."""
    user_id = uuid5(NAMESPACE_URL, f"urn:ecshop:local:{role}")
    return key_of(settings).token_for_user(user_id, role, _SECONDS)


def revoke_key(settings: Settings) -> str:
    """Says which key signs from now on. Raises as `replace_key`."""
    kid = replace_key(settings).public.kid
    _note(settings, "signing_key.revoked", kid)
    return kid


def client_key_in(file: Path) -> str:
    """The public part of the key in it, that a service signs with; one is made where there is none.

    Raises `FileUnusable` or `SigningKeyUnusable`.
    """
    try:
        with suppress(FileExistsError):
            file.touch(_OWNERS_ALONE, exist_ok=False)
            file.write_bytes(new_key())
        return read_key(file.read_bytes(), file).public.x
    except OSError as cause:
        raise FileUnusable.by(cause, file) from cause


def keys_there(settings: Settings) -> Iterator[str]:
    """A line for each, the one that signs first. Raises as `pem_of`."""
    for place, one in enumerate(held_in(pem_of(settings) or "")):
        kid = read_key(one.pem.encode(), "the place of the signing key").public.kid
        state = "signs" if not place else "is published, and signs next"
        yield f"{kid}  {f'retired at {one.retired:%Y-%m-%d %H:%M:%S}' if one.retired else state}"


def rotate_key(settings: Settings) -> Iterator[str]:
    """Says what it does, and does it meanwhile. Raises as `replace_key`."""
    edit_keys(settings, partial(with_next, pem=new_key().decode()))
    yield f"another key is published; it signs in {_PUBLISHED_FIRST:g} s, when everybody knows it"
    time.sleep(_PUBLISHED_FIRST)
    edit_keys(settings, partial(turned, moment=now()))
    kid = key_of(settings).public.kid
    _note(settings, "signing_key.rotated", kid)
    yield f"{kid} signs from now on; what the last one has signed stays good, nobody notices"


def _note(settings: Settings, action: str, kid: str) -> None:
    """After it was done: a key that has leaked is replaced whether or not that can be noted."""

    def run(session: Session) -> None:
        note(session, None, action, "signing key", after={"kid": kid}, role=COMMAND_LINE)

    beside_the_shop(settings, "auth", run)
