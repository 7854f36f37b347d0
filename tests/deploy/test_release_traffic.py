"""What the steps of a release ask for, gcloud reckons and shows as they expect: its code is asked, and no service."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from entrypoints.contexts import SERVICE_NAMES
from tests.deploy.gcloud import printed, traffic_after
from tests.deploy.releasing import WORKER, Book

FORMER: Final = "ecshop-auth-00007-abc"
ALL_AT_FORMER: Final = {(FORMER, 100)}
SERVES: Final[dict[str, Any]] = {
    "status": {
        "traffic": [
            {"revisionName": FORMER, "percent": 100, "latestRevision": True},
            {
                "revisionName": "ecshop-auth-00006-abc",
                "tag": "previous",
                "url": "https://previous---ecshop-auth.run.app",
            },
            {"revisionName": "ecshop-auth-00008-abc", "tag": "canary", "url": "https://canary---ecshop-auth.run.app"},
        ]
    }
}


@pytest.fixture
def release(tmp_path: Path) -> Book:
    return Book(tmp_path)


def _calls(release: Book, step: str, words: str) -> list[list[str]]:
    release(step)
    return [call for call in release.calls if words in " ".join(call)]


def _shares(traffic: list[tuple[str, int, str | None]]) -> set[tuple[str, int]]:
    return {(name, share) for name, share, _ in traffic if share}


def _tags(traffic: list[tuple[str, int, str | None]]) -> dict[str, str]:
    return {tag: name for name, _, tag in traffic if tag}


def test_canaries_get_a_tenth_then_all_and_no_step_makes_it_impossible_to_go_back(release: Book) -> None:
    [canary, *_] = _documents(release)
    steps = _calls(release, "promote", "update-traffic ecshop-auth")
    after = traffic_after(canary, steps)
    assert [_shares(one) for one in after] == [{(FORMER, 90), ("LATEST", 10)}, {("LATEST", 100)}, {("LATEST", 100)}]
    assert [_tags(one).get("previous") for one in after] == [FORMER] * len(steps)
    assert ["canary" in _tags(one) for one in after] == [True, True, False]
    [back] = _calls(release, "rollback", "update-traffic ecshop-auth")
    for done in range(len(steps) + 1):
        [*_, last] = traffic_after(canary, [*steps[:done], back])
        assert (_shares(last), _tags(last)) == (ALL_AT_FORMER, {"previous": FORMER})


def test_remembering_what_serves_moves_no_traffic_and_is_enough_to_go_back(release: Book) -> None:
    [remember] = _calls(release, "canary", "update-traffic ecshop-auth")
    [back] = _calls(release, "rollback", "update-traffic ecshop-auth")
    [document, *_] = _documents(release)
    document["spec"]["traffic"] = [{"latestRevision": True, "percent": 100}]
    remembered, returned = traffic_after(document, [remember, back])
    assert (_shares(remembered), _tags(remembered)) == ({("LATEST", 100)}, {"previous": FORMER})
    assert _shares(returned) == ALL_AT_FORMER


@pytest.mark.parametrize(
    ("step", "service", "shown"),
    [
        ("canary", "auth", FORMER),
        ("smoke", "auth", "https://canary---ecshop-auth.run.app"),
        ("rollback", "order", "ecshop-auth-00006-abc"),
    ],
)
def test_a_service_shows_what_is_looked_for_in_its_traffic(step: str, service: str, shown: str, release: Book) -> None:
    [look] = _calls(release, step, f"services describe ecshop-{service}")
    assert printed(look, [SERVES]) == f"['{shown}']\n"
    assert printed(look, [{"status": {"traffic": []}}]).strip() == ""


def test_a_service_between_two_revisions_shows_both(release: Book) -> None:
    [look] = _calls(release, "canary", "services describe ecshop-auth")
    halves = [{"revisionName": name, "percent": 50} for name in ("former", "next")]
    assert printed(look, [{"status": {"traffic": halves}}]) == "['former', 'next']\n"


def test_the_worker_goes_back_to_its_last_revision_of_the_former_image(release: Book) -> None:
    [look] = _calls(release, "rollback", "run revisions describe ecshop-order-00007-abc")
    former = {"spec": {"containers": [{"image": "registry/ecshop@sha256:former"}]}}
    assert printed(look, [former]) == "registry/ecshop@sha256:former\n"
    [look] = _calls(release, "rollback", "worker-pools revisions list")
    assert "--sort-by=~metadata.creationTimestamp" in look
    revisions = [
        {
            "metadata": {"name": "ecshop-worker-00004-abc"},
            "spec": {"containers": [{"image": "registry/ecshop@sha256:new"}]},
        },
        {"metadata": {"name": WORKER}, **former},
    ]
    assert printed(look, revisions) == f"{WORKER}\n"


def _documents(release: Book) -> list[Any]:
    release("canary")
    documents = release.documents("gcloud run services replace -")
    assert len(documents) == len(SERVICE_NAMES)
    return documents
