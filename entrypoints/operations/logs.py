"""Log lines that processes have kept, joined by what they are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from ecshop.kernel.errors import EcshopError
from ecshop.kernel.telemetry.log_file import before
from entrypoints.settings import LOG_SUFFIX, Settings

_FIELDS: Final = {
    "order": ("order_id", "subject"),
    "request": ("request_id", "request_ids"),
    "event": ("event_id",),
}
"""Where a line says what it is about."""

_JOINS: Final = frozenset({"request_id", "request_ids", "span_id", "sampled", "client"})

Line = dict[str, Any]
_decoder: Final = msgspec.json.Decoder(Line)


class NoLogs(EcshopError, code="logs.none", status=404):
    """No process has kept such lines here."""


class _Form(NamedTuple):
    text: str
    names: frozenset[str]


_FORMS: Final = {
    "request": _Form("{method} {path} {status} in {ms} ms", frozenset({"method", "path", "status", "ms"})),
    "event received": _Form("heard {type} {subject}: {did}", frozenset({"type", "subject", "did"})),
}


class Kept(NamedTuple):
    """A line, and the process that wrote it."""

    process: str
    line: Line


def lines_about(settings: Settings, what: str, id_: str) -> list[Kept]:
    """All that was logged of the requests that an order, a request or an event is part of, in the order of time.

    Raises `NoLogs`.
    """
    found = list(_read(settings.logs, [id_]))
    told = [kept for kept in found if id_ in _said(kept.line, _FIELDS[what])]
    requests = {id_} if what == "request" else {id_ for kept in told for id_ in _said(kept.line, ("request_id",))}
    joined = [kept for kept in _read(settings.logs, requests) if requests & _said(kept.line, _FIELDS["request"])]
    once = {as_written(kept): kept for kept in [*told, *joined]}
    if not once:
        raise NoLogs(f"no line is about the {what} {id_}; what was logged last may take a moment")
    return sorted(once.values(), key=lambda kept: str(kept.line.get("timestamp")))


def as_written(kept: Kept) -> str:
    """With the process that wrote it."""
    return msgspec.json.encode({"process": kept.process, **kept.line}).decode()


def readable(kept: Kept) -> str:
    """When, where, what; and besides what the line says of it, but for the ids by which it was found.

    A path is what a client has sent: nothing in it reaches a terminal as a command.
    """
    line = {name: value for name, value in kept.line.items() if name not in _JOINS}
    if line.get("consumer") == kept.process:
        del line["consumer"]
    moment, event = str(line.pop("timestamp", ""))[11:23], line.pop("event", "")
    form = _FORMS.get(str(event))
    if form and line.keys() >= form.names:
        event = form.text.format(**{name: line.pop(name) for name in form.names})
    rest = "".join(f"  {name}={value}" for name, value in line.items() if (name, value) != ("level", "info"))
    text = f"{moment}  {kept.process:<8}  {event}{rest}"
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


def _read(folder: Path, ids: Iterable[str]) -> Iterator[Kept]:
    """The lines that have any of the ids in them."""
    files = sorted(folder.glob(f"*{LOG_SUFFIX}"))
    if not files:
        raise NoLogs(
            f"no log is kept in {folder}: the split mode does, and every process with ECSHOP_LOG_FOLDER set to a folder"
        )
    wanted = [id_.encode() for id_ in ids]
    for file in files:
        for path in (before(file), file):
            if path.exists():
                with path.open("rb") as lines:
                    yield from (Kept(file.stem, line) for raw in lines if (line := _line_in(raw, wanted)))


def _line_in(raw: bytes, wanted: Iterable[bytes]) -> Line | None:
    """None also of what a process has not written to its end."""
    if not any(id_ in raw for id_ in wanted):
        return None
    try:
        return _decoder.decode(raw)
    except msgspec.DecodeError:
        return None


def _said(line: Line, fields: Iterable[str]) -> set[str]:
    said = [line[name] for name in fields if line.get(name)]
    return {one for value in said for one in (value if isinstance(value, list) else [str(value)])}
