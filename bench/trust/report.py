"""What an attack came to, and what it may come to at most."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple, NoReturn


class Finding(NamedTuple):
    what: str
    found: str
    must: str
    is_met: bool


def at_most(what: str, found: float, most: float, unit: str = "") -> Finding:
    return Finding(what, f"{found:,.4g}{unit}", f"<= {most:,.4g}{unit}", found <= most)


def at_least(what: str, found: int, least: int) -> Finding:
    return Finding(what, f"{found:,}", f">= {least:,}", found >= least)


def none_of(what: str, found: Iterable[str]) -> Finding:
    """Of things that must not be there, the first ones by name."""
    names = sorted(found)
    return Finding(what, ", ".join(names[:3]) or "none", "none", not names)


def show(findings: Iterable[Finding]) -> NoReturn:
    """Each as soon as it is there; the exit status says whether all are met."""
    missed = 0
    for one in findings:
        missed += not one.is_met
        print(f"{one.what:<66}  {one.found:>24}  {one.must:<12}  {'' if one.is_met else 'MISSED'}".rstrip(), flush=True)
    sys.exit(int(missed > 0))
