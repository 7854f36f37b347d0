"""Which tests one test process runs one after the other: what they share is then started once, and not in each."""

from __future__ import annotations

from typing import Final

import pytest
from xdist.scheduler import LoadGroupScheduling

_DEAR: Final = {"apart": "apart", "on_postgres": "on_postgres", "pubsub_host": "pubsub", "pubsub": "pubsub"}
"""Fixtures, and values of parameters, that stand for several processes; and who has them alone."""


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
    values = item.callspec.params if hasattr(item, "callspec") else {}
    asked_for = (*item.fixturenames, values.get("shop"), "pubsub" if "pubsub" in values.values() else None)
    for name in asked_for:
        if name in _DEAR:
            item.add_marker(pytest.mark.xdist_group(_DEAR[name]))
            return
