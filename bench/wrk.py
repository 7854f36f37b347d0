"""Load from wrk, which leaves more of the machine to the server than any generator in Python."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Final

from bench.load import Request, Result

_SCRIPT: Final = """
local requests = {{
{requests}
}}
local turn = 0
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
init = function()
  for n, one in ipairs(requests) do requests[n] = wrk.format(one[1], one[2], one[3], one[4]) end
end
"""
_UNITS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0}
_SUCCESS: Final = 200


def is_installed() -> bool:
    return shutil.which("wrk") is not None


def load(port: int, requests: Sequence[Request], clients: int, seconds: float) -> Result:
    """`clients` connections go round the `requests`; every success counts as 200 here, and anything else as 0."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT.format(requests=",\n".join(map(_rendered, requests))))
        script.flush()
        command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds:g}s", "--latency", "-s", script.name]
        told = subprocess.run(
            [*command, f"http://127.0.0.1:{port}"], capture_output=True, check=True, text=True, timeout=seconds + 30
        ).stdout
    done = re.search(r"(\d+) requests in ([\d.]+)s", told)
    if done is None:
        raise RuntimeError(f"wrk said nothing of its requests:\n{told}")
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    refused = int(failed[1]) if failed else 0
    answers = {_SUCCESS: int(done[1]) - refused} | ({0: refused} if refused else {})
    return Result(float(done[2]), answers, _latency(told, "50%"), _latency(told, "99%"))


def _rendered(request: Request) -> str:
    headers = {"Authorization": f"Bearer {request.token}"} if request.token else {}
    if request.body:
        headers["Content-Type"] = "application/json"
    told = ", ".join(f'["{name}"] = "{value}"' for name, value in headers.items())
    return f"  {{'{request.method}', '{request.path}', {{{told}}}, '{request.body}'}}"


def _latency(told: str, share: str) -> float:
    """In milliseconds."""
    found = re.search(rf"^\s+{share}\s+([\d.]+)(us|ms|s)$", told, re.M)
    return float(found[1]) * _UNITS[found[2]] if found else 0.0
