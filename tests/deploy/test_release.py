"""A release on Cloud Run: its steps are run for real, by a gcloud that only writes down what it is asked to do."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from entrypoints.cli import main as cli
from entrypoints.contexts import SERVICE_NAMES
from entrypoints.environment import read_settings
from tests.architecture.tools import ROOT, tool
from tests.deploy.cloudrun import PLACEHOLDERS, deployed
from tests.deploy.gcloud import refusal, unknown
from tests.deploy.releasing import SCRIPT, WORKER, Book

each_step = pytest.mark.parametrize("step", ["canary", "smoke", "promote"])


@pytest.fixture
def release(tmp_path: Path) -> Book:
    return Book(tmp_path)


def _traffic(to: str) -> list[str]:
    return [f"gcloud run services update-traffic ecshop-{name} {to}" for name in SERVICE_NAMES]


def _changes(calls: list[str]) -> list[str]:
    """Those that change anything."""
    return [call for call in calls if not re.search(" describe | list | access ", call)]


REMEMBERED: Final = _traffic("--update-tags=previous=ecshop-{}-00007-abc")
DEPLOYED: Final = [
    "gcloud run jobs replace -",
    "gcloud run jobs execute ecshop-migrate --wait",
    *["gcloud run services replace -"] * len(SERVICE_NAMES),
]
WALK: Final = "dev smoke https://shop.example --staff smoke"
BACK: Final = [
    *_traffic("--to-tags=previous=100 --remove-tags=canary"),
    f"gcloud beta run worker-pools update-instance-split ecshop-worker --to-revisions={WORKER}=100",
]


def test_canaries_are_deployed_beside_what_serves_and_after_the_schema(release: Book) -> None:
    done = release("canary")
    assert (done.returncode, done.stderr) == (0, "")
    remembered = [call.format(name) for call, name in zip(REMEMBERED, SERVICE_NAMES, strict=True)]
    assert _changes(release.asked) == [*remembered, *DEPLOYED]


def test_a_canary_is_what_its_file_says_and_has_no_traffic(release: Book) -> None:
    release("canary")
    services = release.documents("gcloud run services replace -")
    assert [service["metadata"]["name"] for service in services] == [f"ecshop-{name}" for name in SERVICE_NAMES]
    for name, service in zip(SERVICE_NAMES, services, strict=True):
        assert service["spec"].pop("traffic") == [
            {"revisionName": f"ecshop-{name}-00007-abc", "percent": 100, "tag": "previous"},
            {"latestRevision": True, "tag": "canary"},
        ]
        assert service == deployed(f"{name}.yaml").document
    assert release.documents("gcloud run jobs replace -") == [deployed("migrate-job.yaml").document]


def test_gcloud_reads_how_the_traffic_of_a_canary_is_said(release: Book) -> None:
    release("canary")
    for service in release.documents("gcloud run services replace -"):
        assert refusal("Service", service) == ""
        service["spec"]["traffic"][1]["tags"] = "canary"
        assert "tags" in refusal("Service", service)


def test_canaries_are_walked_through_inside_of_their_network_by_a_job(release: Book) -> None:
    done = release("smoke")
    assert (done.returncode, done.stderr) == (0, "")
    [call] = [call for call in release.calls if "deploy" in call]
    told = dict(word.split("=", 1) for word in call if word.startswith("--") and "=" in word)
    assert told["--image"] == PLACEHOLDERS["IMAGE"]
    assert {"--execute-now", "--wait"} <= set(call)
    environment = dict(one.split("=", 1) for one in told["--set-env-vars"].split(","))
    urls = read_settings({**environment, "CLOUD_RUN_JOB": "ecshop-smoke"}).urls
    assert {name: urls[name] for name in SERVICE_NAMES} == {
        name: f"https://canary---ecshop-{name}-4711.run.app" for name in SERVICE_NAMES
    }
    assert told["--command"] == "sh"
    _, delimiter, arguments = told["--args"].split("^")
    option, script = arguments.split(delimiter)
    [command, password] = script.split("<")
    _, name, *rest = command.split()
    assert (option, password) == ("-c", told["--set-secrets"].split("=")[0])
    cli.commands[name].make_context(name, rest)


def test_traffic_comes_in_two_steps_then_the_worker_and_each_is_walked_through(release: Book) -> None:
    done = release("promote")
    assert (done.returncode, done.stderr) == (0, "")
    assert _changes(release.asked) == [
        *_traffic("--to-tags=canary=10,previous=90"),
        WALK,
        *_traffic("--to-tags=canary=100"),
        WALK,
        "gcloud beta run worker-pools replace -",
        "gcloud beta run worker-pools update-instance-split ecshop-worker --to-latest",
        WALK,
        *_traffic("--remove-tags=canary"),
        "ecshop docs build/docs",
        f"gcloud storage cp --recursive build/docs/* gs://{PLACEHOLDERS['PROJECT']}-docs/docs/",
    ]
    assert release.documents(WALK) == ["a long password"] * 3
    assert release.documents("gcloud beta run worker-pools replace -") == [deployed("worker-pool.yaml").document]


def test_back_by_hand_all_traffic_and_the_worker_go_back(release: Book) -> None:
    done = release("rollback", IMAGE="", GATEWAY_ADDRESS="")
    assert (done.returncode, done.stderr) == (0, "")
    assert _changes(release.asked) == BACK
    [list_] = [call for call in release.calls if "list" in call]
    assert '--filter=spec.containers.image="registry/ecshop@sha256:former"' in list_


def test_what_does_not_go_back_is_said_and_the_others_go(release: Book) -> None:
    done = release("rollback", FAILS_AT="2")
    assert done.returncode == 1
    assert "not gone back: ecshop-product (docs/releasing.md" in done.stderr
    assert _changes(release.asked) == BACK


def _is_early(call: str) -> bool:
    """Nothing has changed yet, so nothing goes back."""
    return " describe " in call or " --update-tags=previous=" in call


def _is_late(call: str) -> bool:
    """All is served by the new revisions, and was walked through."""
    return bool(re.search(" --remove-tags=canary$|^ecshop docs | storage ", call)) and "previous" not in call


@each_step
def test_whatever_fails_all_traffic_goes_back(step: str, release: Book) -> None:
    release(step)
    expected = release.asked
    tried = [number for number, call in enumerate(expected, 1) if not _is_early(call) and not _is_late(call)]
    assert len(tried) >= 1
    for number in tried:
        done = release(step, FAILS_AT=str(number))
        assert (done.returncode, "all traffic goes back" in done.stderr) == (1, True), expected[number - 1]
        assert release.asked[:number] == expected[:number]
        assert _changes(release.asked[number:]) == BACK


@each_step
def test_what_fails_before_anything_has_changed_ends_it(step: str, release: Book) -> None:
    release(step)
    expected = release.asked
    for number, call in enumerate(expected, 1):
        if not _is_early(call):
            break
        done = release(step, FAILS_AT=str(number), EMPTY=call.removeprefix("gcloud "))
        assert done.returncode == 1
        assert _changes(release.asked) == _changes(expected[: len(release.asked)])
        assert len(release.asked) < len(expected)


def test_what_fails_when_all_is_served_leaves_it_there(release: Book) -> None:
    release("promote")
    expected = release.asked
    late = [number for number, call in enumerate(expected, 1) if _is_late(call)]
    assert len(late) == len(SERVICE_NAMES) + 2
    for number in late:
        assert release("promote", FAILS_AT=str(number)).returncode == 1
        assert release.asked == expected[:number]


@each_step
def test_who_ends_it_halfway_sees_all_traffic_go_back(step: str, release: Book) -> None:
    release(step)
    [number, *_] = [at for at, call in enumerate(release.asked, 1) if not _is_early(call) and not call.endswith("-")]
    done = release(step, ENDED_AT=str(number))
    assert done.returncode == 143
    assert _changes(release.asked[number:]) == BACK


def test_the_failure_stays_one_where_going_back_fails_too(release: Book) -> None:
    walk = len(SERVICE_NAMES) + 1  # after a look at each canary
    done = release("smoke", FAILS_AT=f"{walk} {walk + 1}")
    assert done.returncode == 1
    assert "not gone back: ecshop-auth" in done.stderr


@pytest.mark.parametrize(
    ("step", "told", "reason"),
    [
        ("canary", {"EMPTY": "run services describe ecshop-stock"}, "ecshop-stock serves nothing"),
        ("canary", {"BETWEEN": ", 'ecshop-auth-00008-abc'"}, "between ecshop-auth-00007-abc,ecshop-auth-00008-abc"),
        ("smoke", {"NO_CANARY": "1"}, "ecshop-auth has no canary"),
        ("promote", {"NO_CANARY": "1"}, "ecshop-auth has no canary"),
        ("promote", {"IMAGE": ""}, "IMAGE"),
        ("rollback", {"PROJECT": ""}, "PROJECT"),
    ],
)
def test_a_step_that_has_no_place_is_refused(step: str, told: dict[str, str], reason: str, release: Book) -> None:
    done = release(step, **told)
    assert done.returncode != 0
    assert reason in done.stderr
    assert _changes(release.asked) == []


@pytest.mark.parametrize("step", ["canary", "smoke", "promote", "docs", "rollback"])
def test_gcloud_has_each_command_that_is_called(step: str, release: Book) -> None:
    release(step)
    calls = [call for program, *call in release.calls if program == "gcloud"]
    assert len(calls) >= 1
    assert {" ".join(call): unknown(call) for call in calls if unknown(call)} == {}


def test_a_tag_is_the_version_or_refused(release: Book) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert release("check", f"v{version}").returncode == 0
    for tag in ("v0.0.0", version, ""):
        refused = release("check", tag)
        assert refused.returncode == 1
        assert f"the project's version is {version}" in refused.stderr


def test_it_releases_every_context() -> None:
    [services] = re.findall("^services='(.*)'$", SCRIPT.read_text(), re.M)
    assert services.split() == list(SERVICE_NAMES)


def test_it_says_which_steps_there_are_and_shellcheck_has_nothing_against_it(release: Book) -> None:
    done = release()
    assert done.returncode == 2
    assert re.findall(r"^  ([a-z]+)", done.stdout, re.M) == ["check", "canary", "smoke", "promote", "docs", "rollback"]
    assert tool(ROOT, "shellcheck", str(SCRIPT), str(ROOT / "dev")) == (0, "")
