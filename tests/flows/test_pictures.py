"""Pictures of products, sent in by staff and seen by everybody."""

from __future__ import annotations

import pytest

from tests.flows.bad_input import TOO_LARGE, WRONG_TYPE
from tests.flows.refusals import assert_refused
from tests.images import image, noise, opened
from tests.shops import RunningShop

PNG = {"content-type": "image/png"}
MOST = 8 * 1024 * 1024


def test_a_picture_is_told_of_its_product_and_kept_for_good_by_who_has_seen_it(shop: RunningShop) -> None:
    product = shop.new_product()
    path = f"/products/{product}"
    before = shop.call("GET", path).headers["etag"]
    sent = shop.call("PUT", f"{path}/picture", shop.staff, content=image(), headers=PNG)
    assert (sent.status_code, sent.json()) == (200, shop.product(product))
    assert sent.headers["etag"] == shop.call("GET", path).headers["etag"] != before
    seen = shop.call("GET", f"/products/pictures/{sent.json()['picture']}")
    assert (seen.status_code, seen.headers["content-type"]) == (200, "image/webp")
    assert seen.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert seen.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in seen.headers["content-security-policy"]
    assert opened(seen.content).size == (800, 600)


def test_whatever_it_is_said_to_be_its_content_counts(shop: RunningShop) -> None:
    path = f"/products/{shop.new_product()}/picture"
    for media_type in ("image/png", "image/jpeg", "image/webp", "application/octet-stream"):
        headers = {"content-type": media_type}
        assert shop.call("PUT", path, shop.staff, content=image("JPEG"), headers=headers).status_code == 200
        refused = shop.call("PUT", path, shop.staff, content=b"<script>", headers=headers)
        assert_refused(refused, 422, "product.unusable_picture")


def test_a_picture_may_have_8_mib_and_no_more(shop: RunningShop) -> None:
    product = shop.new_product()
    path, padding = f"/products/{product}/picture", noise(MOST - 200_000)
    assert len(padding) < MOST
    whole = padding.ljust(MOST, b"\0")
    assert shop.call("PUT", path, shop.staff, content=whole, headers=PNG).status_code == 200
    before = shop.product(product)
    pieces = (whole[at : at + 10_000] for at in (*range(0, MOST, 10_000), 0))
    for larger in (whole + b"\0", pieces):
        refused = shop.call("PUT", path, shop.staff, content=larger, headers=PNG)
        assert_refused(refused, *TOO_LARGE)
        assert "8192 KiB" in refused.json()["detail"]
    assert shop.product(product) == before


@pytest.mark.parametrize("media_type", ["application/json", "image/svg+xml", "text/html", "image/gif", ""])
def test_what_is_said_to_be_something_else_is_refused(shop: RunningShop, media_type: str) -> None:
    path = f"/products/{shop.new_product()}/picture"
    headers = {"content-type": media_type} if media_type else {}
    assert_refused(shop.call("PUT", path, shop.staff, content=image(), headers=headers), *WRONG_TYPE)
    encoded = {**PNG, "content-encoding": "gzip"}
    assert_refused(shop.call("PUT", path, shop.staff, content=image(), headers=encoded), *WRONG_TYPE)


def test_a_picture_is_not_put_over_what_somebody_else_has_changed(shop: RunningShop) -> None:
    product = shop.new_product()
    path, seen = f"/products/{product}", shop.call("GET", f"/products/{product}").headers["etag"]
    shop.call("PUT", path, shop.staff, json={"price": 3}).raise_for_status()
    headers = {**PNG, "if-match": seen}
    late = shop.call("PUT", f"{path}/picture", shop.staff, content=image(), headers=headers)
    assert_refused(late, 412, "request.precondition_failed")
    assert shop.product(product)["picture"] is None


def test_a_picture_is_noted(shop: RunningShop) -> None:
    product = shop.new_product()
    sent = shop.call("PUT", f"/products/{product}/picture", shop.staff, content=image(), headers=PNG).json()
    [entry, *_] = shop.call("GET", f"/audit/product?subject=product+{product}", shop.admin).json()["items"]
    assert (entry["action"], entry["after"]) == ("product.changed", {"picture": sent["picture"]})
