"""Tokens for scripts of whoever can read the signing key."""

from __future__ import annotations

from typing import Final
from uuid import NAMESPACE_URL, uuid5

from ecshop.auth.keys import FILE, signing_key_in
from ecshop.kernel.identity import Role
from entrypoints.operations import NoShop
from entrypoints.settings import Settings

_SECONDS: Final = 900


def local_token(settings: Settings, role: Role) -> str:
    """Each role is a user of its own. Raises `NoShop`."""
    if not (settings.folder / FILE).exists():
        raise NoShop.at(settings.folder, "signing key")
    user_id = uuid5(NAMESPACE_URL, f"urn:ecshop:local:{role}")
    return signing_key_in(settings.folder).token_for_user(user_id, role, _SECONDS)
