"""What carries the events of the split mode: a broker that is named, or one of our own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from typing import NamedTuple
from urllib.parse import urlsplit

from ecshop.kernel.file_lock import file_lock
from entrypoints.local import PUBSUB, REDIS
from entrypoints.local.ports import free_port
from entrypoints.local.process import Process
from entrypoints.local.pubsub_emulator import emulator_command
from entrypoints.local.redis_server import USER, guarded_redis_command
from entrypoints.settings import Settings


class Broker(NamedTuple):
    """`shown` is where it is, without credentials; `process` is what there is to run, where it is our own."""

    name: str
    shown: str
    environment: Mapping[str, str]
    process: Process | None


def broker_of(settings: Settings, held: ExitStack) -> Broker:
    """Raises `NoRedis`, `NoPubSub`, `FileInUse` or `FileUnusable`."""
    return _pubsub(settings) if settings.broker == PUBSUB else _redis(settings, held)


def _redis(settings: Settings, held: ExitStack) -> Broker:
    """Ours holds its folder's lock as long as it lives: should we be killed, no second one may write to its log."""
    if settings.redis_url:
        return Broker(REDIS, _without_credentials(settings.redis_url), {"REDIS_URL": settings.redis_url}, None)
    folder, port = settings.folder / REDIS, free_port()
    address, password = f"127.0.0.1:{port}/0", secrets.token_urlsafe(32)
    lock = held.enter_context(file_lock(folder))
    command = guarded_redis_command(folder, port, password)
    known = {"REDIS_URL": f"redis://{USER}:{password}@{address}"}
    return Broker(REDIS, f"redis://{address}", known, Process(REDIS, command, dict(os.environ), keeps=(lock,)))


def _pubsub(settings: Settings) -> Broker:
    project, emulator, process = settings.google_cloud_project, settings.pubsub_emulator_host, None
    if not project and not emulator:
        port = free_port()
        emulator = f"127.0.0.1:{port}"
        process = Process(PUBSUB, emulator_command(port), dict(os.environ))
    environment = {"ECSHOP_BUS": PUBSUB, "GOOGLE_CLOUD_PROJECT": project, "PUBSUB_EMULATOR_HOST": emulator}
    return Broker(PUBSUB, " on ".join(filter(None, (project, emulator))), environment, process)


def _without_credentials(url: str) -> str:
    """They may be options as well."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
