"""What needs a tool that few machines have is collected where there is one."""

import shutil

_NEEDED = {"test_kustomize.py": "kubectl", "test_image_runs.py": "buildah"}

collect_ignore = [file for file, tool in _NEEDED.items() if shutil.which(tool) is None]
