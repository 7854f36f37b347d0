"""From the environment and the options of a command to its settings: all of them are checked at the start."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec

from ecshop.kernel.validation import invalid
from entrypoints.client_proofs import own_key, own_secret, public_keys_of, secrets_of
from entrypoints.contexts import NAMES, SERVICE_NAMES
from entrypoints.profile import unfit_for_production
from entrypoints.settings import DEFAULT_URLS, BadSetting, Settings

_PREFIX: Final = "ECSHOP_"
_REDIS_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
ALIASES: Final = {
    "PORT": "port",
    "REDIS_URL": "redis_url",
    "GOOGLE_CLOUD_PROJECT": "google_cloud_project",
    "PUBSUB_EMULATOR_HOST": "pubsub_emulator_host",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "otlp_endpoint",
    "OTEL_TRACES_SAMPLER_ARG": "trace_ratio",
    "K_SERVICE": "cloud_run",
    "CLOUD_RUN_JOB": "cloud_run",
    "CLOUD_RUN_WORKER_POOL": "cloud_run",
}
"""Names of some fields that other programs know too."""
_OPTIONS: Final = {"base_port": "port"}
"""Options that set a field of another name."""
_HOST: Final = r"([\w.-]+|\[[0-9a-f:]+\])(:\d{1,5})?"
_URL: Final = re.compile(rf"https?://{_HOST}(/[\w./~-]*)?", re.IGNORECASE)
_ORIGIN: Final = re.compile(rf"https?://{_HOST}", re.IGNORECASE)
_REDIS_URL: Final = re.compile(rf"rediss?://([^@/?#\s]*@)?{_HOST}(/\d*)?(\?\S*)?|unix://\S+", re.IGNORECASE)


def variables() -> list[str]:
    """The names of all variables of the shop itself; some have a second name that they share with other programs."""
    fields = [name for name in Settings.__struct_fields__ if name not in ("urls", "database_urls")]
    of_services = [f"{name}_url" for name in SERVICE_NAMES] + [f"{name}_database_url" for name in NAMES]
    return [f"{_PREFIX}{name.upper()}" for name in [*fields, *of_services]]


def given_variables(environment: Mapping[str, str]) -> list[str]:
    return sorted(name for name in environment if name.startswith(_PREFIX) or (name in ALIASES and environment[name]))


def read_settings(environment: Mapping[str, str], **options: Any) -> Settings:
    """Options win over variables; those that are None were not given. Raises `BadSetting`, which names all that are."""
    given = {name: value for name, value in environment.items() if name.startswith(_PREFIX)}
    unknown = sorted(set(given) - set(variables()))
    if unknown:
        raise BadSetting(f"unknown variable {', '.join(unknown)}; known are: {', '.join(variables())}")
    values = {target: _Value(name, environment[name]) for name, target in ALIASES.items() if environment.get(name)}
    values |= {name.removeprefix(_PREFIX).lower(): _Value(name, value) for name, value in given.items()}
    for option, value in options.items():
        if value is not None:
            values[_OPTIONS.get(option, option)] = _Value(f"--{option.replace('_', '-')}", value)
    urls = {name: values.pop(f"{name}_url", _Value("", default)).value for name, default in DEFAULT_URLS.items()}
    own = {name: values.pop(f"{name}_database_url", _Value("", "")).value for name in NAMES}
    databases = {name: url for name, url in own.items() if url}
    _refuse(wrong for name, value in values.items() if (wrong := _wrong_with(name, value)))
    plain = {name: value.value for name, value in values.items()}
    settings = msgspec.convert(plain | {"urls": urls, "database_urls": databases}, Settings, strict=False)
    _refuse([*_wrong_addresses(settings), *_wrong_secrets(settings), *_wrong_together(settings)])
    if settings.profile == "production":
        _refuse(f"ECSHOP_PROFILE=production: {reason}" for reason in unfit_for_production(settings))
    return settings


def _refuse(wrong: Iterable[str]) -> None:
    reasons = list(wrong)
    if reasons:
        raise BadSetting("\n        ".join(reasons))


class _Value(NamedTuple):
    """A value, and the name of the option or variable that it came from."""

    name: str
    value: Any


def _wrong_with(name: str, given: _Value) -> str:
    try:
        msgspec.convert({name: given.value}, Settings, strict=False)
    except msgspec.ValidationError as cause:
        [error] = invalid(cause, Settings).fields["errors"]
        return f"{given.name} is {given.value!r}: it {error['message']}"
    return ""


def _wrong_addresses(settings: Settings) -> Iterator[str]:
    if settings.database_url and "{context}" not in settings.database_url:
        yield "ECSHOP_DATABASE_URL needs {context} in it: each context has a database of its own"
    if settings.redis_url and not _REDIS_URL.fullmatch(settings.redis_url):
        yield "REDIS_URL is no address of a Redis; write it like redis://127.0.0.1:6379/0"
    for name, value in parse_qsl(urlsplit(settings.redis_url).query):
        if name in _REDIS_FILES and not Path(value).is_file():
            yield f"REDIS_URL names {value} as its {name}, and there is no such file"
    for name, url in settings.urls.items():
        if not _URL.fullmatch(url):
            yield f"{_PREFIX}{name.upper()}_URL is {url!r}: write it like {DEFAULT_URLS[name]}"
    if settings.otlp_endpoint and not _URL.fullmatch(settings.otlp_endpoint):
        yield "OTEL_EXPORTER_OTLP_ENDPOINT is no address of a collector; write it like http://127.0.0.1:4318"
    for origin in settings.allowed_origins:
        if not _ORIGIN.fullmatch(origin):
            yield f"ECSHOP_CORS_ORIGINS has {origin!r}: write them like https://shop.example, with commas"
    for proxy in settings.proxies:
        try:
            ip_network(proxy)
        except ValueError as cause:
            yield (
                f"ECSHOP_TRUSTED_PROXIES has {proxy!r}: write addresses and networks like 10.0.0.7, 10.1.0.0/16 "
                f"({cause})"
            )


def _wrong_secrets(settings: Settings) -> Iterator[str]:
    for read in (secrets_of, public_keys_of, own_secret, own_key):
        try:
            read(settings)
        except BadSetting as wrong:
            yield wrong.detail
    if settings.client_secret and settings.client_key:
        yield "ECSHOP_CLIENT_SECRET and ECSHOP_CLIENT_KEY are two proofs of the same service: leave one out"


def _wrong_together(settings: Settings) -> Iterator[str]:
    if settings.background == "off" and not all(map(settings.server_of, NAMES)):
        yield (
            "ECSHOP_BACKGROUND=off leaves the events to a worker, which SQLite does not admit beside the shop: "
            "set ECSHOP_DATABASE_URL to a PostgreSQL"
        )
    if settings.push_audience and not (settings.push_email and settings.broker == "pubsub"):
        yield (
            "ECSHOP_PUSH_AUDIENCE has Pub/Sub push events here: that needs ECSHOP_BUS=pubsub, and in ECSHOP_PUSH_EMAIL "
            "the service account that pushes"
        )
    if bool(settings.tls_cert) != bool(settings.tls_key):
        yield "ECSHOP_TLS_CERT and ECSHOP_TLS_KEY go together"
    elif settings.tls_cert:
        try:
            ssl.create_default_context().load_cert_chain(settings.tls_cert, settings.tls_key)
        except OSError as cause:
            reason = cause.strerror or cause
            yield f"ECSHOP_TLS_CERT and ECSHOP_TLS_KEY are no PEM files of a certificate and its key: {reason}"
