"""What pages say, in the visitor's language: words from a catalogue, amounts and dates by locale."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from babel import Locale
from babel.core import negotiate_locale
from babel.dates import LOCALTZ, format_date, format_skeleton, format_time
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, get_currency_precision

ENGLISH: Final = "en"
LANGUAGES: Final = {ENGLISH: "English", "ja": "日本語"}
"""By code, each in its own words."""
_CATALOGUES: Final = Path(__file__).parent / "locales"
_AMOUNT: Final = "¤#,##0.00"
"""The same in every language: what costs ¥1,200 costs that for a reader of Japanese, too."""

_TEN, _MINUTE, _DAY = 10, 60, 24


def gettext_noop(text: str) -> str:
    """Marks a text for the catalogue where it is not said yet (GNU gettext, section 4.7)."""
    return text


class Words:
    """Of one language; a text that its catalogue has not is said in English."""

    def __init__(self, language: str) -> None:
        self.language, self._locale = language, Locale.parse(language)
        self._said = {} if language == ENGLISH else _catalogue(language)

    def __call__(self, text: str, **values: object) -> str:
        """`values` stand in the place of their names in braces; what is before a | tells two meanings of a text apart,
        and is not said (as in GLib's `Q_`).
        """
        said = self._said.get(text) or text.rpartition("|")[2]
        return said.format(**values) if values else said

    def amount(self, minor_units: int, currency: str) -> str:
        value = Decimal(minor_units).scaleb(-get_currency_precision(currency))
        return format_currency(value, currency, _AMOUNT, locale=ENGLISH)

    def number(self, value: int) -> str:
        return format_decimal(value, locale=self._locale)

    def day(self, moment: datetime) -> str:
        return format_date(moment.astimezone(LOCALTZ), "long", locale=self._locale)

    def short_day(self, moment: datetime) -> str:
        return format_skeleton("MMMd", moment, tzinfo=LOCALTZ, locale=self._locale)

    def month(self, moment: datetime) -> str:
        skeleton = "y年M月" if self.language == "ja" else "MMMM y"
        return format_date(moment.astimezone(LOCALTZ), skeleton, locale=self._locale)

    def minute(self, moment: datetime) -> str:
        return format_time(moment, "HH:mm", tzinfo=LOCALTZ, locale=self._locale)

    def second(self, moment: datetime) -> str:
        return format_time(moment, "HH:mm:ss", tzinfo=LOCALTZ, locale=self._locale)

    def instant(self, moment: datetime) -> str:
        return f"{self.second(moment)}.{moment.microsecond // 1000:03d}"

    def took(self, milliseconds: float) -> str:
        """With as much of it as says something: 0.4 ms, 3.2 s, 12 min, 3 h 12 min, 2 d 4 h."""
        seconds = milliseconds / 1000
        if seconds < 1:
            return self(gettext_noop("{n} ms"), n=f"{milliseconds:.1f}" if milliseconds < _TEN else round(milliseconds))
        if seconds < _MINUTE:
            return self(gettext_noop("{n} s"), n=f"{seconds:.1f}")
        minutes = round(seconds / _MINUTE)
        if minutes < _MINUTE:
            return self(gettext_noop("{n} min"), n=minutes)
        hours, minutes = divmod(minutes, _MINUTE)
        if hours < _DAY:
            return self(gettext_noop("{h} h {m} min"), h=hours, m=minutes)
        return self(gettext_noop("{d} d {h} h"), d=hours // _DAY, h=hours % _DAY)


def all_words() -> Mapping[str, Words]:
    return {language: Words(language) for language in LANGUAGES}


def language_of(chosen: str, accepted: str) -> str:
    """By the visitor's own choice, else by Accept-Language (RFC 9110, section 12.5.4)."""
    if chosen in LANGUAGES:
        return chosen
    wanted = sorted(_weighted(accepted), key=lambda pair: -pair[1])
    return negotiate_locale([tag for tag, weight in wanted if weight], [*LANGUAGES], sep="-") or ENGLISH


def _weighted(accepted: str) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for part in accepted.split(",")[:20]:
        tag, _, weight = part.strip().lower().partition(";q=")
        try:
            found.append((tag, float(weight or 1)))
        except ValueError:
            continue
    return found


def _catalogue(language: str) -> dict[str, str]:
    with (_CATALOGUES / f"{language}.po").open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file, locale=language) if message.id}
