"""A stationery shop to look at: what a new and empty shop is filled with."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple, cast
from uuid import NAMESPACE_URL, uuid5

from ecshop.kernel.identity import Actor, Role
from ecshop.product.contract import CategoryBody, NewProduct, ProductFilter
from ecshop.product.service import ProductService
from ecshop.stock.contract import NewStock
from ecshop.stock.service import StockService
from entrypoints.compose import compose
from entrypoints.settings import Settings
from entrypoints.shop import Shop

_LOOK_EVERY: Final = 0.05  # seconds
_FEWEST: Final = 5
"""Units are low stock, or a tenth of what a product begins with."""
_SELLER: Final = Actor(uuid5(NAMESPACE_URL, "urn:ecshop:demo"), Role.STAFF)


class _Goods(NamedTuple):
    name: str
    japanese: str
    price: int
    units: int
    picture: str
    detail: str


_SHELVES: Final = {
    "Tea · お茶": (
        _Goods(
            "Sencha, first flush, 100 g", "煎茶 一番茶", 1200, 120, "sencha.svg", "Picked in the first days of May."
        ),
        _Goods(
            "Hojicha, roasted leaves, 150 g", "ほうじ茶", 800, 80, "hojicha.svg", "Low in caffeine, for the evening."
        ),
        _Goods("Genmaicha with brown rice, 200 g", "玄米茶", 900, 64, "genmaicha.svg", "Half tea, half roasted rice."),
        _Goods(
            "Gyokuro, shaded for twenty days, 50 g", "玉露", 3200, 4, "gyokuro.svg", "Brew it at 50 °C, and slowly."
        ),
    ),
    "Tea ware · 茶器": (
        _Goods(
            "Teapot, unglazed red clay",
            "急須 朱泥",
            6800,
            3,
            "teapot.svg",
            "Fired without glaze, so that the clay softens the tea over the years. Holds 280 ml.",
        ),
        _Goods("Cup with an indigo band", "湯呑 藍帯", 2400, 40, "cup.svg", "Thrown by hand; no two are the same."),
        _Goods("Tea caddy, cherry bark", "茶筒 樺細工", 5400, 12, "caddy.svg", "Keeps 200 g dry and in the dark."),
        _Goods("Bamboo whisk, eighty tines", "茶筅 八十本立", 2900, 22, "whisk.svg", "Soak it before the first bowl."),
        _Goods(
            "Iron kettle, 1.2 litres", "鉄瓶", 18000, 5, "kettle.svg", "Not for induction. Dry it while it is warm."
        ),
    ),
    "Paper · 紙": (
        _Goods(
            "Notebook, ruled, 160 pages", "ノート 横罫", 1650, 200, "notebook.svg", "Opens flat. Takes fountain pens."
        ),
        _Goods("Paper tape, three rolls", "マスキングテープ 三巻", 880, 150, "tape.svg", "Comes off without a trace."),
        _Goods(
            "Letter paper, forty sheets", "便箋 四十枚", 700, 90, "letter-paper.svg", "Mulberry fibre, deckle edge."
        ),
        _Goods(
            "Envelopes, lined, ten",
            "封筒 十枚",
            600,
            75,
            "envelopes.svg",
            "Lined in indigo, so that nothing shows through.",
        ),
        _Goods(
            "Origami paper, 300 sheets",
            "折り紙 三百枚",
            1200,
            60,
            "origami.svg",
            "Fifteen centimetres, thirty colours.",
        ),
    ),
    "Writing · 筆記具": (
        _Goods("Fountain pen and ink, vermilion", "万年筆とインク 朱", 9900, 2, "pen.svg", "A fine nib of steel."),
        _Goods("Brush pen, refillable", "筆ペン", 1500, 45, "brush-pen.svg", "For cards, and for practice."),
        _Goods("Pencils, cedar, twelve", "鉛筆 十二本", 1100, 130, "pencils.svg", "From HB to 4B, two of each."),
        _Goods("Ink stone, slate", "硯", 7200, 6, "ink-stone.svg", "From one quarry, cut by one family."),
    ),
    "Light and scent · 灯りと香り": (
        _Goods(
            "Desk lamp, paper shade", "卓上灯 和紙", 14800, 0, "lamp.svg", "Its shade is of one sheet, without a seam."
        ),
        _Goods("Incense, hinoki", "お香 檜", 1100, 85, "incense.svg", "Sixty sticks of half an hour each."),
        _Goods(
            "Candles of rice wax, six", "和ろうそく 六本", 1900, 33, "candles.svg", "They flicker, and do not drip."
        ),
    ),
    "Cloth · 布": (
        _Goods("Wrapping cloth, plum with white dots", "風呂敷 梅", 1980, 70, "furoshiki.svg", "Seventy centimetres."),
        _Goods("Towel, indigo waves", "手ぬぐい 青海波", 1320, 95, "towel.svg", "Dyed through: it has no wrong side."),
        _Goods("Apron, linen", "前掛け 麻", 6600, 9, "apron.svg", "Two pockets, and a loop for a cloth."),
    ),
}
"""By category: what there is, what it costs in yen, and how many."""


def fill_apart(settings: Settings) -> int:
    """As `fill`, where no shop runs yet; its events have been heard when it returns. Raises as `compose`."""

    async def run() -> int:
        shop = compose(settings)
        async with shop.running():
            made = await fill(shop)
            while await shop.has_due():
                await asyncio.sleep(_LOOK_EVERY)
        return made

    return asyncio.run(run())


async def fill(shop: Shop) -> int:
    """How many products were put in; none where there is any already."""
    product, stock = _services(shop)
    if (await product.list(ProductFilter(), None, 1)).items:
        return 0
    made = 0
    known = {one.name: one for one in (await product.list_categories(None, 100)).items}
    for shelf, goods in _SHELVES.items():
        category = known.get(shelf) or await product.create_category(_SELLER, CategoryBody(shelf))
        for one in goods:
            new = NewProduct(
                f"{one.name} · {one.japanese}", one.price, one.detail, category_id=category.id, picture=one.picture
            )
            kept = await product.create(_SELLER, new)
            await stock.register(_SELLER, NewStock(kept.id, one.units, low_mark=max(_FEWEST, one.units // 10)))
            made += 1
    return made


def _services(shop: Shop) -> tuple[ProductService, StockService]:
    """In one process they are the clients."""
    return cast(ProductService, shop.clients.product), cast(StockService, shop.clients.stock)
