"""What Terraform makes on Pub/Sub: what `ecshop bus create` would."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecshop.events.buses.pubsub_names import Names
from ecshop.events.buses.pubsub_project import KEPT, LEASE, MOST_DELIVERIES, RECEIPT_LEASE
from entrypoints.buses import listeners
from entrypoints.environment import read_settings
from entrypoints.push import PATH
from tests.deploy.terraform import Block, Terraform

NAMES = Names("", listeners())
RECEIPTS = {NAMES.receipts(outbox).id for outbox in NAMES.outboxes}
DEAD_LETTERS = NAMES.dead_letters.id
OF_ALL_EVENTS = "${local.subscriptions}"
OF_ALL_RECEIPTS = "${toset(local.receipts)}"
PUBSUB_ITSELF = "${local.pubsub_itself}"
WORKER = '${google_service_account.of["worker"].member}'


@pytest.fixture(scope="module")
def terraform() -> Terraform:
    return Terraform()


@pytest.fixture(scope="module")
def subscriptions(terraform: Terraform) -> dict[str, Block]:
    return terraform.resources("google_pubsub_subscription")


def test_each_topic_is_one_that_the_shop_publishes_on(terraform: Terraform) -> None:
    events = {NAMES.topic(type_) for type_ in NAMES.listeners}
    assert sorted(terraform.locals["topics"]) == sorted(events | RECEIPTS | {DEAD_LETTERS})
    assert terraform.only("google_pubsub_topic")["for_each"] == "${toset(local.topics)}"


def test_each_listener_has_its_subscription_and_no_other_is_there(
    terraform: Terraform, subscriptions: dict[str, Block]
) -> None:
    heard = {(NAMES.subscription(type_, name), name) for type_, names in NAMES.listeners.items() for name in names}
    made = terraform.locals["subscriptions"]
    assert made == {one.id: {"topic": one.topic, "listener": name} for one, name in heard}
    assert {*made, *terraform.locals["receipts"]} == {one.id for one in NAMES.subscriptions}
    assert {name: block.get("for_each") for name, block in subscriptions.items()} == {
        "events": OF_ALL_EVENTS,
        "receipts": OF_ALL_RECEIPTS,
        "dead_letters": None,
    }


def test_each_subscription_is_of_its_own_topic(subscriptions: dict[str, Block]) -> None:
    assert {name: block["topic"] for name, block in subscriptions.items()} == {
        "events": "${google_pubsub_topic.of[each.value.topic].id}",
        "receipts": "${google_pubsub_topic.of[each.key].id}",
        "dead_letters": f'${{google_pubsub_topic.of["{DEAD_LETTERS}"].id}}',
    }


def test_names_begin_with_a_prefix_that_the_shop_can_be_told(
    terraform: Terraform, subscriptions: dict[str, Block]
) -> None:
    prefix = terraform.variables["prefix"]["default"]
    assert read_settings({"ECSHOP_PUBSUB_PREFIX": prefix}).pubsub_prefix == prefix
    assert terraform.only("google_pubsub_topic")["name"] == "${var.prefix}${each.key}"
    assert {name: block["name"] for name, block in subscriptions.items()} == {
        "events": "${var.prefix}${each.key}",
        "receipts": "${var.prefix}${each.key}",
        "dead_letters": f"${{var.prefix}}{DEAD_LETTERS}",
    }


def test_a_message_has_the_time_that_the_shop_would_give_it(subscriptions: dict[str, Block]) -> None:
    assert {name: block["ack_deadline_seconds"] for name, block in subscriptions.items()} == {
        "events": LEASE,
        "receipts": RECEIPT_LEASE,
        "dead_letters": LEASE,
    }
    for block in subscriptions.values():
        assert timedelta(seconds=int(block["message_retention_duration"].removesuffix("s"))) == KEPT
        assert block["expiration_policy"] == [{"ttl": ""}]


def test_events_alone_become_dead_letters(subscriptions: dict[str, Block]) -> None:
    assert {name: block.get("dead_letter_policy") for name, block in subscriptions.items()} == {
        "events": [
            {
                "dead_letter_topic": f'${{google_pubsub_topic.of["{DEAD_LETTERS}"].id}}',
                "max_delivery_attempts": MOST_DELIVERIES,
            }
        ],
        "receipts": None,
        "dead_letters": None,
    }


def test_where_the_worker_pulls_nothing_is_pushed_and_nothing_is_held_back(
    terraform: Terraform, subscriptions: dict[str, Block]
) -> None:
    assert terraform.variables["push"]["default"] is False
    for block in subscriptions.values():
        assert "push_config" not in block
        assert "retry_policy" not in block
    assert {name for name, block in subscriptions.items() if "dynamic" in block} == {"events"}
    for name, dynamic in _dynamic(subscriptions["events"]).items():
        assert dynamic["for_each"].startswith("${var.push ? ["), name
        assert dynamic["for_each"].endswith("] : []}"), name


def test_what_is_pushed_goes_to_the_listener_with_a_token_that_it_takes(
    terraform: Terraform, subscriptions: dict[str, Block]
) -> None:
    push = _dynamic(subscriptions["events"])["push_config"]
    assert "local.service_urls[each.value.listener]" in push["for_each"]
    assert 'context => "https://ecshop-${context}-' in terraform.locals["service_urls"]
    [config] = push["content"]
    assert config["push_endpoint"] == f"${{push_config.value}}{PATH}"
    assert config["oidc_token"] == [
        {
            "service_account_email": '${google_service_account.of["pusher"].email}',
            "audience": "${push_config.value}",
        }
    ]
    for output, of_what in {"service_urls": "local.service_urls", "pusher": 'of["pusher"].email'}.items():
        assert of_what in terraform.outputs[output]["value"]


def test_the_worker_publishes_and_hears_all_but_dead_letters(terraform: Terraform) -> None:
    assert _roles(terraform, "topic", WORKER) == {
        "worker_publishes": ("publisher", f'${{setsubtract(local.topics, ["{DEAD_LETTERS}"])}}')
    }
    assert _roles(terraform, "subscription", WORKER) == {
        "worker_hears_events": ("subscriber", OF_ALL_EVENTS),
        "worker_hears_receipts": ("subscriber", OF_ALL_RECEIPTS),
    }


def test_pubsub_itself_may_make_dead_letters(terraform: Terraform) -> None:
    assert _roles(terraform, "topic", PUBSUB_ITSELF) == {"pubsub_forwards_dead_letters": ("publisher", None)}
    assert _roles(terraform, "subscription", PUBSUB_ITSELF) == {
        "pubsub_takes_dead_letters": ("subscriber", OF_ALL_EVENTS)
    }
    forwards = terraform.resources("google_pubsub_topic_iam_member")["pubsub_forwards_dead_letters"]
    assert forwards["topic"] == f'${{google_pubsub_topic.of["{DEAD_LETTERS}"].name}}'


def test_a_service_publishes_only_receipts_and_only_where_it_is_pushed_to(terraform: Terraform) -> None:
    listener = "${google_service_account.of[each.value.listener].member}"
    assert _roles(terraform, "topic", listener) == {
        "listener_publishes_receipts": ("publisher", "${var.push ? local.says : {}}")
    }
    assert _roles(terraform, "subscription", listener) == {}
    assert "for topic in local.receipts" in terraform.locals["says"]


def test_nobody_else_has_anything_to_do_there(terraform: Terraform) -> None:
    members = {
        block["member"]
        for what in ("topic", "subscription")
        for block in terraform.resources(f"google_pubsub_{what}_iam_member").values()
    }
    assert members == {WORKER, PUBSUB_ITSELF, "${google_service_account.of[each.value.listener].member}"}


def _dynamic(block: Block) -> dict[str, Any]:
    return {name: inner for dynamic in block["dynamic"] for name, inner in dynamic.items()}


def _roles(terraform: Terraform, what: str, member: str) -> dict[str, tuple[str, str | None]]:
    """By name, the role that somebody has at which topics or subscriptions."""
    found = terraform.resources(f"google_pubsub_{what}_iam_member").items()
    return {
        name: (block["role"].removeprefix("roles/pubsub."), block.get("for_each"))
        for name, block in found
        if block["member"] == member
    }
