"""deploy/kubernetes as kubectl puts it together: collected where there is one."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.architecture.tools import ROOT, tool
from tests.deploy.roles import PRODUCTION, documents


def test_kubectl_makes_one_of_base_and_overlay_that_kubernetes_takes(tmp_path: Path) -> None:
    done = subprocess.run(["kubectl", "kustomize", str(PRODUCTION)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(done.stdout)
    status, said = tool(ROOT, "kubernetes-validate", "--strict", "--quiet", str(rendered))
    assert status == 0, said
    assert {one["metadata"]["namespace"] for one in documents(rendered) if one["kind"] != "Namespace"} == {"ecshop"}
