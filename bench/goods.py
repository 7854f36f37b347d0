"""What the bench's shops sell: names, details and prices as a shop has them, half of them Japanese; always the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final, NamedTuple

CATEGORIES: Final = {
    "Tea": "green tea,black tea,oolong,herbal infusion,matcha,chai,tea caddy,strainer",
    "Coffee": "espresso beans,filter coffee,cold brew,coffee grinder,dripper,decaf beans,capsules,milk frother",
    "Kitchen": "chef's knife,saucepan,chopping board,rolling pin,mixing bowl,whisk,grater,peeler",
    "Tableware": "dinner plate,soup bowl,mug,tumbler,teapot,serving dish,chopsticks,cutlery set",
    "Stationery": "notebook,fountain pen,letter paper,pencil case,ruler,calendar,ink bottle,stapler",
    "Books": "cookbook,atlas,picture book,dictionary,travel guide,novel,sketchbook,photo album",
    "Garden": "watering can,pruning shears,seed set,flower pot,trowel,garden hose,bird feeder,planter",
    "Toys": "wooden train,jigsaw puzzle,building blocks,teddy bear,spinning top,card game,kite,doll's house",
    "Bath": "bath towel,hand soap,shower brush,bath salts,hair dryer,toothbrush,washcloth,shampoo bar",
    "Bedding": "duvet,pillowcase,wool blanket,mattress pad,quilt,bed linen,sleep mask,futon cover",
    "Clothing": "linen shirt,wool sweater,raincoat,denim apron,cotton socks,scarf,winter gloves,straw hat",
    "Bags": "tote bag,rucksack,leather wallet,shoulder bag,suitcase,lunch bag,coin purse,pouch",
    "Lighting": "desk lamp,paper lantern,candle holder,floor lamp,night light,lampshade,reading light,torch",
    "Outdoor": "camping stove,tent,sleeping bag,lantern,folding chair,water bottle,hammock,cool box",
    "Music": "ukulele,guitar strings,music stand,harmonica,metronome,record sleeve,kalimba,tuner",
    "Pets": "cat tree,dog lead,feeding bowl,pet brush,bird cage,fish tank,dog bed,scratching post",
    "お茶": "煎茶,玉露,抹茶,ほうじ茶,玄米茶,急須,茶筒,茶こし",
    "和菓子": "羊羹,どら焼き,せんべい,大福,金平糖,最中,カステラ,あられ",
    "台所用品": "三徳包丁,片手鍋,まな板,すり鉢,おろし金,土鍋,計量カップ,フライパン",
    "和食器": "茶碗,湯呑み,小皿,徳利,お椀,箸置き,大皿,急須セット",
    "文房具": "ノート,万年筆,便箋,筆箱,付箋,消しゴム,手帳,ボールペン",
    "本": "料理本,地図帳,絵本,国語辞典,旅行案内,小説,図鑑,写真集",
    "園芸": "じょうろ,剪定ばさみ,花の種,植木鉢,スコップ,園芸手袋,肥料,プランター",
    "玩具": "けん玉,積み木,折り紙,ぬいぐるみ,独楽,かるた,凧,パズル",
    "風呂用品": "バスタオル,石鹸,入浴剤,手ぬぐい,湯桶,歯ブラシ,ヘアブラシ,シャンプー",
    "寝具": "羽毛布団,枕カバー,毛布,敷布団,シーツ,座布団,抱き枕,タオルケット",
    "衣料": "浴衣,セーター,レインコート,前掛け,足袋,マフラー,手袋,麦わら帽子",
    "かばん": "トートバッグ,リュックサック,革財布,がま口,風呂敷,弁当袋,ポーチ,旅行かばん",
    "照明": "電気スタンド,提灯,行灯,ろうそく,間接照明,電球,懐中電灯,ランプ",
    "調味料": "醤油,味噌,みりん,七味唐辛子,柚子胡椒,米酢,だしパック,ごま油",
    "米・麺": "新米,玄米,うどん,そば,そうめん,ラーメン,餅,雑穀米",
    "酒器": "ぐい呑み,お猪口,冷酒グラス,枡,ビアグラス,片口,ワイングラス,酒燗器",
}
"""What each of them holds."""

COMMON: Final = ("tea", "抹茶")
"""Words that many products have; see `RARE`, which few have, and `UNKNOWN`, which none has."""
RARE: Final = ("Limited edition 1", "限定品 第1")
UNKNOWN: Final = ("quetzal", "烏帽子")

_LOOKS: Final = (
    "Classic",
    "Small",
    "Large",
    "Handmade",
    "Organic",
    "Everyday",
    "Vintage",
    "Premium",
    "Nordic",
    "Compact",
    "Deluxe",
    "Simple",
)
_MAKERS: Final = (
    "Alder & Co",
    "Birchwood",
    "Corvin",
    "Dunmore",
    "Elmstead",
    "Fairholt",
    "Greywater",
    "Hartley",
    "Ivyhouse",
    "Juniper",
)
_COLOURS: Final = ("blue", "moss green", "ivory", "charcoal", "terracotta", "natural", "burgundy", "sand")
_PLACES: Final = ("京都", "宇治", "有田", "輪島", "信州", "静岡", "江戸", "薩摩", "津軽", "南部", "備前", "今治")
_KINDS: Final = ("手作り", "有機", "特選", "定番", "職人の", "贈答用", "家庭用", "上質な", "昔ながらの", "小さな")
_HUES: Final = ("藍色", "若草色", "生成り", "墨色", "朱色", "桜色", "白", "山吹色")
_SENTENCES: Final = (
    "Made in small batches by people who have done nothing else for thirty years.",
    "It lasts for years when it is kept dry, and it is easy to mend.",
    "Goes well with everything else of the same series, and is sent in plain paper.",
    "The colour of each piece is a little different, since no two are fired alike.",
    "Wash by hand in warm water; do not put it into the dishwasher or the microwave.",
    "A good present for somebody who has everything, and a better one for oneself.",
)
_PHRASES: Final = (
    "一つ一つ職人が手で仕上げているため、色や形が少しずつ異なります。",
    "湿気を避けて保管すれば、長くお使いいただけます。",
    "贈り物にもご自宅用にも喜ばれる、季節を問わない人気の品です。",
    "ぬるま湯でやさしく手洗いしてください。食器洗い機や電子レンジには対応していません。",
    "同じシリーズの商品と組み合わせると、いっそう引き立ちます。簡易包装でお届けします。",
    "産地から直送される材料だけを使い、昔からの製法を守っています。",
)
_LIMITED_EVERY: Final = 1_000
_SOLD_OUT_EVERY: Final = 33


class Good(NamedTuple):
    name: str
    detail: str
    price: int
    category: int
    """Its place in `CATEGORIES`."""


def goods(count: int) -> Iterator[Good]:
    draw = random.Random(1)
    categories = [(place, *pair) for place, pair in enumerate(CATEGORIES.items())]
    for number in range(1, count + 1):
        place, category, kinds = draw.choice(categories)
        noun = draw.choice(kinds.split(","))
        written = _japanese if not category.isascii() else _english
        name, detail = written(draw, noun, number)
        yield Good(name, detail, draw.randrange(2, 300) * 50, place)


def is_sold_out(product_id: int) -> bool:
    """Of a shop that has nothing but these goods, whose ids count from 1."""
    return product_id % _SOLD_OUT_EVERY == 0


def _english(draw: random.Random, noun: str, number: int) -> tuple[str, str]:
    limited = "" if number % _LIMITED_EVERY else f", Limited edition {number // _LIMITED_EVERY}"
    name = f"{draw.choice(_LOOKS)} {noun} by {draw.choice(_MAKERS)}, {draw.choice(_COLOURS)}{limited}"
    return name, f"{name}. " + " ".join(draw.sample(_SENTENCES, draw.randint(2, 4))) + f" No. {number}."


def _japanese(draw: random.Random, noun: str, number: int) -> tuple[str, str]:
    limited = "" if number % _LIMITED_EVERY else f" 限定品 第{number // _LIMITED_EVERY}"
    name = f"{draw.choice(_PLACES)} {draw.choice(_KINDS)}{noun} {draw.choice(_HUES)}{limited}"
    return name, f"{name}。" + "".join(draw.sample(_PHRASES, draw.randint(3, 5))) + f"商品番号{number}。"
