"""deploy/kubernetes: what holds for its manifests, beside what holds for every configuration."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from entrypoints.contexts import NAMES, SERVICE_NAMES
from entrypoints.environment import read_settings
from tests.architecture.tools import ROOT, tool
from tests.deploy.roles import (
    BASE,
    EXAMPLE,
    GATEWAY,
    IMAGE,
    LIVE,
    PRODUCTION,
    READY,
    Manifest,
    base,
    compose_file,
    containers_of,
    documents,
    from_kubernetes,
    of_kind,
    pod_of,
    seconds_before_stop,
    workloads,
)

KUSTOMIZATION = "kustomization.yaml"
NAME = "app.kubernetes.io/name"
WORKLOADS = workloads()
DEPLOYMENTS = of_kind(base(), "Deployment")
ANSWERING = [*SERVICE_NAMES, GATEWAY]
[OVERLAY] = documents(PRODUCTION / KUSTOMIZATION)
PATCHES = OVERLAY["patches"]


def listed(folder: Path) -> set[str]:
    """The files of the folder that its kustomization names."""
    [told] = documents(folder / KUSTOMIZATION)
    generated = [file for one in told.get("configMapGenerator", []) for file in one["envs"]]
    named = [*told["resources"], *generated, *(patch["path"] for patch in told.get("patches", []))]
    return {name for name in named if (folder / name).is_file() or not (folder / name).exists()}


def production(kind: str) -> dict[str, Manifest]:
    """What the overlay adds."""
    files = [name for name in OVERLAY["resources"] if (PRODUCTION / name).is_file()]
    return of_kind([one for name in files for one in documents(PRODUCTION / name)], kind)


def targets(patch: Manifest) -> dict[str, Manifest]:
    """The workloads that a patch is for."""
    told = patch["target"]
    key, _, value = told.get("labelSelector", "").partition("=")
    return {
        name: one
        for name, one in of_kind(base(), told["kind"]).items()
        if name == told.get("name", name) and one["metadata"].get("labels", {}).get(key, "") == value
    }


def patched(patch: Manifest) -> list[Manifest]:
    [told] = documents(PRODUCTION / patch["path"])
    pod = pod_of(told)
    return [*pod.get("initContainers", []), *pod.get("containers", [])]


def test_every_manifest_is_one_that_kubernetes_takes() -> None:
    files = [BASE / name for name in listed(BASE) if name.endswith(".yaml")]
    added = [PRODUCTION / name for name in OVERLAY["resources"] if (PRODUCTION / name).is_file()]
    status, said = tool(ROOT, "kubernetes-validate", "--strict", "--quiet", *map(str, [*files, *added, EXAMPLE]))
    assert status == 0, said


@pytest.mark.parametrize("folder", [BASE, PRODUCTION], ids=lambda folder: folder.name)
def test_a_kustomization_lists_the_files_that_are_there_and_no_secrets(folder: Path) -> None:
    assert listed(folder) == {file.name for file in folder.iterdir()} - {KUSTOMIZATION, EXAMPLE.name}


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pod_is_nobody_who_could_do_more(name: str) -> None:
    pod = pod_of(WORKLOADS[name])
    told = pod["securityContext"]
    assert (told["runAsNonRoot"], told["runAsUser"]) == (True, 10001)
    assert told["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers_of(WORKLOADS[name]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pod_has_an_account_of_its_own_and_no_token_of_it(name: str) -> None:
    pod, accounts = pod_of(WORKLOADS[name]), of_kind(base(), "ServiceAccount")
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == (name, False)
    assert accounts[name]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pod_gets_no_variables_for_services_among_which_the_shop_would_find_unknown_ones(name: str) -> None:
    assert pod_of(WORKLOADS[name])["enableServiceLinks"] is False


@pytest.mark.parametrize("name", WORKLOADS)
def test_what_a_container_mounts_is_a_volume_of_its_pod_that_has_an_end(name: str) -> None:
    volumes = {one["name"]: one["emptyDir"]["sizeLimit"] for one in pod_of(WORKLOADS[name])["volumes"]}
    mounted = [one["name"] for container in containers_of(WORKLOADS[name]) for one in container["volumeMounts"]]
    assert set(mounted) == volumes.keys()


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_finds_its_own_pods(name: str) -> None:
    labels = WORKLOADS[name]["spec"]["template"]["metadata"]["labels"]
    assert labels[NAME] == name
    assert labels == WORKLOADS[name]["metadata"]["labels"]
    if name in DEPLOYMENTS:
        assert WORKLOADS[name]["spec"]["selector"]["matchLabels"] == {NAME: name}


def test_each_secret_is_told_to_those_who_need_it_and_is_in_the_example() -> None:
    containers = [container for one in WORKLOADS.values() for container in containers_of(one)]
    told = [
        source["secretRef"]["name"] for one in containers for source in one.get("envFrom", []) if "secretRef" in source
    ]
    assert set(told) == of_kind(documents(EXAMPLE), "Secret").keys()


@pytest.mark.parametrize("name", SERVICE_NAMES)
def test_a_server_is_asked_whether_it_lives_and_whether_it_can_serve(name: str) -> None:
    [server] = pod_of(WORKLOADS[name])["containers"]
    asked = {probe: server[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked["startupProbe"] in LIVE
    assert asked["livenessProbe"] in LIVE
    assert asked["readinessProbe"] in READY


def test_nginx_is_asked_for_what_it_answers_itself() -> None:
    [nginx] = pod_of(WORKLOADS[GATEWAY])["containers"]
    paths = {nginx[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    [own] = re.findall(r"location = (/health/\S+) \{\s+default_type", (ROOT / "entrypoints/nginx.conf").read_text())
    assert paths == {own}


@pytest.mark.parametrize("name", ANSWERING)
def test_a_roll_out_takes_nobody_away_before_another_is_ready(name: str) -> None:
    told = DEPLOYMENTS[name]["spec"]["strategy"]
    assert (told["type"], told["rollingUpdate"]) == ("RollingUpdate", {"maxSurge": 1, "maxUnavailable": 0})
    assert seconds_before_stop(DEPLOYMENTS[name]) >= 5


def test_nobody_is_reached_but_by_whom_a_policy_names() -> None:
    everybody = of_kind(base(), "NetworkPolicy")["nobody"]["spec"]
    assert everybody == {"podSelector": {}, "policyTypes": ["Ingress"]}


@pytest.mark.parametrize("name", SERVICE_NAMES)
def test_a_service_is_reached_by_those_that_are_told_where_it_is(name: str) -> None:
    roles = from_kubernetes().roles.items()
    callers = {role for role, one in roles if f"ECSHOP_{name.upper()}_URL" in one.environment}
    policy = of_kind(base(), "NetworkPolicy")[name]["spec"]
    assert policy["podSelector"]["matchLabels"] == {NAME: name}
    [rule] = policy["ingress"]
    [source], [port] = rule["from"], rule["ports"]
    [expression] = source["podSelector"]["matchExpressions"]
    assert (expression["key"], expression["operator"], set(expression["values"])) == (NAME, "In", callers)
    [server] = pod_of(WORKLOADS[name])["containers"]
    assert [port["port"]] == [one["name"] for one in server["ports"]]


def test_the_gateway_is_reached_by_everybody() -> None:
    policy = of_kind(base(), "NetworkPolicy")[GATEWAY]["spec"]
    assert policy["podSelector"]["matchLabels"] == {NAME: GATEWAY}
    assert policy["ingress"] == [{"ports": [{"port": "http"}]}]


def test_every_policy_is_for_somebody_who_listens() -> None:
    assert of_kind(base(), "NetworkPolicy").keys() - {"nobody"} == of_kind(base(), "Service").keys() == set(ANSWERING)


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch["path"])
def test_a_patch_changes_containers_that_there_are(patch: Manifest) -> None:
    [told] = documents(PRODUCTION / patch["path"])
    assert targets(patch)
    for one in targets(patch).values():
        assert (told["apiVersion"], told["kind"]) == (one["apiVersion"], one["kind"])
        assert {container["name"] for container in patched(patch)} <= {each["name"] for each in containers_of(one)}


def test_every_container_of_production_says_what_it_needs_and_has_an_end() -> None:
    bounded = {
        (name, container["name"])
        for patch in PATCHES
        for name in targets(patch)
        for container in patched(patch)
        if all(container["resources"][one].keys() == {"cpu", "memory"} for one in ("requests", "limits"))
    }
    assert bounded == {(name, one["name"]) for name, each in WORKLOADS.items() for one in containers_of(each)}


def test_replicas_of_production_are_spread() -> None:
    [spread] = [patch for patch in PATCHES if not patched(patch)]
    [told] = documents(PRODUCTION / spread["path"])
    constraints = pod_of(told)["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in constraints] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert all(NAME in one["matchLabelKeys"] for one in constraints)
    assert targets(spread).keys() == DEPLOYMENTS.keys()


@pytest.mark.parametrize("name", SERVICE_NAMES)
def test_a_server_has_as_many_replicas_as_it_needs_and_never_one(name: str) -> None:
    scaler = production("HorizontalPodAutoscaler")[name]["spec"]
    assert (scaler["scaleTargetRef"]["kind"], scaler["scaleTargetRef"]["name"]) == ("Deployment", name)
    assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]
    assert "replicas" not in DEPLOYMENTS[name]["spec"]
    assert name not in {one["name"] for one in OVERLAY["replicas"]}


@pytest.mark.parametrize("name", ANSWERING)
def test_of_those_that_answer_one_at_a_time_is_moved_elsewhere(name: str) -> None:
    budget = production("PodDisruptionBudget")[name]["spec"]
    assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": {NAME: name}}}


def test_whoever_is_not_scaled_by_load_has_a_number_of_replicas() -> None:
    numbers = {one["name"]: one["count"] for one in OVERLAY["replicas"]}
    assert numbers.keys() == DEPLOYMENTS.keys() - production("HorizontalPodAutoscaler").keys()
    assert all(count >= 2 for count in numbers.values())


def test_production_runs_this_version_of_our_image() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [(one["name"], one["newTag"]) for one in OVERLAY["images"]] == [("ecshop", project["version"])]


@pytest.mark.parametrize("role", from_kubernetes().roles)
def test_no_role_of_production_has_what_is_meant_for_a_laptop(role: str) -> None:
    lines = (PRODUCTION / "settings.env").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert read_settings({**from_kubernetes().roles[role].environment, **told}).profile == "production"


def test_nginx_is_the_one_of_the_laptop() -> None:
    images = {container["image"] for one in WORKLOADS.values() for container in containers_of(one)}
    [nginx] = [image for image in images if not IMAGE.fullmatch(image)]
    assert nginx == compose_file()["services"][GATEWAY]["image"]


def test_the_readme_says_how_many_connections_all_replicas_may_take() -> None:
    """With one more of each, as while a new version is rolled out, and the job that migrates."""
    of_each = {
        name: read_settings(role.environment).database_connections + 1 for name, role in from_kubernetes().roles.items()
    }
    servers = sum(
        (production("HorizontalPodAutoscaler")[name]["spec"]["maxReplicas"] + 1) * of_each[name] for name in NAMES
    )
    [workers] = [one["count"] for one in OVERLAY["replicas"] if one["name"] == "worker"]
    most = servers + (workers + 1) * len(NAMES) * of_each["worker"] + len(NAMES)
    assert f"up to {most} connections" in (ROOT / "deploy/README.md").read_text()
