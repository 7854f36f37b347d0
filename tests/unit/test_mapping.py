"""Rows and structs by the names of their fields: nothing is forgotten in silence."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from ecshop.kernel.db.mapping import assign, given, struct_of
from tests.unit.notes import Note


class Told(msgspec.Struct, frozen=True):
    id: int
    text: str
    length: int


class Change(msgspec.Struct, frozen=True):
    text: str | UnsetType = UNSET
    colour: str | UnsetType | None = UNSET


def test_each_field_comes_from_the_column_of_its_name_or_is_derived() -> None:
    assert struct_of(Told, Note(id=7, text="Tea"), length=3) == Told(7, "Tea", 3)


def test_what_is_derived_wins_over_the_column() -> None:
    assert struct_of(Told, Note(id=7, text="Tea"), text="Pot", length=3).text == "Pot"


def test_a_field_that_nobody_gives_is_an_error() -> None:
    with pytest.raises(AttributeError, match="length"):
        struct_of(Told, Note(id=7, text="Tea"))


def test_what_was_left_out_is_not_given_and_null_is() -> None:
    assert given(Change()) == {}
    assert given(Change("Tea", None)) == {"text": "Tea", "colour": None}


def test_given_fields_are_assigned_to_the_columns_of_their_names() -> None:
    note = Note(id=7, text="Tea")
    assign(note, given(Change(text="Pot")))
    assert note.text == "Pot"


def test_a_field_that_is_no_column_is_not_dropped_in_silence() -> None:
    with pytest.raises(AttributeError, match="Note has no column colour"):
        assign(Note(id=7, text="Tea"), given(Change(colour="green")))
