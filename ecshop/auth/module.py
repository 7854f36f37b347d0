"""How an auth context is put together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from litestar import Router
from litestar.di import Provide

from ecshop.auth.api_keys import Scopes
from ecshop.auth.clients import Clients
from ecshop.auth.contract import AuthClient
from ecshop.auth.http import AuthController, AuthInternal
from ecshop.auth.http_users import ApiKeyController, UserController
from ecshop.auth.keys import KeyInUse
from ecshop.auth.service import AuthService, Grants
from ecshop.auth.sessions import Lifetime
from ecshop.context import Context
from ecshop.kernel.clock import Clock, now
from ecshop.kernel.db.database import Database

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def build(
    db: Database,
    keys: KeyInUse,
    *,
    token_seconds: float,
    lifetime: Lifetime,
    free_guesses: int,
    clients: Clients,
    grants: Grants,
    key_scopes: Scopes,
    clock: Clock = now,
) -> Context[AuthClient]:
    service = AuthService(
        db,
        keys,
        token_seconds=token_seconds,
        lifetime=lifetime,
        free_guesses=free_guesses,
        clients=clients,
        grants=grants,
        key_scopes=key_scopes,
        clock=clock,
    )
    provide = {"auth": Provide(lambda: service, sync_to_thread=False)}
    return Context(
        "auth",
        service,
        db,
        MIGRATIONS,
        public=[Router("/", route_handlers=[AuthController, ApiKeyController, UserController], dependencies=provide)],
        internal=[Router("/", route_handlers=[AuthInternal], dependencies=provide)],
        background=[keys.watch, service.forget_sessions],
    )
