"""Settings: where they come from, and how a wrong one is told."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import make_url

from entrypoints.client_proofs import Reread, secrets_of
from entrypoints.databases import url_of
from entrypoints.environment import read_settings, variables
from entrypoints.settings import BadSetting, Settings


def test_nothing_has_to_be_set() -> None:
    assert read_settings({}) == Settings()


def test_a_laptop_gets_files_a_local_port_and_no_broker() -> None:
    settings = read_settings({})
    assert (settings.host, settings.port, settings.data_dir) == ("127.0.0.1", 8000, "data")
    assert (settings.synchronous, settings.redis_url, settings.database_url) == ("FULL", "", "")


def test_a_variable_beats_the_default() -> None:
    settings = read_settings({"ECSHOP_PORT": "8100", "ECSHOP_RESERVATION_SECONDS": "2.5", "ECSHOP_LOG": "json"})
    assert (settings.port, settings.reservation_seconds, settings.log) == (8100, 2.5, "json")


def test_an_option_beats_the_variable_of_the_shop_which_beats_port() -> None:
    environment = {"PORT": "8001", "ECSHOP_PORT": "8002"}
    assert read_settings({"PORT": "8001"}).port == 8001
    assert read_settings(environment).port == 8002
    assert read_settings(environment, port=8003).port == 8003


def test_an_option_that_was_not_given_beats_nothing() -> None:
    assert read_settings({"ECSHOP_PORT": "8002"}, port=None).port == 8002


def test_redis_url_is_read_under_its_usual_name_too() -> None:
    assert read_settings({"REDIS_URL": "redis://a"}).redis_url == "redis://a"
    assert read_settings({"REDIS_URL": "redis://a", "ECSHOP_REDIS_URL": "redis://b"}).redis_url == "redis://b"


def test_an_empty_port_of_the_platform_counts_as_not_set() -> None:
    assert read_settings({"PORT": "", "REDIS_URL": ""}) == Settings()


def test_variables_of_others_are_none_of_the_shops_business() -> None:
    assert read_settings({"HOME": "/root", "DATA_DIR": "/elsewhere", "MY_ECSHOP_PORT": "1"}) == Settings()


def test_an_unknown_variable_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(BadSetting) as refused:
        read_settings({"ECSHOP_PROT": "8000", "ECSHOP_PORT": "8000"})
    told, known = refused.value.detail.split("; known are: ")
    assert told == "unknown variable ECSHOP_PROT"
    assert known.split(", ") == variables()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ECSHOP_PORT", "abc"),
        ("ECSHOP_PORT", "70000"),
        ("ECSHOP_PORT", "-1"),
        ("ECSHOP_PORT", "80.5"),
        ("ECSHOP_PORT", ""),
        ("ECSHOP_SYNCHRONOUS", "OFF"),
        ("ECSHOP_LOG", "loud"),
        ("ECSHOP_RESERVATION_SECONDS", "0"),
        ("ECSHOP_RESERVATION_SECONDS", "-1"),
        ("ECSHOP_RESERVATION_SECONDS", "nan"),
        ("ECSHOP_RESERVATION_SECONDS", "inf"),
        ("ECSHOP_TOKEN_SECONDS", "soon"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_name(variable: str, value: str) -> None:
    with pytest.raises(BadSetting) as refused:
        read_settings({variable: value})
    assert refused.value.detail.startswith(f"{variable} is {value!r}: ")


def test_a_bad_option_is_refused_like_a_bad_variable() -> None:
    with pytest.raises(BadSetting, match="--port is 70000"):
        read_settings({}, port=70000)


def test_each_context_has_a_file_of_its_own_in_the_data_folder(tmp_path: Path) -> None:
    settings = read_settings({"ECSHOP_DATA_DIR": str(tmp_path)})
    assert url_of(settings, "stock") == make_url(f"sqlite:///{tmp_path}/stock.db")
    assert url_of(settings, "order") == make_url(f"sqlite:///{tmp_path}/order.db")


def test_a_relative_data_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert url_of(read_settings({}), "auth") == make_url(f"sqlite:///{tmp_path}/data/auth.db")


def test_a_database_server_is_told_which_context_asks() -> None:
    settings = read_settings({"ECSHOP_DATABASE_URL": "postgresql+psycopg://shop@db/{context}"})
    assert url_of(settings, "stock") == make_url("postgresql+psycopg://shop@db/stock")


def test_the_database_of_one_context_may_be_elsewhere(tmp_path: Path) -> None:
    of_all = {"ECSHOP_DATABASE_URL": "postgresql+psycopg://shop@db/{context}"}
    of_one = {"ECSHOP_STOCK_DATABASE_URL": "postgresql+psycopg://shop@large/shop_{context}"}
    both = read_settings(of_all | of_one)
    assert url_of(both, "stock") == make_url("postgresql+psycopg://shop@large/shop_stock")
    assert url_of(both, "order") == make_url("postgresql+psycopg://shop@db/order")
    beside_files = read_settings({"ECSHOP_DATA_DIR": str(tmp_path)} | of_one)
    assert url_of(beside_files, "stock") == url_of(both, "stock")
    assert url_of(beside_files, "order") == make_url(f"sqlite:///{tmp_path}/order.db")


@pytest.mark.parametrize("schema", ["Shop", "a-b", "1st", "a;b"])
def test_a_schema_that_would_need_quotes_is_refused(schema: str) -> None:
    address = f"postgresql+psycopg://shop@db/shop?schema={schema}"
    with pytest.raises(BadSetting, match="ECSHOP_STOCK_DATABASE_URL names no schema"):
        url_of(read_settings({"ECSHOP_STOCK_DATABASE_URL": address}), "stock")


@pytest.mark.parametrize("variable", ["K_SERVICE", "CLOUD_RUN_JOB", "CLOUD_RUN_WORKER_POOL"])
def test_on_cloud_run_the_log_is_for_cloud_logging_and_a_file_is_no_database(variable: str) -> None:
    settings = read_settings({variable: "ecshop-order"})
    assert settings.log_form == "google"
    assert read_settings({variable: "ecshop-order", "ECSHOP_LOG": "json"}).log_form == "json"
    with pytest.raises(BadSetting, match="SQLite cannot be used on Cloud Run"):
        url_of(settings, "order")


@pytest.mark.parametrize("given", ["*", "10.0.0.0/33", "10.0.0.7/8", "proxy.example", "10.0.0.1,,x"])
def test_a_proxy_is_trusted_by_its_address_alone(given: str) -> None:
    with pytest.raises(BadSetting, match="ECSHOP_TRUSTED_PROXIES has"):
        read_settings({"ECSHOP_TRUSTED_PROXIES": given})


def test_several_proxies_and_networks_may_be_trusted() -> None:
    given = read_settings({"ECSHOP_TRUSTED_PROXIES": "10.0.0.7, 10.1.0.0/16,::1"})
    assert given.proxies == ["10.0.0.7", "10.1.0.0/16", "::1"]


def test_each_context_has_an_address() -> None:
    settings = read_settings({"ECSHOP_STOCK_URL": "http://stock:80"})
    assert settings.urls["stock"] == "http://stock:80"
    assert settings.urls["order"] == "http://127.0.0.1:8003"


def test_secrets_are_told_by_service() -> None:
    one, other, old = "s3cret" * 6, "with:colons:" * 3, "of-before-" * 4
    settings = read_settings({"ECSHOP_CLIENT_SECRETS": f"stock:{one},order:{other},order:{old}"})
    assert secrets_of(settings) == {"stock": [one], "order": [other, old]}


def test_without_secrets_no_service_is_known() -> None:
    assert secrets_of(read_settings({})) == {}


def test_secrets_may_be_in_a_file_with_a_line_for_each(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text(f"order:{'new' * 11}\norder:{'old' * 11}\n")
    settings = read_settings({"ECSHOP_CLIENT_SECRETS": f"file:{file}"})
    assert secrets_of(settings) == {"order": ["new" * 11, "old" * 11]}


def test_what_cannot_be_read_any_more_stays_in_use_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text(f"order:{'old' * 11}")
    read = Reread(partial(secrets_of, Settings(client_secrets=f"file:{file}")))
    file.write_text("order:short")
    assert read() == {"order": ["old" * 11]}
    file.write_text(f"order:{'new' * 11}")
    assert read() == {"order": ["new" * 11]}
    file.unlink()
    assert read() == {"order": ["new" * 11]}
