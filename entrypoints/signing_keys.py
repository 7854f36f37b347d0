"""Where the shop's signing key is: given, in auth's database on a server, or in a file of the data folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ecshop.auth.key_file import FILE, KeyOfFolder, replace_signing_key, signing_key_in, take_signing_key
from ecshop.auth.key_table import KeyOfDatabase, keep_signing_key, pem_in, replace_signing_key_of, signing_key_of
from ecshop.auth.keys import GivenKey, KeyInUse, SigningKey, SigningKeyUnusable, read_key
from ecshop.kernel.db.database import Database
from entrypoints.operations import NoShop
from entrypoints.operations.shop_data import beside_the_shop
from entrypoints.settings import Settings

_VARIABLE: Final = "ECSHOP_SIGNING_KEY"
_AUTH: Final = "auth"


def key_in_use(settings: Settings, database: Database) -> KeyInUse:
    """For a running auth, whose `database` this is. Raises `SigningKeyUnusable` or `FileUnusable`."""
    if settings.signing_key:
        return GivenKey(settings.signing_key, _VARIABLE)
    return KeyOfDatabase(database) if settings.server_of(_AUTH) else KeyOfFolder(settings.folder)


def key_of(settings: Settings) -> SigningKey:
    """For a command beside the shop. Raises `NoShop`, `SigningKeyUnusable`, `FileUnusable` or `DatabaseUnusable`."""
    if settings.signing_key:
        return read_key(settings.signing_key.encode(), _VARIABLE)
    if settings.server_of(_AUTH):
        return beside_the_shop(settings, _AUTH, signing_key_of)
    _require_file(settings)
    return signing_key_in(settings.folder)


def pem_of(settings: Settings) -> str | None:
    """The private key itself; None before one was made. Raises as `key_of`."""
    if settings.signing_key:
        return settings.signing_key
    if settings.server_of(_AUTH):
        return beside_the_shop(settings, _AUTH, pem_in)
    file = settings.folder / FILE
    return file.read_text() if file.exists() else None


def replace_key(settings: Settings) -> SigningKey:
    """Raises as `key_of`, and `SigningKeyUnusable` for one that is given."""
    if settings.signing_key:
        raise SigningKeyUnusable(f"the key is given by {_VARIABLE}: give another one, and start auth anew")
    if settings.server_of(_AUTH):
        return beside_the_shop(settings, _AUTH, replace_signing_key_of)
    _require_file(settings)
    return replace_signing_key(settings.folder)


def edit_keys(settings: Settings, edit: Callable[[str], str]) -> None:
    """Of a text with keys in it make another one. Raises as `replace_key`."""
    if settings.signing_key:
        raise SigningKeyUnusable(f"the keys are given by {_VARIABLE}: give others, and start auth anew")
    if settings.server_of(_AUTH):
        beside_the_shop(settings, _AUTH, lambda session: keep_signing_key(session, edit(pem_in(session) or "")))
        return
    _require_file(settings)
    take_signing_key(settings.folder, edit((settings.folder / FILE).read_text()).encode())


def _require_file(settings: Settings) -> None:
    if not (settings.folder / FILE).exists():
        raise NoShop.at(settings.folder, "signing key")
