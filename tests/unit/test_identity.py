"""What a role and a scope permit."""

from __future__ import annotations

import pytest
from uuid_utils.compat import uuid7

from ecshop.kernel.errors import Forbidden
from ecshop.kernel.identity import Actor, Caller, Role, require_role, require_scope

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("held", Role)
@pytest.mark.parametrize("needed", Role)
async def test_a_role_may_do_what_the_lower_ones_may(held: Role, needed: Role) -> None:
    ranks = ["customer", "staff", "admin"]
    actor = Actor(uuid7(), held)
    if ranks.index(held) >= ranks.index(needed):
        require_role(actor, needed)
    else:
        with pytest.raises(Forbidden, match=f"this needs the role {needed}; yours is {held}"):
            require_role(actor, needed)


async def test_a_scope_has_to_be_granted() -> None:
    caller = Caller("order", frozenset({"stock.reserve"}))
    require_scope(caller, "stock.reserve")
    with pytest.raises(Forbidden):
        require_scope(caller, "stock")
