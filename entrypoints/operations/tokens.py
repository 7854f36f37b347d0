"""What whoever has the signing key can do with it: make tokens, and end them all."""

from __future__ import annotations

from typing import Final
from uuid import NAMESPACE_URL, uuid5

from ecshop.auth.keys import FILE, replace_signing_key, signing_key_in
from ecshop.kernel.identity import Role
from entrypoints.operations import NoShop
from entrypoints.settings import Settings

_SECONDS: Final = 900


def local_token(settings: Settings, role: Role) -> str:
    """Each role is a user of its own. Raises `NoShop`."""
    _require_key(settings)
    user_id = uuid5(NAMESPACE_URL, f"urn:ecshop:local:{role}")
    return signing_key_in(settings.folder).token_for_user(user_id, role, _SECONDS)


def revoke_key(settings: Settings) -> str:
    """Says which key signs from now on. Raises `NoShop` or `FileUnusable`."""
    _require_key(settings)
    return replace_signing_key(settings.folder).public.kid


def _require_key(settings: Settings) -> None:
    if not (settings.folder / FILE).exists():
        raise NoShop.at(settings.folder, "signing key")
