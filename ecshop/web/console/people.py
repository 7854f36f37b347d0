"""Who has an account, and what people did."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import UNSET

from ecshop.auth.contract import SessionNotFound, UserChange, UserFilter
from ecshop.kernel.identity import Role, require_role
from ecshop.oversight.contract import EntryFilter
from ecshop.web.console.story import names_of
from ecshop.web.patience import otherwise
from ecshop.web.site import AnyRequest, Site
from ecshop.web.words import gettext_noop

_ON_A_PAGE: Final = 50
_ROLES: Final = {
    Role.CUSTOMER: gettext_noop("role|Customer"),
    Role.STAFF: gettext_noop("role|Staff"),
    Role.ADMIN: gettext_noop("role|Admin"),
}


class ConsolePeople(Controller):
    include_in_schema = False

    @get("/console/users")
    async def users(self, site: NamedDependency[Site], request: AnyRequest) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        asked = dict(site.asked(request))
        role = Role(asked["role"]) if asked.get("role") in {*Role} else None
        wanted = UserFilter(q=asked.get("q", "")[:64] or None, role=role)
        page = await site.auth.users(actor, wanted, asked.get("cursor"), _ON_A_PAGE)
        following = {"q": asked.get("q", ""), "role": asked.get("role", ""), "cursor": page.next_cursor or ""}
        return site.pages.answer(
            visitor,
            "console/users.html",
            here="users",
            asked=asked,
            roles={role: visitor.words(says) for role, says in _ROLES.items()},
            may_change=actor.role is Role.ADMIN,
            own=actor.user_id,
            users=page.items,
            next_page=page.next_cursor and f"/console/users?{urlencode(following)}",
        )

    @post("/console/users/{user_id:uuid}")
    async def change(self, site: NamedDependency[Site], request: AnyRequest, user_id: FromPath[UUID]) -> Response[Any]:
        """Its sessions end with that, and whoever it is signs in again."""
        visitor, actor = await site.staff(request)
        form = await site.sent(request, visitor)
        role = Role(form["role"]) if form.get("role") in {*Role} else UNSET
        disabled = form["disabled"] == "1" if "disabled" in form else UNSET
        await site.auth.change_user(actor, user_id, UserChange(role=role, disabled=disabled))
        return site.pages.lead(visitor, f"/console/users?{urlencode({'q': form.get('q', '')})}")

    @get("/console/users/{user_id:uuid}")
    async def sessions(
        self, site: NamedDependency[Site], request: AnyRequest, user_id: FromPath[UUID]
    ) -> Response[bytes]:
        visitor, actor = await site.staff(request)
        sessions = (await site.auth.sessions_of(actor, user_id)).items
        names = await names_of(site, actor, [user_id])
        return site.pages.answer(
            visitor, "console/sessions.html", here="users", user_id=user_id, name=names[user_id], sessions=sessions
        )

    @post("/console/users/{user_id:uuid}/sessions/{session_id:uuid}")
    async def end_session(
        self, site: NamedDependency[Site], request: AnyRequest, user_id: FromPath[UUID], session_id: FromPath[UUID]
    ) -> Response[Any]:
        """Also one that has ended meanwhile."""
        visitor, actor = await site.staff(request)
        await site.sent(request, visitor)
        with suppress(SessionNotFound):
            await site.auth.end_session(actor, session_id, user_id)
        return site.pages.lead(visitor, f"/console/users/{user_id}")

    @get("/console/audit")
    async def audit(self, site: NamedDependency[Site], request: AnyRequest) -> Response[Any]:
        """Of all contexts together, newest first; of one alone page by page."""
        visitor, actor = await site.staff(request)
        require_role(actor, Role.ADMIN)
        asked = dict(site.asked(request))
        chosen = asked.get("context", "")
        names = [chosen] if chosen in site.oversight else list(site.oversight)
        wanted = EntryFilter(subject=asked.get("subject", "")[:80] or None)
        cursor = asked.get("cursor") if len(names) == 1 else None
        asked_for = [site.oversight[name].audit(actor, wanted, cursor, _ON_A_PAGE) for name in names]
        answers = await asyncio.gather(*(otherwise(one, None) for one in asked_for))
        pages = {name: page for name, page in zip(names, answers, strict=True) if page}
        found = [(name, entry) for name, page in pages.items() for entry in page.items]
        found = sorted(found, key=lambda one: one[1].at, reverse=True)[:_ON_A_PAGE]
        people = await otherwise(names_of(site, actor, (entry.actor for _, entry in found)), {})
        more = pages[chosen].next_cursor if chosen in pages else None
        following = {"context": chosen, "subject": asked.get("subject", ""), "cursor": more or ""}
        return site.pages.answer(
            visitor,
            "console/audit.html",
            here="audit",
            asked=asked,
            contexts=list(site.oversight),
            entries=found,
            people=people,
            silent=[name for name in names if name not in pages],
            next_page=more and f"/console/audit?{urlencode(following)}",
        )
