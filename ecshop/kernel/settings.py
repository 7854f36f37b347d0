"""Everything that can be set from outside, read once and checked at the start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import URL

from ecshop.kernel.errors import EcshopError

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class BadSetting(EcshopError, code="settings.invalid", status=500):
    """An option or environment variable is unknown or has a value that cannot be used."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each field is the variable ECSHOP_<FIELD>; `port` is also PORT, and `redis_url` is REDIS_URL."""

    host: str = "127.0.0.1"
    port: Port = 8000
    data_dir: str = "data"
    database_url: str = ""
    """A database server instead of files, with `{context}` in it: postgresql+psycopg://shop@db/{context}"""
    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    redis_url: str = ""
    reservation_seconds: Seconds = 60
    """How long stock holds units for an order that is not recorded before it asks what became of it."""
    token_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 3600
    log: Literal["auto", "json", "console"] = "auto"
    auth_url: str = "http://127.0.0.1:8000"
    product_url: str = "http://127.0.0.1:8001"
    stock_url: str = "http://127.0.0.1:8002"
    order_url: str = "http://127.0.0.1:8003"
    client_secret: str = ""
    """What a service of its own proves itself with at auth."""
    client_secrets: str = ""
    """At auth: the services' secrets, as `stock:...,order:...`."""

    def url_of(self, context: str) -> str:
        return str(getattr(self, f"{context}_url"))

    def database_of(self, context: str) -> str:
        if self.database_url:
            return self.database_url.replace("{context}", context)
        path = Path(self.data_dir).absolute() / f"{context}.db"
        return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)

    def secrets(self) -> dict[str, str]:
        pairs = (pair.strip().split(":", 1) for pair in self.client_secrets.split(",") if ":" in pair)
        return dict(pairs)


_PREFIX: Final = "ECSHOP_"


def read_settings(environment: Mapping[str, str], **options: Any) -> Settings:
    """Options win over variables; those that are None were not given. Raises `BadSetting`."""
    given = {name[len(_PREFIX) :].lower(): value for name, value in environment.items() if name.startswith(_PREFIX)}
    aliases = {"port": environment.get("PORT"), "redis_url": environment.get("REDIS_URL")}
    values = {name: value for name, value in aliases.items() if value} | given
    values |= {name: value for name, value in options.items() if value is not None}
    unknown = sorted(set(values) - set(Settings.__struct_fields__))
    if unknown:
        known = ", ".join(f"{_PREFIX}{name.upper()}" for name in Settings.__struct_fields__)
        raise BadSetting(
            f"unknown variable {', '.join(_PREFIX + name.upper() for name in unknown)}; known are: {known}"
        )
    for name, value in values.items():
        _check(name, value)
    settings = msgspec.convert(values, Settings, strict=False)
    if settings.database_url and "{context}" not in settings.database_url:
        raise BadSetting("ECSHOP_DATABASE_URL needs {context} in it: each context has a database of its own")
    return settings


def _check(name: str, value: Any) -> None:
    try:
        msgspec.convert({name: value}, Settings, strict=False)
    except msgspec.ValidationError as cause:
        reason = str(cause).split(" - ", maxsplit=1)[0]
        raise BadSetting(f"{_PREFIX}{name.upper()} is {value!r}: {reason}") from None
