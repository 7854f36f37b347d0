"""Which bus carries a shop's events, and between whom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, cast

from ecshop.events.buses.base import EventBus
from ecshop.events.buses.memory import MemoryBus
from ecshop.events.buses.pubsub_names import Names
from ecshop.events.catalog import source_of
from ecshop.kernel.file_lock import owners
from entrypoints.contexts import CONTEXTS, NAMES
from entrypoints.local import REDIS, SUPERVISOR
from entrypoints.settings import BadSetting, Settings

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

    from ecshop.events.buses.pubsub import PubSubBus
    from ecshop.events.buses.pubsub_project import Project

_ANY_PROJECT: Final = "ecshop"
"""The emulator has a project of every name."""


def bus_of(settings: Settings, here: frozenset[str], shop_id: str) -> EventBus:
    """For servers of the contexts that are `here`. Raises `BadSetting`, `RedisUnusable` or `PubSubUnusable`."""
    if here.issuperset(NAMES) or (settings.background == "off" and not settings.push_audience):
        return MemoryBus()
    return _broker_of(settings, shop_id)


def workers_bus(settings: Settings, shop_id: str) -> EventBus:
    """The services' own where they have one: a broker that is named. Raises as `bus_of`."""
    return _broker_of(settings, shop_id) if settings.names_a_broker else MemoryBus()


def push_of(settings: Settings, bus: EventBus) -> tuple[ControllerRouterHandler, Callable[[], Awaitable[None]]]:
    """Where Pub/Sub pushes events to, and what keeps the keys fresh by which that is checked."""
    from entrypoints.push import PushTokens, push_route  # noqa: PLC0415 - of an extra

    tokens = PushTokens(settings)
    return push_route(cast("PubSubBus", bus), tokens), tokens.keep_fresh


def listeners() -> dict[str, list[str]]:
    """Who listens to what: {"ecshop.order.confirmed.v1": ["stock"], ...}."""
    found: dict[str, list[str]] = {}
    for context in CONTEXTS:
        for event in getattr(context.module, "SUBSCRIPTIONS", ()):
            found.setdefault(event.type, []).append(context.name)
    return dict(sorted(found.items()))


def groups() -> dict[str, list[str]]:
    """Who listens to whom: {"order": ["stock"], ...}."""
    found: dict[str, set[str]] = {}
    for type_, names in listeners().items():
        found.setdefault(source_of(type_), set()).update(names)
    return {source: sorted(names) for source, names in found.items()}


def pubsub_project(settings: Settings, shop_id: str) -> Project:
    """Raises `BadSetting` or `PubSubUnusable`."""
    emulator = settings.pubsub_emulator_host
    name = settings.google_cloud_project or (_ANY_PROJECT if emulator else "")
    if not name:
        raise BadSetting("Pub/Sub needs a project: set GOOGLE_CLOUD_PROJECT, or PUBSUB_EMULATOR_HOST")
    try:
        from ecshop.events.buses.pubsub_project import Project  # noqa: PLC0415 - of an extra
    except ImportError as cause:
        raise BadSetting(f"Pub/Sub needs its client: pip install 'ecshop[pubsub]' ({cause})") from cause
    names = Names(settings.pubsub_prefix or f"ecshop-{shop_id}-", listeners())
    return Project(name, names, emulator)


def _broker_of(settings: Settings, shop_id: str) -> EventBus:
    return _over_pubsub(settings, shop_id) if settings.broker == "pubsub" else _over_redis(settings, shop_id)


def own_broker(settings: Settings) -> int | None:
    """The process of the Redis that the split mode has started on this data folder, and starts again when it dies."""
    folder = settings.folder
    ours = {*owners(folder / REDIS)} - {*owners(folder / SUPERVISOR)}
    return next(iter(ours), None)


def _over_redis(settings: Settings, shop_id: str) -> EventBus:
    if not settings.redis_url:
        raise BadSetting(
            "a service of its own needs a broker for its events: set REDIS_URL=redis://host:6379/0, "
            "or ECSHOP_BUS=pubsub with a GOOGLE_CLOUD_PROJECT"
        )
    from ecshop.events.buses.redis import RedisBus  # noqa: PLC0415 - a process loads the client of its own bus alone

    return RedisBus(settings.redis_url, groups(), shop_id=shop_id)


def _over_pubsub(settings: Settings, shop_id: str) -> EventBus:
    project = pubsub_project(settings, shop_id)
    from ecshop.events.buses.pubsub import PubSubBus  # noqa: PLC0415 - of an extra, which is there by now

    return PubSubBus(project, pulls=not settings.push_audience)
