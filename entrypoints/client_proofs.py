"""What services prove themselves with at auth: given in variables, or in files that may change while they run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog

from entrypoints.contexts import NAMES
from entrypoints.settings import BadSetting, Settings

T = TypeVar("T")

log = structlog.get_logger("settings")

_IN_FILE: Final = "file:"
_PAIR: Final = re.compile(r"([a-z_]+):(\S*)")
_PUBLIC_KEY: Final = re.compile(r"[\w-]{43}", re.ASCII)
_SHORTEST_SECRET: Final = 32  # bytes
_MOST: Final = 2
"""Of a service, while one replaces the other."""


class Reread(Generic[T]):
    """Read anew whenever it is asked for; where that fails, what was read before stays in use."""

    def __init__(self, read: Callable[[], T]) -> None:
        """Raises `BadSetting`."""
        self._read, self._last = read, read()

    def __call__(self) -> T:
        try:
            self._last = self._read()
        except BadSetting as wrong:
            log.error("what services prove themselves with cannot be read any more", error=wrong.detail)
        return self._last


def secrets_of(settings: Settings) -> dict[str, list[str]]:
    """By service. Raises `BadSetting`."""
    return _by_service(settings.client_secrets, "ECSHOP_CLIENT_SECRETS", _check_secret)


def public_keys_of(settings: Settings) -> dict[str, list[str]]:
    """By service. Raises `BadSetting`."""
    return _by_service(settings.client_keys, "ECSHOP_CLIENT_KEYS", _check_public_key)


def own_secret(settings: Settings) -> str:
    """Raises `BadSetting`."""
    secret = _text(settings.client_secret, "ECSHOP_CLIENT_SECRET")
    if secret or settings.client_secret:
        _check_secret(secret, "ECSHOP_CLIENT_SECRET")
    return secret


def own_key(settings: Settings) -> str:
    """In PEM. Raises `BadSetting`."""
    pem = _text(settings.client_key, "ECSHOP_CLIENT_KEY")
    if settings.client_key:
        from ecshop.auth.clients import is_private_key  # noqa: PLC0415 - few have one, and all would load cryptography

        if not is_private_key(pem):
            raise BadSetting("ECSHOP_CLIENT_KEY holds no Ed25519 key: `ecshop keys client FILE` makes one")
    return pem


def _by_service(given: str, name: str, check: Callable[[str, str], None]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in _text(given, name).replace(",", " ").split():
        match = _PAIR.fullmatch(pair)
        if match is None or match[1] not in NAMES:
            raise BadSetting(
                f"{name} is a list of service:secret with commas between them, each service one of "
                f"{', '.join(NAMES)}; an entry of it is not"
            )
        check(match[2], f"{name} for {match[1]}")
        found.setdefault(match[1], []).append(match[2])
        if len(found[match[1]]) > _MOST:
            raise BadSetting(f"{name} has more than {_MOST} of {match[1]}")
    return found


def _text(given: str, name: str) -> str:
    if not given.startswith(_IN_FILE):
        return given
    file = Path(given.removeprefix(_IN_FILE))
    try:
        text = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as cause:
        reason = getattr(cause, "strerror", None) or cause
        raise BadSetting(f"{name} names the file {file}, which cannot be read: {reason}") from cause
    if not text:
        raise BadSetting(f"{name} names the file {file}, which is empty")
    return text


def _check_secret(secret: str, name: str) -> None:
    """Raises `BadSetting` for one that could be guessed."""
    if len(secret.encode()) < _SHORTEST_SECRET:
        raise BadSetting(
            f"{name} is a secret of fewer than {_SHORTEST_SECRET} bytes: make one with `openssl rand -base64 32`"
        )


def _check_public_key(key: str, name: str) -> None:
    if not _PUBLIC_KEY.fullmatch(key):
        raise BadSetting(f"{name} is no public key: `ecshop keys client FILE` prints that of the key in FILE")
