"""What pages say: in each language all of it, amounts and dates as readers of it write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file

from ecshop.web import words
from ecshop.web.words import LANGUAGES, Words, language_of

WEB = Path(words.__file__).parent
KEYWORDS = {"_": None, "words": None, "gettext_noop": None}
METHODS = {".html": "jinja2.ext:babel_extract", ".py": "python"}


def said() -> dict[str, str]:
    """All texts of pages, each with a file that it is in."""
    found: dict[str, str] = {}
    for file in sorted(WEB.rglob("*")):
        if file.suffix in METHODS:
            for _, text, *_ in extract_from_file(METHODS[file.suffix], file, keywords=KEYWORDS):
                found[str(text)] = file.name
    return found


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_text_is_there_in_every_language_and_no_other(language: str) -> None:
    texts, known = said(), Words(language)._said
    assert len(texts) > 100
    assert {text: file for text, file in texts.items() if not known.get(text)} == {}
    assert {text for text in known if text not in texts} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_places_for_the_same_values(language: str) -> None:
    for text in said():
        places = re.findall(r"{\w+}", text)
        assert sorted(re.findall(r"{\w+}", Words(language)(text))) == sorted(places), text


def test_no_template_says_anything_past_the_catalogue() -> None:
    """Between tags there is nothing but what the catalogue says, names, numbers and marks."""
    for file in sorted((WEB / "templates").rglob("*.html")):
        text = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", "", file.read_text(), flags=re.DOTALL)
        text = re.sub(r"<script.*?</script>|<title>.*?</title>|<[^>]*>", " ", text, flags=re.DOTALL)
        assert set(re.findall(r"[^\W\d_]+", text)) <= {"ecshop", "No"}, file.name


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "ja", "ja"),
        ("", "ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        ("", "fr-FR, en;q=0.5, ja;q=0.9", "ja"),
        ("", "fr", "en"),
        ("", "JA", "ja"),
        ("", "En-US,JA;q=0.5", "en"),
        ("", "ja;q=0, en", "en"),
        ("", "ja;q=x,;q=,*", "en"),
        ("en", "ja", "en"),
        ("ja", "en", "ja"),
        ("xx", "ja", "ja"),
    ],
)
def test_a_visitor_reads_what_he_chose_or_else_what_his_browser_asks_for(
    chosen: str, accepted: str, language: str
) -> None:
    assert language_of(chosen, accepted) == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_amounts_are_the_same_in_every_language(language: str) -> None:
    say = Words(language)
    assert [say.amount(1200, "JPY"), say.amount(1250, "EUR"), say.amount(0, "JPY")] == ["¥1,200", "€12.50", "¥0"]


def test_days_are_as_their_readers_write_them() -> None:
    moment = datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert [Words(language).day(moment) for language in LANGUAGES] == ["November 25, 2026", "2026年11月25日"]
    assert [Words(language).month(moment) for language in LANGUAGES] == ["November 2026", "2026年11月"]
