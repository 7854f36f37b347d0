"""When two texts are the same word, and what is no name."""

from __future__ import annotations

import sys
import unicodedata
from typing import Literal, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecshop.kernel.validation import Wrong
from ecshop.kernel.words import LINES, beyond, keep_name, key_of, refuse_invisible, search_text

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

repeatably = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
texts = st.text(st.characters(exclude_characters="\u0131", exclude_categories=["Cs"]))
"""Without the dotless i: its capital is that of another letter."""


class Named(msgspec.Struct, frozen=True):
    name: str | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        keep_name(self, "name", 10)


@repeatably
@given(texts)
def test_what_is_folded_is_folded_for_good(text: str) -> None:
    assert key_of(key_of(text)) == key_of(text)
    assert search_text(search_text(text)) == search_text(text)


@repeatably
@given(texts, st.sampled_from(get_args(Form)))
def test_a_word_is_the_same_in_every_form_of_unicode(text: str, form: Form) -> None:
    assert key_of(unicodedata.normalize(form, text)) == key_of(text)
    assert search_text(unicodedata.normalize(form, text)) == search_text(text)


@repeatably
@given(texts)
def test_a_word_is_the_same_in_every_case(text: str) -> None:
    assert key_of(text.upper()) == key_of(text.lower()) == key_of(text)


@repeatably
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E)))
def test_a_word_is_the_same_in_full_width(text: str) -> None:
    assert key_of("".join(chr(ord(letter) + 0xFEE0) for letter in text)) == key_of(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Green tea", " GREEN \t tea\n"),
        ("green tea", "green\u3000tea\u2800"),
        ("\u30ab\u30d5\u30a7", "\uff76\uff8c\uff6a"),
        ("\u30ac", "\uff76\uff9e"),
        ("Stra\u00dfe", "STRASSE"),
        ("\u2764\ufe0f", "\u2764"),
        ("te\u200da", "tea"),
        ("te\u034fa", "tea"),
    ],
)
def test_these_are_the_same_name(one: str, other: str) -> None:
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    ("one", "other"), [("resume", "r\u00e9sum\u00e9"), ("\u304b", "\u304c"), ("green tea", "greentea"), ("=", "\u2260")]
)
def test_these_are_two_names(one: str, other: str) -> None:
    assert key_of(one) != key_of(other)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("Cr\u00e8me br\u00fbl\u00e9e", "creme brulee"),
        ("\u1ec7", "e"),
        ("\u03ac\u03b8\u03ae\u03bd\u03b1", "\u03b1\u03b8\u03b7\u03bd\u03b1"),
        ("\u0401\u043b\u043a\u0430", "\u0435\u043b\u043a\u0430"),
    ],
)
def test_accents_are_left_out_of_what_is_looked_for(written: str, wanted: str) -> None:
    assert search_text(written) == search_text(wanted)


@pytest.mark.parametrize(
    ("one", "other"),
    [("\u304b", "\u304c"), ("\u306f", "\u3071"), ("\uff8a", "\uff8a\uff9f"), ("=", "\u2260"), ("\u0627", "\u0623")],
)
def test_other_marks_are_looked_for(one: str, other: str) -> None:
    assert search_text(one) not in search_text(other)


@repeatably
@given(texts.filter(bool), texts)
def test_beyond_a_beginning_is_what_comes_after_all_that_begins_with_it(beginning: str, rest: str) -> None:
    assert beginning <= beginning + rest < beyond(beginning) or beginning.endswith(chr(sys.maxunicode))


def test_nothing_is_beyond_the_last_character() -> None:
    assert beyond("a") == "b"
    assert beyond("\u8336\ud7ff") == "\u8336\ue000"
    assert beyond(chr(sys.maxunicode)) == chr(sys.maxunicode)


def test_a_name_is_kept_composed_and_without_blanks_around_it() -> None:
    assert Named(" \u3000Cafe\u0301  au ").name == "Caf\u00e9  au"
    assert Named().name is msgspec.UNSET


@pytest.mark.parametrize("text", ["", " ", "\u3000", "\u2800", "\u3164", "\u115f\u1160", "\uffa0", "\u034f", "\ufe0f"])
def test_what_draws_nothing_is_no_name(text: str) -> None:
    with pytest.raises(Wrong, match="name must hold something that can be seen"):
        Named(text)


@pytest.mark.parametrize("text", ["x" * 11, "\ufdfa", "\u00df" * 6, "\ufb2c" * 4])
def test_a_name_is_too_long_when_it_is_so_written_out(text: str) -> None:
    with pytest.raises(Wrong, match="name must be text of at most 10 characters"):
        Named(text)


@pytest.mark.parametrize(
    "character",
    "\x01\t\n\r\x1b\x7f\x85\u00ad\u061c\u200b\u200e\u2028\u2029\u202e\u2060\u2066\ufeff\ufff9\U000e0041\ud800",
    ids=ascii,
)
def test_what_cannot_be_seen_is_refused_and_named(character: str) -> None:
    for text in (f"te{character}a", f"{character}tea", f"tea{character}"):
        with pytest.raises(Wrong, match=rf"^name must not hold .*; U\+{ord(character):04X} is one$"):
            Named(text)


def test_text_of_several_lines_has_its_line_breaks_and_tabs() -> None:
    refuse_invisible("detail", f"one{LINES}two", but=LINES)
    with pytest.raises(Wrong, match=r"U\+200B"):
        refuse_invisible("detail", "one\n\u200b", but=LINES)


def test_a_joiner_stands_between_two_characters_that_are_seen() -> None:
    for joined in ("\U0001f469\u200d\U0001f4bb", "\u2764\ufe0f\u200d\U0001f525", "\u0645\u06cc\u200c\u062e\u0648"):
        assert Named(joined).name == joined
    for loose in ("\u200d", "tea\u200d", "\u200ctea", "a \u200db", "a\u200d b", "a\u200d\u200cb"):
        with pytest.raises(Wrong, match=r"U\+200[CD]"):
            Named(loose)
