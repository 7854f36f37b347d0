"""What the shop refuses is said in the language of the page."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ecshop.auth.contract import NewApiKey, NewUser, PasswordChange
from ecshop.kernel.errors import EcshopError, InvalidRequest
from ecshop.product.contract import CategoryBody, NewProduct
from ecshop.stock.contract import Adjustment
from ecshop.web.refusals import _SAID, read, said
from ecshop.web.words import Words

PASSWORD = "correct horse battery"
WRONG: list[tuple[type, dict[str, Any]]] = [
    *(
        (NewUser, {"user_name": name, "password": PASSWORD})
        for name in ("", "a b", "x" * 65, "admin", "aж", "\u200b", "\u2603")
    ),
    *(
        (NewUser, {"user_name": "aoi", "password": word})
        for word in ("", "short", "password", "x" * 257, "aoiaoiaoi", "\x00" * 9)
    ),
    *((PasswordChange, {"current_password": "x", "new_password": word}) for word in ("", "x" * 257)),
    *((CategoryBody, {"name": name}) for name in ("", "x" * 101, " ", "\u200b", "\u3164", "\ufdfa" * 90)),
    *((NewProduct, {"name": name, "price": 1}) for name in ("", "x" * 201, "\x07")),
    *((NewProduct, {"name": "Tea", "price": price}) for price in (-1, 10**13, "x")),
    (NewProduct, {"name": "Tea", "price": 1, "currency": "XXX"}),
    (NewProduct, {"name": "Tea", "price": 1, "detail": "x" * 4001}),
    *((Adjustment, {"delta": 1, "reason": reason}) for reason in ("", "x" * 201, "\u200b")),
    (NewApiKey, {"name": "", "scopes": ["order.read"], "days": 1}),
]


def english(text: str) -> list[str]:
    """Words of it, but for codes and names of formats."""
    return re.findall(r"[a-z]{2,}", text.replace("WebP", ""))


@pytest.mark.parametrize(("type_", "fields"), WRONG)
def test_what_a_form_can_get_wrong_is_said_in_japanese(type_: type, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read(fields, type_)
    says = said(refusal.value, Words("ja"))
    assert says
    assert english(says) == []
    assert said(refusal.value, Words("en")) not in {says, refusal.value.detail}


@pytest.mark.parametrize("error", list(_SAID), ids=str)
def test_a_refusal_is_said_with_what_it_tells(error: type[EcshopError]) -> None:
    raised = error("in English", **error.example)
    for language in ("en", "ja"):
        says = said(raised, Words(language))
        assert says != "in English"
        assert "{" not in says
    assert english(said(raised, Words("ja"))) == []
