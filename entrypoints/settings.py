"""Everything that can be set from outside; `environment` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, field

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.telemetry.logs import LogForm
from ecshop.kernel.tokens import LONGEST_LIFE
from ecshop.kernel.validation import rule
from entrypoints.contexts import SERVICES

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(ge=0.1, le=86_400)]
Given = Annotated[str, Meta(min_length=1)]

DEFAULT_URLS: Final = {service.name: f"http://127.0.0.1:{service.port}" for service in SERVICES}
LOG_SUFFIX: Final = ".log"
_SHOP_ID: Final = rule(r"^[a-z0-9-]{0,40}$", "of at most 40 small letters, digits and hyphens")
_PROJECT: Final = rule(r"^([a-z][a-z0-9.:-]{0,60}[a-z0-9])?$", "the id of a Google Cloud project")
_PUBSUB_PREFIX: Final = rule(
    r"^([a-z][a-z0-9-]{0,60})?$", "of at most 61 small letters, digits and hyphens, with a letter first"
)


class BadSetting(EcshopError, code="settings.invalid", status=500):
    """An option or environment variable is unknown or has a value that cannot be used."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each field is the variable ECSHOP_<FIELD>, and a line of the README's table. See `variables` for the others."""

    profile: Literal["development", "production"] = "development"
    """In production what is meant for a laptop is refused: see `profile`."""
    host: Given = "127.0.0.1"
    port: Port = 8000
    data_dir: Given = "data"
    database_url: str = ""
    """A database server instead of files, with `{context}` in it: postgresql+psycopg://shop@db/ecshop_{context}, or
    postgresql+psycopg://shop@db/ecshop?schema={context}
    """
    database_urls: dict[str, str] = field(default_factory=dict)
    """Those of some contexts alone: ECSHOP_STOCK_DATABASE_URL and so on; there `{context}` may be missing."""
    shop_id: Annotated[str, Meta(pattern=_SHOP_ID)] = ""
    """What tells this shop's streams from another one's on the same broker; made once where it is not given."""
    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    database_connections: Annotated[int, Meta(ge=3, le=100)] = 10
    """Of each process to each database on a server, and one more; a worker has four databases."""
    page_cache_mb: Annotated[int, Meta(ge=1, le=4096)] = 2
    """Of each connection to a file; there are four to each database."""
    mmap_mb: Annotated[int, Meta(ge=0, le=65_536)] = 0
    """How much of each file is read from memory that the system maps it to; 0 is none."""
    bus: Literal["auto", "redis", "pubsub"] = "auto"
    """What carries events between services; `auto` is Redis, and Pub/Sub where its emulator is named alone."""
    worker_port: Port = 0
    """Where a worker tells its health and metrics; 0 is nowhere."""
    background: Literal["on", "off"] = "on"
    """Whether servers relay and consume events; where they do not, a `worker` on the same databases does."""
    redis_url: str = ""
    google_cloud_project: Annotated[str, Meta(pattern=_PROJECT)] = ""
    pubsub_emulator_host: str = ""
    """Host and port; there the project may have any name, and needs none."""
    pubsub_prefix: Annotated[str, Meta(pattern=_PUBSUB_PREFIX)] = ""
    """What the shop's topics and subscriptions begin with; else it is ecshop- and the shop's id."""
    push_audience: str = ""
    """Has Pub/Sub push events to this service, instead of it pulling them: what the tokens of a push are meant for."""
    push_email: str = ""
    """The service account that pushes."""
    push_issuer: str = "https://accounts.google.com"
    push_keys_url: str = "https://www.googleapis.com/oauth2/v3/certs"
    reservation_seconds: Seconds = 60
    """How long stock holds units for an order that is not recorded before it asks what became of it."""
    request_seconds: Seconds = 10
    """How long a request may take, calls to other services included."""
    max_requests: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    """At a time, of each process; what comes on top of them is refused before it is begun."""
    max_connections: Annotated[int, Meta(ge=16, le=100_000)] = 2000
    """Of each process; each is a file to the system. Where all are taken the idlest makes room for a new one."""
    head_seconds: Seconds = 10
    """How long a client may take for the head of a request, from when it connects."""
    body_seconds: Seconds = 20
    """How long for its body, and to read what it was sent."""
    demo: Literal["auto", "on", "off"] = "auto"
    """Whether a shop without products begins with some to look at; `auto` is a new folder, in development."""
    public_stock: bool = True
    """Whether everybody sees how many units there are; else staff does, and others whether there are any, or few."""
    quote_seconds: Annotated[float, Meta(ge=0, le=60)] = 1
    """How long a quoted price holds while an order is placed; an older one is asked for again before it is recorded."""
    hourly_orders: Annotated[int, Meta(ge=0, le=1_000_000)] = 100
    """How many orders a customer may place in an hour; 0 is no bound, and staff have none."""
    hourly_units: Annotated[int, Meta(ge=0, le=1_000_000)] = 1000
    line_units: Annotated[int, Meta(ge=0, le=10_000)] = 1000
    """How many units of a product an order of a customer may have."""
    retention_hours: Annotated[float, Meta(ge=0.01, le=10_000)] = 72
    """How long an event is kept that every listener has applied; the listeners remember it for twice as long."""
    token_seconds: Annotated[int, Meta(ge=1, le=LONGEST_LIFE)] = 300
    session_days: Annotated[int, Meta(ge=1, le=365)] = 30
    session_idle_days: Annotated[int, Meta(ge=1, le=365)] = 14
    """After which a session that nobody has refreshed is over."""
    free_guesses: Annotated[int, Meta(ge=1, le=1_000_000)] = 10
    """Wrong passwords of an account before the next attempt has to wait; of an address ten times as many."""
    log: LogForm = "auto"
    log_folder: str = ""
    """Where each process keeps its lines as JSON besides, for `ecshop logs`; the split mode keeps them in its data."""
    otlp_endpoint: str = ""
    """Where traces are sent, by OTLP over HTTP: http://127.0.0.1:4318"""
    trace_ratio: Annotated[float, Meta(ge=0, le=1)] = 0.01
    """Of the traces that begin here, how many are sampled."""
    cloud_run: str = ""
    """What Cloud Run calls this service, job or worker pool, as it tells itself."""
    docs: Literal["auto", "open", "closed"] = "auto"
    """Whether /docs and the document of the API are served; `auto` is not in production."""
    tls_cert: str = ""
    """With `tls_key`, PEM files by which the shop itself ends TLS."""
    tls_key: str = ""
    trusted_proxies: str = ""
    """Whose word on a client's address and scheme is taken: addresses and networks, with commas."""
    signing_key: str = ""
    """In PEM, an Ed25519 key by which auth signs, where somebody else keeps it; else auth makes one."""
    gateway_rate: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    """Requests a second that the gateway lets pass of one client; for a moment ten times as many."""
    cors_origins: str = ""
    """At the gateway, whose pages may call the shop from a browser: https://shop.example,https://console.example"""
    client_secret: str = ""
    """What a service of its own proves itself with at auth; like the three below it may be `file:` and a path."""
    client_secrets: str = ""
    """At auth: the services' secrets, as `stock:...,order:...`; two of a service while one replaces the other."""
    client_key: str = ""
    """In the place of a secret, an Ed25519 key in PEM, by which the service signs who it is."""
    client_keys: str = ""
    """At auth: the public parts of these keys, as `client_secrets`."""
    urls: dict[str, str] = field(default_factory=DEFAULT_URLS.copy)
    """Where the services are, by name: ECSHOP_AUTH_URL and so on."""

    @property
    def folder(self) -> Path:
        return Path(self.data_dir).absolute()

    def server_of(self, context: str) -> str:
        """The address of a context's database on a server; empty where that is a file of the folder."""
        return (self.database_urls.get(context) or self.database_url).replace("{context}", context)

    @property
    def logs(self) -> Path:
        """Where the lines of the split mode's services are kept, or of those that are told to."""
        return Path(self.log_folder) if self.log_folder else self.folder / "logs"

    @property
    def log_form(self) -> LogForm:
        return "google" if self.cloud_run and self.log == "auto" else self.log

    @property
    def names_a_broker(self) -> bool:
        return bool(self.bus != "auto" or self.redis_url or self.pubsub_emulator_host)

    @property
    def broker(self) -> Literal["redis", "pubsub"]:
        """Between services."""
        if self.bus != "auto":
            return self.bus
        return "pubsub" if self.pubsub_emulator_host and not self.redis_url else "redis"

    @property
    def has_docs(self) -> bool:
        return self.docs == "open" or (self.docs == "auto" and self.profile != "production")

    @property
    def signs_in_by_link(self) -> bool:
        """Whether whoever starts the shop is shown how to sign in as its operator."""
        return self.profile == "development"

    @property
    def begins_with_demo(self) -> bool:
        """Before its first start; after that the folder is not new any more."""
        is_new = not self.server_of("product") and not (self.folder / "product.db").exists()
        return self.demo == "on" or (self.demo == "auto" and is_new and self.profile == "development")

    @property
    def allowed_origins(self) -> list[str]:
        return _listed(self.cors_origins)

    @property
    def proxies(self) -> list[str]:
        return _listed(self.trusted_proxies)


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]
