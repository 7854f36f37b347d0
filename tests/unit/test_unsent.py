"""Which forms are kept where they are sent in vain, and what of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from ecshop.kernel.errors import Aborted, Unavailable
from ecshop.web.account_pages import LARGEST_FORM
from ecshop.web.forms import Form
from ecshop.web.patience import one_by_one
from ecshop.web.unsent import Unsent, keep, kept, read


def sent(fields: dict[str, str], files: dict[str, bytes] | None = None, referer: str = "") -> Unsent | None:
    headers = [(b"host", b"shop.example"), (b"referer", referer.encode())]
    scope: Any = {"path": "/console/stock/7", "query_string": b"show=low", "headers": headers, "state": {}}
    keep(scope, Form([*fields.items()], files or {}))
    return kept(scope)


def test_what_was_typed_is_kept_with_where_it_goes_but_for_the_token_and_the_files() -> None:
    here = "https://shop.example/console/stock/7"
    found = sent({"delta": "3", "reason": "", "form_token": "t"}, {"picture": b"x"}, referer=here)
    assert found == Unsent(
        "/console/stock/7?show=low", "/console/stock/7", {"delta": "3", "reason": ""}, had_files=True
    )
    assert read(found.written) == found


@pytest.mark.parametrize("name", ["password", "new_password"])
def test_no_password_is_written_onto_a_page(name: str) -> None:
    assert sent({"username": "aoi", name: "correct horse"}) is None


@pytest.mark.parametrize("character", ["a", "\n", '"', "\U0001f375"])
def test_what_is_kept_fits_into_the_form_of_the_sign_in(character: str) -> None:
    found = sent({"csv": character * 16 * 1024})
    assert found
    assert len(urlencode({"unsent": found.written})) < LARGEST_FORM
    assert sent({"csv": character * 16 * 1024, "more": "x"}) is None


@pytest.mark.parametrize("referer", ["", "https://elsewhere.example/console", "https://shop.example/docs"])
def test_who_comes_from_nowhere_goes_back_to_the_basket(referer: str) -> None:
    found = sent({"delta": "3"}, referer=referer)
    assert found
    assert found.page == "/shop/basket"


def test_of_several_changes_only_the_first_one_that_fails_has_changed_nothing() -> None:
    for has_begun, raised in ((False, Aborted), (True, Unavailable)):
        with pytest.raises(Unavailable) as found, one_by_one(has_begun=has_begun):
            raise Aborted("too much waits")
        assert type(found.value) is raised
