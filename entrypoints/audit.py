"""What people did, for admins to read: `GET /audit/<context>`, of each context from its own database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import get
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from ecshop.context import Context
from ecshop.events import audit
from ecshop.events.audit import Entry, EntryFilter
from ecshop.kernel.db.database import Database
from ecshop.kernel.errors import InvalidCursor
from ecshop.kernel.http.operation import operation
from ecshop.kernel.http.paging import LIMIT, Cursor, Limit
from ecshop.kernel.identity import Role
from ecshop.kernel.values import Page
from entrypoints.grants import AUDIT

Since = Annotated[datetime | None, QueryParameter(description="Not earlier than this.")]


def audit_routes(contexts: Sequence[Context[Any]]) -> list[ControllerRouterHandler]:
    return [_route(context.name, context.database) for context in contexts]


def _route(name: str, database: Database) -> ControllerRouterHandler:
    told = operation(f"What people did in {name}", InvalidCursor, role=Role.ADMIN, key_scope=AUDIT)

    @get(f"/audit/{name}", operation_id=f"Audit{name.title()}", tags=[name], **told)
    async def list_entries(
        actor: Annotated[UUID | None, QueryParameter()] = None,
        action: Annotated[str | None, QueryParameter(max_length=40)] = None,
        subject: Annotated[str | None, QueryParameter(max_length=80)] = None,
        since: Since = None,
        cursor: Cursor = None,
        limit: Limit = LIMIT,
    ) -> Page[Entry]:
        """Newest first. Nothing here can be changed, by nobody; `ecshop audit verify` shows that nothing was."""
        return await database.read(audit.entries, EntryFilter(actor, action, subject, since), cursor, limit)

    return list_entries
