"""Auth with a clock that a test sets, and people to log in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from ecshop.auth.clients import Clients
from ecshop.auth.contract import (
    NOBODY,
    InvalidRefreshToken,
    Login,
    NewUser,
    Token,
    User,
    Visitor,
)
from ecshop.auth.keys import GivenKey, new_key
from ecshop.auth.service import AuthService
from ecshop.auth.sessions import Lifetime
from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import Unauthenticated
from ecshop.kernel.identity import Actor, Role
from ecshop.kernel.tokens import Verifier
from entrypoints.grants import KEY_SCOPES

PASSWORD = "correct horse battery"
DAYS, IDLE_DAYS = 30, 10


class Auth:
    """The service with a clock that the test sets, and what it needs to be asked in somebody's name."""

    def __init__(self, database: Database) -> None:
        self.database, self.moment = database, datetime.now(UTC)
        self.service = AuthService(
            database,
            GivenKey(new_key().decode(), "the test"),
            token_seconds=300,
            lifetime=Lifetime(timedelta(days=DAYS), timedelta(days=IDLE_DAYS)),
            free_guesses=1000,
            clients=Clients(dict, dict),
            grants={},
            key_scopes=KEY_SCOPES,
            clock=lambda: self.moment,
        )
        self.verifier = Verifier(
            self.service.jwks,
            ended=self.service.ended_sessions,
            exchange=self.service.exchange_key,
            check_every=0,
        )

    async def user(self, name: str = "aoi", role: Role = Role.CUSTOMER) -> User:
        return await self.service.sign_up(NewUser(name, PASSWORD), role)

    async def log_in(self, name: str = "aoi", visitor: Visitor = NOBODY) -> Token:
        return await self.service.log_in(Login(name, PASSWORD), visitor)

    async def actor(self, token: Token) -> Actor:
        return await self.verifier.actor(token.access_token)

    async def refresh(self, token: Token) -> Token:
        assert isinstance(token.refresh_token, str)
        return await self.service.refresh(token.refresh_token)

    async def is_ended(self, token: Token) -> bool:
        """By its refresh token, and for everybody who verifies the other one; a new verifier has heard of it, too."""
        fresh = Verifier(self.service.jwks, ended=self.service.ended_sessions)
        try:
            await fresh.actor(token.access_token)
        except Unauthenticated:
            with pytest.raises(InvalidRefreshToken):
                await self.refresh(token)
            return True
        return False

    async def run(self, statement: Any) -> None:
        def execute(session: Session) -> None:
            session.execute(statement)

        await self.database.write(execute)

    def pass_by(self, **time: float) -> None:
        self.moment += timedelta(**time)
