"""What whoever has the signing key can do with it: make tokens, and end them all."""

from __future__ import annotations

from typing import Final
from uuid import NAMESPACE_URL, uuid5

from ecshop.kernel.identity import Role
from entrypoints.settings import Settings
from entrypoints.signing_keys import key_of, replace_key

_SECONDS: Final = 900


def local_token(settings: Settings, role: Role) -> str:
    """Each role is a user of its own. Raises as `key_of`."""
    user_id = uuid5(NAMESPACE_URL, f"urn:ecshop:local:{role}")
    return key_of(settings).token_for_user(user_id, role, _SECONDS)


def revoke_key(settings: Settings) -> str:
    """Says which key signs from now on. Raises as `replace_key`."""
    return replace_key(settings).public.kid
