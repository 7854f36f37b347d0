"""What a user name and a password may be, for people of all scripts; nobody can look like another one."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import force_setattr
from precis_i18n import get_profile

from ecshop.kernel.validation import Wrong, rule, wrong
from ecshop.kernel.words import key_of, refuse_invisible

LONGEST_USER_NAME: Final = 64
SHORTEST_PASSWORD: Final = 8
LONGEST_PASSWORD: Final = 256
_ONE_WORD = rule(r"^[^\s\x00]+(?![\s\S])", "without spaces")

UserName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_USER_NAME,
        pattern=_ONE_WORD,
        description="Unique, whatever its case and width. Letters of one script, digits and ASCII marks (RFC 8265).",
        examples=["aoi"],
    ),
]
Password = Annotated[
    str,
    Meta(
        min_length=SHORTEST_PASSWORD,
        max_length=LONGEST_PASSWORD,
        description="Any characters. Not one of those that everybody tries first, and not like the user name.",
        examples=["correct horse battery"],
    ),
]
_OWN_PART: Final = 4
"""Characters that a password has beside the user name, at least."""
_USER_NAME: Final = get_profile("UsernameCasePreserved")
_PASSWORD: Final = get_profile("OpaqueString")
_RESERVED: Final = re.compile(
    "admin|administrator|anonymous|api|auth|console|ecshop|guest|help|info|me|nobody|null|operator|order|owner|product|root|"
    "security|service|shop|staff|stock|support|system|undefined|user|webmaster"
)
"""By their keys: whoever reads them takes them for the shop itself."""
_WRITTEN_TOGETHER: Final = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO", "IDEOGRAPHIC"}),
    frozenset({"LATIN", "CJK", "HANGUL", "IDEOGRAPHIC"}),
)
"""Scripts that one text has side by side (UTS 39, highly restrictive); any other stands alone."""


def keep_user_name(struct: Struct, field: str) -> None:
    """For `__post_init__`: as PRECIS has user names (RFC 8265, section 3.4), of one script, and not the shop's own.

    Raises `Wrong`.
    """
    refuse_invisible(field, getattr(struct, field))
    try:
        name = _USER_NAME.enforce(getattr(struct, field))
    except UnicodeEncodeError as cause:
        raise Wrong(field, f"must be of letters, digits and ASCII marks, without spaces; {_why(cause)}") from cause
    if len(name) > LONGEST_USER_NAME:
        raise Wrong(field, f"must be text of at most {LONGEST_USER_NAME} characters")
    if not _is_of_one_script(name):
        raise Wrong(field, "must be of one script: letters of several can look like another name")
    if _RESERVED.fullmatch(key_of(name)):
        raise Wrong(field, "must not be a name that could be taken for the shop's own")
    force_setattr(struct, field, name)


def check_password(struct: Struct, field: str, user_name: str) -> None:
    """For `__post_init__`: what is known to be tried first is refused; whatever else is no rule. Raises `Wrong`.

    NIST SP 800-63B, section 3.1.1.2.
    """
    password = prepared(getattr(struct, field))
    if password is None:
        raise Wrong(field, "must not hold control characters")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Wrong(field, f"must be text of {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    folded, name = key_of(password), key_of(user_name)
    if len(set(folded)) <= 1 or folded in _common():
        raise Wrong(field, "must not be one of those that everybody tries first")
    if name and len(folded.replace(name, "").replace(name[::-1], "")) < _OWN_PART and name in folded + folded[::-1]:
        raise Wrong(field, "must not be like the user name")


def require_password(struct: Struct, field: str, user_name: str) -> None:
    """The same where the name comes from elsewhere than the struct. Raises `InvalidRequest`."""
    try:
        check_password(struct, field, user_name)
    except Wrong as cause:
        raise wrong(cause.field, cause.message) from cause


def prepared(password: str) -> str | None:
    """The same for a password that is typed on another keyboard; None for one that nobody can have.

    PRECIS' OpaqueString (RFC 8265, section 4.2), and NFKC.
    """
    try:
        enforced: str = _PASSWORD.enforce(password)
    except UnicodeEncodeError:
        return None
    return unicodedata.normalize("NFKC", enforced)


def _is_of_one_script(name: str) -> bool:
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in name if letter.isalpha()}
    return len(scripts) <= 1 or any(scripts <= together for together in _WRITTEN_TOGETHER)


def _why(refusal: UnicodeEncodeError) -> str:
    refused = str(refusal.object)[refusal.start : refusal.start + 1]
    return f"U+{ord(refused):04X} is none" if refused else "it is none"


@cache
def _common() -> frozenset[str]:
    """The 30,000 most common, as they were found in leaks; loaded when somebody chooses his first."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415 - half of a tenth of a second of each start

    return frozenset(key_of(password) for password in FREQUENCY_LISTS["passwords"])
