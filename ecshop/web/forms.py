"""What a page sends: fields, and files (RFC 7578)."""

from __future__ import annotations

from io import BytesIO
from typing import Final
from urllib.parse import parse_qsl

from multipart import MultipartError, MultipartParser, parse_options_header  # type: ignore[import-untyped] # it has no hints

from ecshop.kernel.errors import UnsupportedMediaType
from ecshop.kernel.http.strict import FORM

Pairs = list[tuple[str, str]]

_FILES: Final = "multipart/form-data"
_MOST_FIELDS: Final = 64


class Form(dict[str, str]):
    """Its fields by name; of several with one name the last. A file that nobody chose is not among the `files`."""

    def __init__(self, fields: Pairs, files: dict[str, bytes]) -> None:
        super().__init__(fields)
        self.files = files


def form_of(content_type: str, body: bytes) -> Form:
    """Raises `UnsupportedMediaType` for what is no form; a broken one is an empty one."""
    media_type, options = parse_options_header(content_type)
    if media_type == FORM:
        return Form(pairs_of(body), {})
    if media_type == _FILES:
        return _of_parts(body, options.get("boundary", ""))
    raise UnsupportedMediaType(f"send Content-Type: {FORM} or {_FILES}")


def pairs_of(written: bytes) -> Pairs:
    """Litestar's own reading would keep the last thousand bodies in memory, passwords and all."""
    try:
        found = parse_qsl(written.decode(errors="replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return []
    return [(name, value.replace("\0", "")) for name, value in found]


def _of_parts(body: bytes, boundary: str) -> Form:
    fields: Pairs = []
    files: dict[str, bytes] = {}
    try:
        for part in MultipartParser(BytesIO(body), boundary, part_limit=_MOST_FIELDS, spool_limit=len(body)):
            if part.filename is None:
                fields.append((part.name, part.raw.decode(errors="replace").replace("\0", "")))
            elif part.size:
                files[part.name] = part.raw
    except (MultipartError, ValueError):
        return Form([], {})
    return Form(fields, files)
