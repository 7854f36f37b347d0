"""How an auth context is put together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from litestar import Router
from litestar.di import Provide

from ecshop.auth.contract import AuthClient
from ecshop.auth.http import AuthController, AuthInternal
from ecshop.auth.keys import KeyInUse
from ecshop.auth.service import AuthService, Grants, Secrets
from ecshop.context import Context
from ecshop.kernel.db.database import Database

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def build(
    db: Database, keys: KeyInUse, *, token_seconds: float, free_guesses: int, secrets: Secrets, grants: Grants
) -> Context[AuthClient]:
    service = AuthService(
        db, keys, token_seconds=token_seconds, free_guesses=free_guesses, secrets=secrets, grants=grants
    )
    provide = {"auth": Provide(lambda: service, sync_to_thread=False)}
    return Context(
        "auth",
        service,
        db,
        MIGRATIONS,
        public=[Router("/", route_handlers=[AuthController], dependencies=provide)],
        internal=[Router("/", route_handlers=[AuthInternal], dependencies=provide)],
        background=[keys.watch],
    )
