"""What a filter finds among the products."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.flows.lists import NOBODYS, found, walk
from tests.flows.names import assert_sorted_and_found
from tests.shops import RunningShop
from tests.waiting import eventually


def test_a_name_is_found_as_a_whole(shop: RunningShop) -> None:
    name = f"Sencha {uuid4()}"
    both = [shop.new_product(name=name) for _ in range(2)]
    shop.new_product(name=f"{name} deluxe")
    assert found(shop, name=name) == both
    assert found(shop, name=name[:-1]) == []
    for typed in (name.upper(), f" {name} ", name.replace(" ", "\u3000")):
        assert found(shop, name=typed) == both
    accented = shop.new_product(name=f"The\u0301 {name}")
    assert (found(shop, name=f"TH\u00c9 {name}"), found(shop, name=f"the {name}")) == ([accented], [])


def test_a_name_is_sorted_and_found_however_it_is_typed(shop: RunningShop) -> None:
    assert_sorted_and_found(shop)


def test_a_part_is_found_in_what_was_changed(shop: RunningShop) -> None:
    tag = uuid4().hex
    product = shop.new_product(name=f"{tag} green", detail="first flush")
    for change in ({"name": f"{tag} black"}, {"detail": "second flush"}):
        shop.call("PUT", f"/products/{product}", shop.staff, json=change).raise_for_status()
        assert [found(shop, name=f"{tag} {now}") for now in ("BLACK", "GREEN")] == [[product], []]
        assert found(shop, q=tag, sort="name") == [product]
    for part in (f"{tag} black", "black"):
        assert product in found(shop, q=part)
    for part in (f"{tag} green", "first flush"):
        assert product not in found(shop, q=part)


def test_a_part_is_found_in_name_and_detail_whatever_its_case(shop: RunningShop) -> None:
    part = uuid4().hex
    in_name = shop.new_product(name=f"Sencha {part.upper()} green")
    in_detail = shop.new_product(detail=f"Reminds of {part}.")
    shop.new_product()
    for wanted in (part, part.upper(), part.title(), part[3:-3]):
        assert found(shop, q=wanted) == [in_name, in_detail]
    assert found(shop, q=f"sencha {part} GREEN") == [in_name]
    assert found(shop, q=f"{part}{part}") == []


@pytest.mark.parametrize(
    ("written", "wanted"), [("\u00c4RGER", "\u00e4rger"), ("\u00e4", "\u00c4"), ("\u0416", "\u0436")]
)
def test_a_part_is_found_whatever_the_case_in_any_alphabet(shop: RunningShop, written: str, wanted: str) -> None:
    tag = uuid4().hex
    product = shop.new_product(name=f"{tag}{written}")
    assert found(shop, q=f"{tag}{wanted}") == [product]


@pytest.mark.parametrize("sign", ["%", "_", "\\", "/", "'", '"', "*", "?", "[", "^", "\u8336", "\U0001f375"])
def test_a_part_is_looked_for_as_it_is_written(shop: RunningShop, sign: str) -> None:
    tag = uuid4().hex
    with_it = shop.new_product(name=f"{tag} 50{sign} off")
    shop.new_product(name=f"{tag} 50x off")
    assert found(shop, q=f"{tag} 50{sign} o") == [with_it]
    assert with_it in found(shop, q=sign)
    assert all(sign in item["name"] + item["detail"] for item in walk(shop, "/products", 100, q=sign))


def test_an_empty_part_is_in_every_product(shop: RunningShop) -> None:
    shop.new_product()
    assert found(shop, q="") == found(shop)


def test_a_category_has_its_own_products(shop: RunningShop) -> None:
    tea, pots = shop.new_category(), shop.new_category()
    teas = [shop.new_product(category_id=tea) for _ in range(3)]
    shop.new_product(category_id=pots)
    shop.new_product()
    assert found(shop, category_id=tea) == teas
    assert found(shop, category_id=NOBODYS) == []


def test_several_categories_are_found_together_and_a_price_is_within_its_bounds(shop: RunningShop) -> None:
    tea, paper, other = (shop.new_category() for _ in range(3))
    dear, cheap = shop.new_product(category_id=tea, price=900), shop.new_product(category_id=paper, price=100)
    shop.new_product(category_id=other, price=500)
    assert found(shop, category_id=[paper, tea]) == [dear, cheap]
    assert found(shop, category_id=[paper, tea], sort="price") == [cheap, dear]
    assert found(shop, category_id=[paper, tea], price_from=101) == [dear]
    assert found(shop, category_id=[paper, tea], price_from=100, price_to=100) == [cheap]


def test_what_is_in_stock_is_found_apart_from_what_is_not(shop: RunningShop) -> None:
    category = shop.new_category()
    there, gone = (shop.new_product(category_id=category, stock=stock) for stock in (5, 0))
    eventually(lambda: shop.product(gone)["in_stock"], False)
    for yes, no in (("true", "false"), ("1", "0"), ("True", "False")):
        assert found(shop, category_id=category, in_stock=yes) == [there]
        assert found(shop, category_id=category, in_stock=no) == [gone]


def test_what_can_be_bought_is_found_apart_from_what_cannot(shop: RunningShop) -> None:
    category = shop.new_category()
    there, gone, unknown = (shop.new_product(category_id=category, stock=stock) for stock in (5, 0, None))
    off = shop.new_product(category_id=category, stock=5, on_sale=False)
    eventually(lambda: shop.product(gone)["in_stock"], False)
    eventually(lambda: shop.product(off)["in_stock"], True)
    assert found(shop, category_id=category, status="true") == [there, unknown]
    assert found(shop, category_id=category, status="false") == [gone, off]
    assert found(shop, category_id=category, on_sale="true") == [there, gone, unknown]
    assert found(shop, category_id=category, on_sale="false") == [off]
    assert found(shop, category_id=category, on_sale="true", status="false", sort="-id") == [gone]
    assert {there, gone, off, unknown} & set(found(shop, status="false", sort="-id", limit=100)) == {gone, off}


def test_filters_narrow_each_other(shop: RunningShop) -> None:
    category, name = shop.new_category(), f"Sencha {uuid4()}"
    wanted = shop.new_product(stock=1, name=name, detail="first flush", category_id=category)
    shop.new_product(stock=1, name=name, detail="first flush")
    shop.new_product(stock=1, name=name, category_id=category)
    shop.new_product(stock=1, detail="first flush", category_id=category)
    eventually(lambda: shop.product(wanted)["in_stock"], True)
    assert found(shop, name=name, q="FLUSH", category_id=category, in_stock="true") == [wanted]
    assert found(shop, name=name, q="FLUSH", category_id=category, in_stock="false") == []
