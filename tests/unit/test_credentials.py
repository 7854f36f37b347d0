"""User names and passwords of all scripts, and those that are nobody's."""

from __future__ import annotations

import msgspec
import pytest

from ecshop.auth.contract import NewUser
from ecshop.auth.credentials import prepared

GOOD = "correct horse battery"


def made(name: str, password: str = GOOD) -> NewUser:
    return msgspec.convert({"user_name": name, "password": password}, NewUser)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("aoi", "aoi"),
        ("Aoi.Tanaka-2_x", "Aoi.Tanaka-2_x"),
        ("aoi@example.jp", "aoi@example.jp"),
        ("\uff21\uff4f\uff49", "Aoi"),
        ("Rene\u0301", "Ren\u00e9"),
        ("\u8475", "\u8475"),
        ("\u3042\u304a\u3044\u30a2\u30aa\u30a4aoi\u8475\u3005", "\u3042\u304a\u3044\u30a2\u30aa\u30a4aoi\u8475\u3005"),
        ("\uff71\uff75\uff72", "\u30a2\u30aa\u30a4"),
        ("\u0430\u043d\u043d\u0430", "\u0430\u043d\u043d\u0430"),
        ("\u05d3\u05d5\u05d3", "\u05d3\u05d5\u05d3"),
        ("administrators", "administrators"),
    ],
    ids=ascii,
)
def test_a_name_is_of_any_script(typed: str, kept: str) -> None:
    assert made(typed).user_name == kept


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "aoi\u200b",
        "a\u200doi",
        "aoi\u202e",
        "aoi\x1b[31m",
        "aoi\x00",
        "\u0430oi",
        "ao\u0456",
        "\u03b1oi",
        "\U0001f600",
        "\U0001d41aoi",
        "admin",
        "ADMIN",
        "\uff41dmin",
        "Root",
        "support",
        "x" * 65,
        "\ufdfa" * 64,
    ],
    ids=ascii,
)
def test_a_name_that_looks_like_another_or_cannot_be_seen_is_refused(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        made(name)


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "PassWord",
        "password1",
        "12345678",
        "\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
        "qwertyuiop",
        "        ",
        "\u3042" * 8,
        "aoitanaka",
        "AoiTanaka",
        "AoiTanaka123",
        "akanatioa",
        "aoitanakaaoitanaka",
        "short",
        "\x07correct horse",
        "x" * 257,
    ],
    ids=ascii,
)
def test_a_password_that_is_tried_first_is_refused(password: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        made("AoiTanaka", password)


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "xkcd93\u00e9\u8336",
        "\u6b63\u3057\u3044\u99ac\u306e\u96fb\u6c60\u3067\u3059",
        "x7" * 128,
        "AoiTanaka-and-a-horse",
        " a b c d ",
    ],
    ids=ascii,
)
def test_any_other_password_is_good(password: str) -> None:
    assert made("AoiTanaka", password).password == password


@pytest.mark.parametrize(
    "other",
    ["pa\u0308sswo\u0308rt 1", "p\u00e4ssw\u00f6rt\u30001", "\uff50\u00e4ssw\u00f6rt 1", "p\u00e4ssw\u00f6rt\u00a01"],
    ids=ascii,
)
def test_a_password_is_the_same_on_every_keyboard(other: str) -> None:
    assert prepared(other) == prepared("p\u00e4ssw\u00f6rt 1")


def test_capitals_and_blanks_in_it_count() -> None:
    assert len({prepared(one) for one in ("correct horse", "Correct horse", "correct  horse", "correct horse ")}) == 4
