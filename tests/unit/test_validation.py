"""What is wrong with a value, in the words of whoever sent it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from ecshop.kernel.validation import Wrong, invalid, rule


class Colour(StrEnum):
    GREEN = "green"
    BLACK = "black"


class Leaf(msgspec.Struct, forbid_unknown_fields=True):
    grams: Annotated[int, Meta(ge=1, le=500)]

    def __post_init__(self) -> None:
        if self.grams == 13:
            raise Wrong("grams", "must not be 13")


class Tea(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=2, max_length=10, pattern=rule(r"^[a-z]*$", "small letters only"))]
    colour: Colour = Colour.GREEN
    sort: Literal["a", "b"] | None = None
    leaves: Annotated[tuple[Leaf, ...], Meta(min_length=1)] = ()
    id: UUID | UnsetType = UNSET
    picked_at: datetime | UnsetType = UNSET
    organic: bool = False
    price: Annotated[float, Meta(gt=0, le=9)] = 1.0


NAME = "must be text of 2 to 10 characters, small letters only"
CASES: dict[str, tuple[dict[str, Any] | list[Any], str, str]] = {
    "a missing field": ({}, "name", "is required"),
    "a missing field further down": ({"name": "tea", "leaves": [{}]}, "leaves[0].grams", "is required"),
    "too short": ({"name": "t"}, "name", NAME),
    "against the rule": ({"name": "TEA"}, "name", NAME),
    "of another type": ({"name": 7}, "name", NAME),
    "no value of an enumeration": ({"name": "tea", "colour": "red"}, "colour", "must be one of green, black"),
    "no literal": ({"name": "tea", "sort": "c"}, "sort", "must be one of a, b or null"),
    "out of range, further down": (
        {"name": "tea", "leaves": [{"grams": 1}, {"grams": 501}]},
        "leaves[1].grams",
        "must be a whole number from 1 to 500",
    ),
    "refused by the struct": ({"name": "tea", "leaves": [{"grams": 13}]}, "leaves[0].grams", "must not be 13"),
    "an empty list": ({"name": "tea", "leaves": []}, "leaves", "must be a list of at least 1 item"),
    "no list": ({"name": "tea", "leaves": 1}, "leaves", "must be a list of at least 1 item"),
    "no object": ({"name": "tea", "leaves": [1]}, "leaves[0]", "must be an object with grams"),
    "no UUID": ({"name": "tea", "id": "x"}, "id", "must be a UUID"),
    "no time": ({"name": "tea", "picked_at": "x"}, "picked_at", "must be a time like 2026-01-31T12:00:00Z"),
    "no switch": ({"name": "tea", "organic": 1}, "organic", "must be true or false"),
    "not above": ({"name": "tea", "price": 0.0}, "price", "must be a number of more than 0 and at most 9"),
    "an unknown field": (
        {"name": "tea", "color": "green"},
        "color",
        "is not known here; known are: name, colour, sort, leaves, id, picked_at, organic, price",
    ),
    "the whole": ([], "body", "must be an object with name, colour, sort, leaves, id, picked_at, organic, price"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_names_the_field_and_what_is_allowed(case: str) -> None:
    value, field, message = CASES[case]
    with pytest.raises(msgspec.ValidationError) as wrong:
        msgspec.json.decode(msgspec.json.encode(value), type=Tea)
    refusal = invalid(wrong.value, Tea)
    assert refusal.fields["errors"] == [{"field": field, "message": message}]
    assert refusal.detail == f"{field} {message}"


def test_no_more_of_an_unknown_name_is_said_back_than_helps() -> None:
    with pytest.raises(msgspec.ValidationError) as wrong:
        msgspec.json.decode(msgspec.json.encode({"name": "tea", "x" * 5000: 1}), type=Tea)
    assert len(invalid(wrong.value, Tea).detail) < 200
