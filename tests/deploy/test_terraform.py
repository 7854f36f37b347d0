"""What Terraform makes around the services on Google Cloud: its files are read, and nothing is made of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from entrypoints.client_proofs import secrets_of
from entrypoints.contexts import CONTEXTS, NAMES, SERVICE_NAMES, SERVICES
from entrypoints.databases import url_of
from entrypoints.environment import read_settings, variables
from entrypoints.grants import GRANTS
from entrypoints.operations.docs import FILES
from entrypoints.settings import Settings
from tests.architecture.tools import ROOT
from tests.deploy.cloudrun import RESERVED, connections_at_most, url_map_paths
from tests.deploy.terraform import FOLDER, Block, Terraform

NGINX = ROOT / "entrypoints" / "nginx.conf"
OF_ALL_SERVICES = "${toset(local.services)}"
DOCS = "${google_compute_backend_bucket.docs.id}"
INTERVALS = (10, 30, 60, 120, 180, 240, 270, 300, 600, 900, 1200, 1800, 2700, 3600)
"""Seconds, of which Cloud Armor counts requests (cloud.google.com/armor/docs/rate-limiting-overview)."""


@pytest.fixture(scope="module")
def terraform() -> Terraform:
    return Terraform()


@pytest.fixture(scope="module")
def path_matcher(terraform: Terraform) -> Block:
    [matcher] = terraform.resources("google_compute_url_map")["gateway"]["path_matcher"]
    assert isinstance(matcher, dict)
    return matcher


def test_all_that_is_referred_to_is_declared_and_no_variable_is_idle(terraform: Terraform) -> None:
    assert terraform.used - terraform.declared == set()
    idle = terraform.declared - terraform.used
    assert {name for name in idle if name.startswith(("var.", "local.", "data."))} == set()


def test_it_is_written_as_terraform_writes_it() -> None:
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip("there is no terraform on the PATH")
    done = subprocess.run(
        [terraform, "fmt", "-check", "-diff", "-recursive", str(FOLDER)],
        env=os.environ | {"TF_CLI_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_each_file_can_be_read_at_one_sitting(terraform: Terraform) -> None:
    assert [file.name for file in terraform.files if len(file.read_text().splitlines()) > 150] == []


def test_providers_are_of_one_major_version() -> None:
    versions = re.findall(r'version += "(.*)"', (FOLDER / "versions.tf").read_text())
    assert len(versions) == 3
    assert all(re.fullmatch(r"~> \d+\.\d+", version) for version in versions)


def test_the_readme_tells_of_each_variable(terraform: Terraform) -> None:
    told = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    defaults = {name: _shown(block.get("default")) for name, block in terraform.variables.items()}
    assert {name: default for name, _, default in told} == defaults
    described = {name: block["description"] for name, block in terraform.variables.items()}
    assert {name: meaning for name, meaning, _ in told} == described


def test_each_service_has_its_place_behind_the_gateway_and_its_account(terraform: Terraform) -> None:
    assert terraform.locals["contexts"] == list(NAMES)
    assert terraform.locals["services"] == list(SERVICE_NAMES)
    assert terraform.locals["runners"] == [*SERVICE_NAMES, "worker"]
    assert terraform.locals["accounts"] == [*SERVICE_NAMES, "worker", "pusher", "deployer"]
    group = terraform.only("google_compute_region_network_endpoint_group")
    assert (group["for_each"], group["network_endpoint_type"]) == (OF_ALL_SERVICES, "SERVERLESS")
    assert group["cloud_run"] == [{"service": "ecshop-${each.key}"}]
    backend = terraform.only("google_compute_backend_service")
    assert backend["for_each"] == OF_ALL_SERVICES
    assert backend["backend"] == [{"group": "${google_compute_region_network_endpoint_group.of[each.key].id}"}]
    account = terraform.only("google_service_account")
    assert (account["for_each"], account["account_id"]) == ("${toset(local.accounts)}", "ecshop-${each.key}")


def test_a_service_gets_what_is_under_its_paths(terraform: Terraform, path_matcher: Block) -> None:
    assert terraform.locals["paths"] == {one.name: url_map_paths(one) for one in SERVICES}
    assert path_matcher["dynamic"] == [
        {
            "path_rule": {
                "for_each": "${local.paths}",
                "content": [
                    {
                        "paths": "${path_rule.value}",
                        "service": "${google_compute_backend_service.of[path_rule.key].id}",
                    }
                ],
            }
        }
    ]


def test_nothing_else_comes_as_far_as_a_service_but_the_look_whether_it_is_well(
    terraform: Terraform, path_matcher: Block
) -> None:
    front = re.findall(r"location = (/health/\w+) \{ proxy_pass", NGINX.read_text())
    to_services = [rule for rule in path_matcher["path_rule"] if rule.get("service", DOCS) != DOCS]
    assert to_services == [{"paths": front, "service": '${google_compute_backend_service.of["order"].id}'}]
    gateway = terraform.resources("google_compute_url_map")["gateway"]
    assert gateway["default_service"] == path_matcher["default_service"] == DOCS
    assert gateway["host_rule"] == [{"hosts": ["*"], "path_matcher": path_matcher["name"]}]


def test_what_the_other_gateway_closes_is_closed(terraform: Terraform) -> None:
    [closed_there] = re.findall(r"location ~ (\S+) \{ return 404; \}", NGINX.read_text())
    [alternatives] = re.findall(r"\^/\(\?:(.*)\)", closed_there)
    closed = re.compile(terraform.locals["closed"])
    for path in alternatives.replace("/?$", "").split("|"):
        for variant in (path, f"{path}/", f"/{path}", path.replace("/", "//")):
            assert closed.search(f"/{variant}"), variant
    assert {*re.findall("[a-z]+", closed.pattern)} == {*re.findall("[a-z]+", closed_there)}
    for context in CONTEXTS:
        for top in context.paths:
            assert not closed.search(f"/{top}")
            assert not closed.search(f"/{top}/tokens")


def test_what_is_closed_is_closed_before_anything_else_and_at_each_service(terraform: Terraform) -> None:
    rules = terraform.only("google_compute_security_policy")["rule"]
    assert rules == sorted(rules, key=lambda rule: int(rule["priority"]))
    assert rules[0]["action"] == "deny(404)"
    expression = "request.path.urlDecode().matches('${local.closed}')"
    assert rules[0]["match"] == [{"expr": [{"expression": expression}]}]
    policy = "${google_compute_security_policy.gateway.id}"
    assert terraform.only("google_compute_backend_service")["security_policy"] == policy


def test_a_client_may_ask_as_often_as_the_other_gateway_lets_it(terraform: Terraform) -> None:
    assert terraform.variables["rate"]["default"] == Settings().gateway_rate
    rule = terraform.only("google_compute_security_policy")["rule"][1]
    assert rule["action"] == "throttle"
    [limit] = rule["rate_limit_options"]
    assert (limit["exceed_action"], limit["enforce_on_key"]) == ("deny(429)", "IP")
    assert terraform.locals["interval"] in INTERVALS
    assert limit["rate_limit_threshold"] == [
        {"count": "${var.rate * local.interval}", "interval_sec": "${local.interval}"}
    ]


def test_the_docs_are_files_that_the_shop_writes(path_matcher: Block) -> None:
    rewritten = {
        path: rule["route_action"][0]["url_rewrite"][0]["path_prefix_rewrite"]
        for rule in path_matcher["path_rule"]
        if "route_action" in rule
        for path in rule["paths"]
    }
    index, icon = "/docs/index.html", "/docs/favicon.svg"
    assert rewritten == {"/docs": index, "/docs/": index, "/favicon.ico": icon}
    assert {index, icon} <= {f"/docs/{name}" for name in FILES}
    as_they_are = {path for name, path in FILES.items() if path == f"/docs/{name}"}
    assert as_they_are | rewritten.keys() >= {*FILES.values()}


def test_it_listens_where_browsers_ask_and_sends_them_to_https(terraform: Terraform) -> None:
    rules = terraform.resources("google_compute_global_forwarding_rule")
    assert {name: rule["port_range"] for name, rule in rules.items()} == {"https": "443", "http": "80"}
    assert "url_map.to_https" in terraform.only("google_compute_target_http_proxy")["url_map"]
    assert "url_map.gateway" in terraform.only("google_compute_target_https_proxy")["url_map"]
    [redirect] = terraform.resources("google_compute_url_map")["to_https"]["default_url_redirect"]
    assert redirect["https_redirect"] is True
    for type_ in ("google_compute_backend_service", "google_compute_backend_bucket"):
        assert terraform.only(type_)["enable_cdn"] is False


def test_each_secret_is_a_variable_of_the_shop_and_is_read_by_those_who_need_it(terraform: Terraform) -> None:
    readers = terraform.locals["readers"]
    assert readers == {
        "ecshop-database-url": [*NAMES, "worker"],
        "ecshop-client-secret": [*GRANTS],
        "ecshop-client-secrets": ["auth"],
    }
    assert {secret.upper().replace("-", "_") for secret in readers} <= {*variables()}
    assert readers.keys() == terraform.locals["secrets"].keys()
    for type_ in ("google_secret_manager_secret", "google_secret_manager_secret_version"):
        assert terraform.only(type_)["for_each"] == "${local.readers}"
    reads = terraform.only("google_secret_manager_secret_iam_member")
    assert (reads["for_each"], reads["role"]) == ("${local.reads}", "roles/secretmanager.secretAccessor")
    assert reads["secret_id"] == "${google_secret_manager_secret.of[each.value.secret].secret_id}"
    assert reads["member"] == "${google_service_account.of[each.value.reader].member}"


FILLED = "as-long-as-a-password-that-was-made-here"


def test_the_shop_understands_what_is_in_the_secrets(terraform: Terraform) -> None:
    environment = {
        secret.upper().replace("-", "_"): re.sub(r"\$\{[^}]*\}", FILLED, value)
        for secret, value in terraform.locals["secrets"].items()
    }
    settings = read_settings(environment)
    for name in NAMES:
        url = url_of(settings, name)
        assert (url.drivername, url.username, url.database) == ("postgresql+psycopg", FILLED, FILLED)
        assert url.query == {"schema": name, "sslmode": "require"}
    assert secrets_of(settings) == {caller: [settings.client_secret] for caller in GRANTS}
    assert all(block["special"] is False for block in terraform.resources("random_password").values())


def test_the_database_can_be_brought_back_and_is_for_the_shop_alone(terraform: Terraform) -> None:
    database = terraform.only("google_sql_database_instance")
    [settings] = database["settings"]
    [backup] = settings["backup_configuration"]
    assert database["database_version"] == "POSTGRES_16"
    assert backup["enabled"] is backup["point_in_time_recovery_enabled"] is True
    assert database["deletion_protection"] == settings["deletion_protection_enabled"] == "${var.deletion_protection}"
    assert settings["ip_configuration"][0]["ipv4_enabled"] is False
    assert terraform.only("google_sql_database")["name"] == terraform.only("google_sql_user")["name"] == "ecshop"


def test_the_database_has_connections_for_all_that_may_run(terraform: Terraform) -> None:
    most = terraform.variables["database_max_connections"]["default"]
    [settings] = terraform.only("google_sql_database_instance")["settings"]
    assert settings["database_flags"] == [
        {"name": "max_connections", "value": "${tostring(var.database_max_connections)}"}
    ]
    assert most - RESERVED >= connections_at_most()


def test_only_who_deploys_has_a_role_on_the_whole_project(terraform: Terraform) -> None:
    granted = {type_ for type_ in terraform.types if "_iam_" in type_}
    assert all(type_.endswith("_iam_member") for type_ in granted)
    on_the_project = terraform.only("google_project_iam_member")
    assert on_the_project["role"] == "roles/run.admin"
    assert on_the_project["member"] == '${google_service_account.of["deployer"].member}'


def test_everybody_may_only_read_the_docs(terraform: Terraform) -> None:
    everybody = {
        (type_, block["role"])
        for type_ in terraform.types
        if type_.endswith("_iam_member")
        for block in terraform.resources(type_).values()
        if block["member"] in ("allUsers", "allAuthenticatedUsers")
    }
    assert everybody == {("google_storage_bucket_iam_member", "roles/storage.objectViewer")}


def _shown(default: object) -> str:
    """As Terraform writes it."""
    if default is None:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
