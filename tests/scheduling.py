"""Which tests one test process runs one after the other, so that what they share is started once and not in each; and
which are quick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pytest
from xdist.scheduler import LoadGroupScheduling

_DEAR: Final = {"apart": "apart", "on_postgres": "on_postgres", "pubsub_host": "pubsub", "pubsub": "pubsub"}
"""Fixtures, and values of parameters, that stand for several processes; and who has them alone."""
_SERVERS: Final = {*_DEAR, "postgres", "redis", "redis_url", "opened"}
"""... and for what has to be installed, and `opened` for a browser."""
_WITHOUT_A_SHOP: Final = ("tests/unit/", "tests/contract/", "tests/architecture/")


class ByWhatTheyShare(LoadGroupScheduling):
    """Groups run in one process each, and modules, which make something for all their tests. Unit tests share nothing
    that is dear: each goes to whichever process is free.
    """

    def _split_scope(self, nodeid: str) -> str:
        """Tests of the same name run in the same process."""
        group = super()._split_scope(nodeid)
        return group if group != nodeid or nodeid.startswith("tests/unit/") else nodeid.partition("::")[0]


def group(item: pytest.Function) -> None:
    """Marks what needs something dear."""
    names, values = _asked_for(item)
    for name in (*names, values.get("shop"), "pubsub" if "pubsub" in values.values() else None):
        if name in _DEAR:
            item.add_marker(pytest.mark.xdist_group(_DEAR[name]))
            return


def mark_quick(item: pytest.Function) -> None:
    """What needs no shop, or no other one than that in one process which tests share."""
    names, values = _asked_for(item)
    shared = "together" in {*names, values.get("shop")}
    if not _SERVERS & {*names, *map(str, values.values())} and (shared or item.nodeid.startswith(_WITHOUT_A_SHOP)):
        item.add_marker(pytest.mark.quick)


def _asked_for(item: pytest.Function) -> tuple[Sequence[str], Mapping[str, object]]:
    """Its fixtures, and the values of its parameters."""
    return item.fixturenames, item.callspec.params if hasattr(item, "callspec") else {}
