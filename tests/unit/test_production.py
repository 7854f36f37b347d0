"""What is meant for a laptop is refused in production, all of it at once, with what to do about it."""

from __future__ import annotations

import pytest

from entrypoints.environment import read_settings
from entrypoints.settings import BadSetting

FIT = {
    "ECSHOP_PROFILE": "production",
    "ECSHOP_TRUSTED_PROXIES": "10.0.0.0/8",
    "REDIS_URL": "rediss://cache.internal:6379/0",
    "ECSHOP_DATABASE_URL": "postgresql+psycopg://shop@db.internal/ecshop_{context}?sslmode=verify-full",
}


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(BadSetting) as refused:
        read_settings(environment)
    return refused.value.detail


def test_what_is_fit_is_taken_and_has_no_docs() -> None:
    settings = read_settings(FIT)
    assert settings.profile == "production"
    assert not settings.has_docs
    assert read_settings({**FIT, "ECSHOP_DOCS": "open"}).has_docs
    assert read_settings({}).has_docs
    assert not read_settings({"ECSHOP_DOCS": "closed"}).has_docs


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ECSHOP_LOG": "console"}, "ECSHOP_LOG"),
        ({"ECSHOP_TRUSTED_PROXIES": ""}, "nothing ends TLS"),
        ({"REDIS_URL": "redis://cache.internal:6379/0"}, "use rediss://"),
        ({"REDIS_URL": "redis://shop:secret@10.0.0.7:6379/0"}, "use rediss://"),
        ({"ECSHOP_DATABASE_URL": "postgresql+psycopg://shop@db.internal/ecshop_{context}"}, "sslmode"),
        ({"ECSHOP_DATABASE_URL": FIT["ECSHOP_DATABASE_URL"].replace("verify-full", "prefer")}, "sslmode"),
        ({"ECSHOP_STOCK_DATABASE_URL": "postgresql+psycopg://shop@db.internal/stock"}, "the database of stock"),
        ({"PUBSUB_EMULATOR_HOST": "127.0.0.1:8085"}, "emulator"),
        ({"ECSHOP_DATABASE_URL": "", "ECSHOP_SYNCHRONOUS": "NORMAL"}, "ECSHOP_SYNCHRONOUS"),
        ({"ECSHOP_DEMO": "on"}, "ECSHOP_DEMO"),
    ],
)
def test_what_is_not_fit_is_refused_there_and_there_alone(changes: dict[str, str], told: str) -> None:
    environment = FIT | changes
    assert told in refusal(environment)
    read_settings({**environment, "ECSHOP_PROFILE": "development"})


@pytest.mark.parametrize(
    "changes",
    [
        {"REDIS_URL": "redis://127.0.0.1:6379/0"},
        {"REDIS_URL": "redis://[::1]:6379/0"},
        {"REDIS_URL": "unix:///run/redis.sock"},
        {"ECSHOP_DATABASE_URL": ""},
        {"ECSHOP_DATABASE_URL": "postgresql+psycopg://shop@localhost/ecshop_{context}"},
        {"ECSHOP_DATABASE_URL": "postgresql+psycopg://shop@/ecshop_{context}?host=/cloudsql/a:b:c"},
        {"ECSHOP_TRUSTED_PROXIES": "", "K_SERVICE": "order"},
    ],
)
def test_what_does_not_leave_the_machine_may_be_in_plain_text(changes: dict[str, str]) -> None:
    read_settings(FIT | changes)


def test_all_that_is_wrong_is_said_at_once() -> None:
    told = refusal({"ECSHOP_PORT": "x", "ECSHOP_LOG": "loud"})
    assert "ECSHOP_PORT" in told
    assert "ECSHOP_LOG" in told
    told = refusal({**FIT, "ECSHOP_LOG": "console", "ECSHOP_TRUSTED_PROXIES": ""})
    assert "ECSHOP_LOG" in told
    assert "nothing ends TLS" in told
