"""Errors: one registry, and the same error on both sides of an HTTP call."""

from __future__ import annotations

import importlib
import json
import pkgutil

import pytest

import ecshop
from ecshop.kernel.errors import EcshopError, Forbidden, Internal, Unavailable
from ecshop.kernel.http.problems import from_problem, to_problem
from entrypoints.contexts import NAMES


def _registered() -> list[type[EcshopError]]:
    for module in pkgutil.walk_packages(ecshop.__path__, "ecshop."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    ours = [error for error in EcshopError.known.values() if error.__module__.startswith("ecshop.")]
    return sorted(ours, key=lambda error: error.code)


REGISTERED = _registered()
TRAVELLING = [error for error in REGISTERED if error is not Internal]


def test_a_code_belongs_to_one_error_only() -> None:
    with pytest.raises(TypeError, match=r"'auth.forbidden' is already taken by Forbidden"):
        type("Another", (EcshopError,), {}, code="auth.forbidden", status=403)
    assert EcshopError.known["auth.forbidden"] is Forbidden


def test_every_context_has_registered_its_errors() -> None:
    assert {error.__module__.split(".")[1] for error in REGISTERED} >= {*NAMES, "kernel"}


@pytest.mark.parametrize("error", TRAVELLING, ids=lambda error: error.code)
def test_an_error_is_the_same_after_a_trip_over_http(error: type[EcshopError]) -> None:
    raised = error("it went wrong", **error.example)
    arrived = from_problem(json.loads(json.dumps(to_problem(raised, "request-1"))))
    assert type(arrived) is error
    assert arrived.detail == "it went wrong"
    assert arrived.fields == dict(error.example)


@pytest.mark.parametrize("error", REGISTERED, ids=lambda error: error.code)
def test_a_problem_has_the_members_of_rfc_9457_and_the_errors_own(error: type[EcshopError]) -> None:
    problem = to_problem(error("it went wrong", **error.example), "request-1")
    assert problem == {
        "type": f"urn:ecshop:problem:{error.code}",
        "title": error.title(),
        "status": error.status,
        "detail": "it went wrong",
        "code": error.code,
        "request_id": "request-1",
        **error.example,
    }


@pytest.mark.parametrize("error", REGISTERED, ids=lambda error: error.code)
def test_no_field_of_an_error_hides_a_standard_member(error: type[EcshopError]) -> None:
    assert not set(error.example) & {"type", "title", "status", "detail", "code", "request_id", "instance"}


@pytest.mark.parametrize("error", REGISTERED, ids=lambda error: error.code)
def test_an_error_says_what_it_means_and_answers_with_an_error_status(error: type[EcshopError]) -> None:
    assert error.__doc__
    assert 400 <= error.status <= 599


@pytest.mark.parametrize("problem", [{"code": "moon.full", "detail": "howl"}, {"code": 7}, {"code": None}, {}])
def test_an_unknown_code_becomes_unavailable(problem: dict[str, object]) -> None:
    arrived = from_problem(problem)
    assert type(arrived) is Unavailable
    assert arrived.fields == {}


def test_an_unknown_error_keeps_its_detail() -> None:
    assert from_problem({"code": "moon.full", "detail": "howl"}).detail == "howl"


def test_an_internal_error_of_another_service_becomes_unavailable_here() -> None:
    arrived = from_problem(to_problem(Internal("a bug over there"), "request-1"))
    assert type(arrived) is Unavailable
    assert arrived.detail == "a bug over there"


def test_the_title_comes_from_the_class_name() -> None:
    assert EcshopError.known["stock.insufficient"].title() == "Insufficient stock"
    assert Unavailable.title() == "Unavailable"


def test_an_error_without_a_detail_says_its_title() -> None:
    error = EcshopError.known["stock.insufficient"]()
    assert error.detail == str(error) == "Insufficient stock"
