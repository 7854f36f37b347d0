"""What `deploy/cloudrun` says of each service, worker and job, with its placeholders filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from string import Template
from typing import Any, Final

import yaml

from entrypoints.contexts import NAMES, Service
from entrypoints.environment import read_settings

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "cloudrun"
SECRETS: Final = {
    "ecshop-database-url": "postgresql+psycopg://ecshop:secret@10.0.0.3/ecshop?schema={context}&sslmode=require",
    "ecshop-client-secret": "s" * 32,
    "ecshop-client-secrets": f"order:{'s' * 32}",
}
RESERVED: Final = 3
"""Of a server's connections, for superusers (PostgreSQL, superuser_reserved_connections)."""
PLACEHOLDERS: Final = {
    "PROJECT": "my-shop",
    "PROJECT_NUMBER": "4711",
    "REGION": "asia-northeast1",
    "IMAGE": "asia-northeast1-docker.pkg.dev/my-shop/ecshop/ecshop:1",
    "GATEWAY_ADDRESS": "203.0.113.10",
}


class _Filled(Template):
    """`{context}` is the shop's own, and no placeholder."""


@dataclass(frozen=True)
class Deployed:
    file: Path

    @cached_property
    def document(self) -> Any:
        """As `envsubst` and `gcloud` read it."""
        return yaml.safe_load(_Filled(self.file.read_text()).substitute(PLACEHOLDERS))

    @property
    def name(self) -> str:
        return str(self.document["metadata"]["name"])

    @property
    def kind(self) -> str:
        return str(self.document["kind"])

    @property
    def template(self) -> Any:
        """The revision's, or the execution's."""
        return self.document["spec"]["template"]

    @property
    def spec(self) -> Any:
        """Of one instance."""
        return self.template["spec"]["template"]["spec"] if self.kind == "Job" else self.template["spec"]

    @property
    def container(self) -> Any:
        [container] = self.spec["containers"]
        return container

    def environment(self, secrets: Mapping[str, str]) -> dict[str, str]:
        """Of the process: what the file sets, and what Cloud Run adds (its container runtime contract)."""
        told = {one["name"]: one.get("value") or secrets[_secret(one)] for one in self.container["env"]}
        if self.kind == "Service":
            return told | {"K_SERVICE": self.name, "PORT": str(self.container["ports"][0]["containerPort"])}
        return told | {"CLOUD_RUN_JOB" if self.kind == "Job" else "CLOUD_RUN_WORKER_POOL": self.name}

    @property
    def secrets(self) -> set[str]:
        return {_secret(one) for one in self.container["env"] if "valueFrom" in one}


def connections_at_most() -> int:
    """Of all instances together: one more than the setting for each database of each."""

    def most(one: Deployed) -> int:
        settings = read_settings(one.environment(SECRETS))
        instances = int(one.document["metadata"]["annotations"].get("run.googleapis.com/maxScale", 1))
        databases = 1 if one.kind == "Service" else len(NAMES)
        return instances * databases * (settings.database_connections + 1)

    return sum(map(most, [*map(deployed, (f"{name}.yaml" for name in NAMES)), deployed("worker-pool.yaml")]))


def url_map_paths(service: Service) -> list[str]:
    """What the load balancer has for a service's paths, each of them alone and all below it."""
    return [path for top in service.paths for path in ((f"/{top}", f"/{top}/*") if top else ("/",))]


def _secret(variable: Any) -> str:
    return str(variable["valueFrom"]["secretKeyRef"]["name"])


ALL: Final = tuple(Deployed(file) for file in sorted(FOLDER.glob("*.yaml")) if file.name != "url-map.yaml")


def deployed(file: str) -> Deployed:
    return Deployed(FOLDER / file)
