"""What people name things with: how it is kept, and when two texts are the same word."""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import force_setattr

from ecshop.kernel.validation import Wrong

LINES: Final = "\t\n\r\u2028\u2029"
"""The control characters that a text of several lines is made with."""

_REFUSED: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINER: Final = re.compile(r"(?<=[^\s\u200c\u200d])[\u200c\u200d](?=[^\s\u200c\u200d])")
_BRAILLE_BLANK: Final = "\u2800"
_IGNORABLE: Final = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Unicode's Default_Ignorable_Code_Point, which the standard library does not know."""

_FIRST_SURROGATE: Final = 0xD800
_AFTER_SURROGATES: Final = 0xE000
_ACCENTED: Final = re.compile(r"([^\W\d_])[\u0300-\u036f]+")
"""Accents of Latin, Greek and Cyrillic; the marks of other scripts, like dakuten, make another letter."""


def key_of(name: str) -> str:
    """Equal for names that are the same but for case, width, composition, blanks and what is not seen.

    Unicode's NFKC_Casefold, which the standard library suffices for; accents tell names apart: resume is not résumé.
    """
    text = unicodedata.normalize("NFD", _IGNORABLE.sub("", name))
    for _ in range(2):  # folding brings up more to normalise, and that more to fold (Unicode, D146)
        text = unicodedata.normalize("NFKC", text.casefold())
    return " ".join(text.replace(_BRAILLE_BLANK, " ").split())


def search_text(text: str) -> str:
    """What a part of a text is looked for in, and what for: as `key_of`, and without accents."""
    return unicodedata.normalize("NFC", _ACCENTED.sub(r"\1", unicodedata.normalize("NFD", key_of(text))))


def beyond(prefix: str) -> str:
    """The first text, by code points, behind those that begin with `prefix`; the last code point has none behind it."""
    after = min(ord(prefix[-1]) + 1, sys.maxunicode)
    return prefix[:-1] + chr(_AFTER_SURROGATES if after == _FIRST_SURROGATE else after)


def keep_name(struct: Struct, field: str, longest: int) -> None:
    """For `__post_init__`: the field is kept composed (NFC) and without blanks around it. Raises `Wrong`.

    Its key is as short, so that any name fits into an index.
    """
    name = getattr(struct, field)
    if name is UNSET:
        return
    refuse_invisible(field, name)
    kept, key = unicodedata.normalize("NFC", name.strip()), key_of(name)
    if not key:
        raise Wrong(field, "must hold something that can be seen")
    if max(len(kept), len(key)) > longest:
        raise Wrong(field, f"must be text of at most {longest} characters, its ligatures written out")
    force_setattr(struct, field, kept)


def refuse_invisible(field: str, text: str | UnsetType, *, but: str = "") -> None:
    """Raises `Wrong` for control and format characters.

    Joiners may stand between two characters that are seen, where emoji and some scripts need them.
    """
    if text is UNSET:
        return
    for character in _JOINER.sub("", text):
        if unicodedata.category(character) in _REFUSED and character not in but:
            raise Wrong(field, f"must not hold control or invisible characters; U+{ord(character):04X} is one")
