"""Who is calling: a person with a role, or a neighbouring service with scopes."""

from __future__ import annotations

from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from ecshop.kernel.errors import Forbidden


class Role(StrEnum):
    """Each role may do what those before it may."""

    CUSTOMER = "customer"
    STAFF = "staff"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        return _RANK[self] >= _RANK[other]


_RANK: Final = {role: rank for rank, role in enumerate(Role)}


class Actor(msgspec.Struct, frozen=True):
    """A signed-in person. The token goes along, so that a call to another service is made in the same name."""

    user_id: UUID
    role: Role
    token: str = ""
    session: UUID | None = None
    """Of which the token is, or the API key; None where it was made with the signing key itself."""
    scopes: frozenset[str] | None = None
    """What an API key is good for; None for a person, who may do all that the role may."""


class Caller(msgspec.Struct, frozen=True):
    """A neighbouring service, and what it was allowed to ask for."""

    name: str
    scopes: frozenset[str]


def require_role(actor: Actor, role: Role) -> None:
    if not actor.role.includes(role):
        raise Forbidden(f"this needs the role {role}; yours is {actor.role}")


def require_key_scope(actor: Actor, scope: str | None) -> None:
    """`scope` is None for what is for people alone."""
    if may_use(actor, scope):
        return
    if scope is None:
        raise Forbidden("this is for people who log in, and an API key does not open it")
    raise Forbidden(f"the API key needs the scope {scope}")


def may_use(actor: Actor, scope: str | None) -> bool:
    """As far as keys are concerned; a person may."""
    return actor.scopes is None or scope in actor.scopes


def require_scope(caller: Caller, scope: str) -> None:
    if scope not in caller.scopes:
        raise Forbidden(f"this needs the scope {scope}")
