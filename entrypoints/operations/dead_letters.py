"""Dead letters of all contexts, for whoever looks after the shop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy.orm import Session

from ecshop.events.audit import COMMAND_LINE, note
from ecshop.oversight.dead_letters import all_letters
from entrypoints.contexts import NAMES
from entrypoints.operations.shop_data import beside_the_shop
from entrypoints.settings import Settings

Verdict = Callable[[Session, str], None]


def dead_letters(settings: Settings) -> Iterator[str]:
    """A line for each: which context gave up on which event, when, and why. Raises `NoShop`."""
    for name in NAMES:
        for letter in beside_the_shop(settings, name, all_letters):
            tries = f"{letter.attempts} tries, {letter.times} times"
            story = f"{letter.failed_at:%Y-%m-%d %H:%M:%S}  {tries}  {letter.error}"
            yield f"{name:<8}  {letter.event_id}  {letter.type or 'undecodable'}  {story}"


def settle_dead_letter(settings: Settings, context: str, event_id: str, verdict: Verdict) -> None:
    """Raises `DeadLetterNotFound`, `DeadLetterUndecodable` or `NoShop`."""

    def settle(session: Session) -> None:
        verdict(session, event_id)
        note(
            session, None, "dead_letter.settled", f"event {event_id}", after={"by": verdict.__name__}, role=COMMAND_LINE
        )

    beside_the_shop(settings, context, settle)
