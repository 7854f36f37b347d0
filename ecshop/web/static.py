"""Files that pages load: under a name with their hash in it, to be kept for good, and compressed once."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Final, NamedTuple

from litestar import Response
from litestar.types import Scope

from ecshop.kernel.errors import NoSuchPath
from ecshop.kernel.http.headers import header
from ecshop.kernel.http.safety import FOR_GOOD

PREFIX: Final = "/static/"
_HERE: Final = Path(__file__).parent
_FOLDERS: Final = (_HERE / "static", _HERE / "vendor" / "htmx")
_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_HASH_DIGITS: Final = 10


class _File(NamedTuple):
    media_type: str
    plain: bytes
    compressed: bytes


class Static:
    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._hashed: dict[str, str] = {}
        for folder in _FOLDERS:
            for path in sorted(folder.rglob("*")):
                if path.suffix in _TYPES:
                    self._take(path.relative_to(folder), path.read_bytes())

    def url(self, name: str) -> str:
        """Of a file that there is; `KeyError` for any other."""
        return PREFIX + self._hashed[name]

    def picture(self, name: str | None) -> str | None:
        """Where a product's picture is; None for one that there is not."""
        hashed = self._hashed.get(f"products/{name}")
        return hashed and PREFIX + hashed

    def answer(self, name: str, scope: Scope) -> Response[bytes]:
        """Raises `NoSuchPath`."""
        file = self._files.get(name)
        if file is None:
            raise NoSuchPath(f"nothing is served at {PREFIX}{name}")
        is_taken = "gzip" in (header(scope, b"accept-encoding") or "") and len(file.compressed) < len(file.plain)
        headers = {"cache-control": FOR_GOOD, "vary": "accept-encoding"}
        if is_taken:
            headers["content-encoding"] = "gzip"
        return Response(file.compressed if is_taken else file.plain, media_type=file.media_type, headers=headers)

    def _take(self, path: Path, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()[:_HASH_DIGITS]
        hashed = str(path.with_suffix(f".{digest}{path.suffix}"))
        self._hashed[str(path)] = hashed
        self._files[hashed] = _File(_TYPES[path.suffix], content, gzip.compress(content, mtime=0))
