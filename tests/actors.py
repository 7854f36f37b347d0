"""Who does what a test has to have done before it begins."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from ecshop.kernel.identity import Actor, Role

STAFF: Final = Actor(UUID(int=7), Role.STAFF)
