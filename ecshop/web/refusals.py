"""What the contexts refuse, as pages say it: in the visitor's language, and with what to do next."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from ecshop.auth.contract import (
    AccountDisabled,
    OwnAccount,
    ScopeNotGranted,
    TooManyApiKeys,
    TooManyAttempts,
    UserExists,
    WrongPassword,
)
from ecshop.kernel.conditions import IdempotencyKeyReused
from ecshop.kernel.errors import BodyTooLarge, EcshopError, InvalidRequest
from ecshop.kernel.validation import invalid
from ecshop.order.contract import (
    MixedCurrencies,
    OrderExpired,
    OrderNotConfirmed,
    PriceChanged,
    QuotaExceeded,
    TooManyUnits,
    TotalTooLarge,
)
from ecshop.oversight.contract import DeadLetterNotFound, DeadLetterUndecodable
from ecshop.product.contract import (
    CategoryExists,
    CategoryInUse,
    CategoryNotFound,
    ProductDiscontinued,
    ProductNotFound,
    UnusablePicture,
)
from ecshop.stock.contract import InsufficientStock, StockLimit, StockReserved
from ecshop.web.words import Words, gettext_noop

T = TypeVar("T")

_CHANGED: Final = gettext_noop(
    "Something has changed since you put it in. Nothing was ordered. Each line says what is left."
)
_SAID: Final[Mapping[type[EcshopError], str]] = {
    UserExists: gettext_noop("This name is taken. Choose another one."),
    WrongPassword: gettext_noop("The current password is another one."),
    TooManyAttempts: gettext_noop("Too many attempts. Try again in {retry_after} seconds."),
    AccountDisabled: gettext_noop("The account is disabled. Ask the shop."),
    TooManyApiKeys: gettext_noop("You have as many keys as one account may have. End one first."),
    ScopeNotGranted: gettext_noop("Nobody gives a key what he may not do himself."),
    OwnAccount: gettext_noop("Nobody takes his own role away, or disables himself. Ask another admin."),
    InsufficientStock: _CHANGED,
    ProductDiscontinued: _CHANGED,
    ProductNotFound: _CHANGED,
    PriceChanged: gettext_noop("A price has changed. Nothing was ordered. This is what it comes to now."),
    QuotaExceeded: gettext_noop(
        "You have ordered as much as one customer may in an hour. Nothing was ordered. Try again later."
    ),
    TooManyUnits: gettext_noop("Of one product an order may have {limit} at most. Nothing was ordered."),
    OrderExpired: gettext_noop("The order took too long and was given up. Place it again."),
    IdempotencyKeyReused: gettext_noop(
        "An earlier order of this basket was placed. Look at your orders before you order again."
    ),
    MixedCurrencies: gettext_noop("One order is paid in one currency. Nothing was ordered."),
    TotalTooLarge: gettext_noop("It comes to more than one order can. Nothing was ordered."),
    OrderNotConfirmed: gettext_noop("Only a confirmed order can be fulfilled or cancelled."),
    DeadLetterNotFound: gettext_noop("It is no longer there."),
    DeadLetterUndecodable: gettext_noop("It cannot be read, so it cannot be tried again. Discard it."),
    CategoryExists: gettext_noop("Another category has this name. Choose another one."),
    CategoryInUse: gettext_noop("Products stand in it: move them first."),
    CategoryNotFound: gettext_noop("It is no longer there."),
    UnusablePicture: gettext_noop("Choose a JPEG, PNG or WebP image that is whole and has 25 million pixels at most."),
    StockReserved: gettext_noop("{reserved} of the {on_hand} units are promised to orders, so at most {most} can go."),
    StockLimit: gettext_noop("There would be more units than can be counted."),
    BodyTooLarge: gettext_noop("This is too large."),
}
_WRONG: Final = [
    (re.compile(rule), says)
    for rule, says in {
        r"must be text of 1 to (?P<most>\d+) characters, without spaces": gettext_noop(
            "Write {most} characters at most, without spaces."
        ),
        r"must be text of (?P<least>\d+) to (?P<most>\d+) characters.*": gettext_noop(
            "Write {least} to {most} characters."
        ),
        r"must be text of at most (?P<most>\d+) characters.*": gettext_noop("Write {most} characters at most."),
        r"must be text.*, the ISO 4217 code of a currency.*": gettext_noop(
            "Write the code of a currency in use, like JPY."
        ),
        r"must be a whole number from (?P<least>-?\d+) to (?P<most>\d+)": gettext_noop(
            "Write a whole number from {least} to {most}."
        ),
        r"must hold something that can be seen": gettext_noop("Write something that can be seen."),
        r"must not hold control.*": gettext_noop("Leave out control and invisible characters."),
        r"must be of letters, digits and ASCII marks.*": gettext_noop(
            "Only letters, digits and marks, without spaces."
        ),
        r"must be of one script.*": gettext_noop(
            "Only letters of one script: those of several can look like another name."
        ),
        r"must not be a name that could.*": gettext_noop(
            "This name could be taken for the shop's own. Choose another."
        ),
        r"must not be one of those that.*": gettext_noop("Everybody tries this one first. Choose another."),
        r"must not be like the user name": gettext_noop("Choose one that is not like the user name."),
    }.items()
]
"""By how the contracts' validation says it; what is not here is said in its words."""


def read(fields: Mapping[str, Any], type_: type[T]) -> T:
    """What a form holds, as a contract takes it. Raises `InvalidRequest`."""
    try:
        return msgspec.convert(fields, type_)
    except msgspec.ValidationError as cause:
        raise invalid(cause, type_) from None


def said(refusal: EcshopError, _: Words) -> str:
    if isinstance(refusal, InvalidRequest):
        return " ".join(by_field(refusal, _).values()) or refusal.detail
    says, values = _SAID.get(type(refusal)), dict(refusal.fields)
    if isinstance(refusal, StockReserved):
        values["most"] = values["on_hand"] - values["reserved"]
    return _(says, **values) if says else refusal.detail


def by_field(refusal: InvalidRequest, _: Words) -> dict[str, str]:
    """What is wrong with which field of a form."""
    return {str(error["field"]): _wrong(str(error["message"]), _) for error in refusal.fields["errors"]}


def _wrong(message: str, _: Words) -> str:
    for rule, says in _WRONG:
        if found := rule.fullmatch(message):
            return _(says, **found.groupdict())
    return message
