"""`./dev trace`: what one order that takes the last unit sets off, as a tree of spans."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench import patient
from bench.buying import orders_of
from bench.collector import Collected, Collector, collecting, tree
from bench.server import Server, ports_in_a_row, running
from entrypoints.contexts import NAMES

_PATIENCE: Final = 30.0  # seconds
_LOOK_EVERY: Final = 0.1
_LAST: Final = "process ecshop.stock.depleted.v1"


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev trace", description=__doc__)
    parser.add_argument("--split", action="store_true", help="four services, with Redis between them")
    parser.add_argument("--pubsub", action="store_true", help="... or with the emulator of Google Pub/Sub")
    wanted = parser.parse_args()
    command = ["up", "--split", "--base-port", str(ports_in_a_row())] if wanted.split else ["up", "--port", "0"]
    bus = {"ECSHOP_BUS": "pubsub"} if wanted.pubsub else {}
    with tempfile.TemporaryDirectory(prefix="ecshop-trace-") as folder, collecting() as collector:
        of_traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_TRACES_SAMPLER_ARG": "1"}
        with running(Path(folder), "ecshop", *command, contexts=NAMES, **of_traces, **bus) as server:
            order = sell_the_last_unit(server)
            print(*tree(whole_trace(collector, order)), sep="\n")
            if wanted.split:
                print(f"\n$ ecshop logs --order {order}", flush=True)
                logs = [sys.executable, "-m", "ecshop", "logs", "--order", order, "--data-dir", folder]
                subprocess.run(logs, check=True, timeout=30)


def sell_the_last_unit(server: Server) -> str:
    """The order's id."""
    server.seed(1, 1)
    [request, *_] = orders_of(server.folder, [1])
    answer = patient.post(
        f"{server.url('order')}/orders",
        content=request.body,
        headers={"authorization": f"Bearer {request.token}", "content-type": "application/json"},
    )
    return str(answer.raise_for_status().json()["id"])


def whole_trace(collector: Collector, order: str) -> list[Collected]:
    """Raises `TimeoutError` where it does not come to its end."""

    until = time.monotonic() + _PATIENCE
    while not _is_whole(trace := collector.trace_with("ecshop.order_id", order)):
        if time.monotonic() > until:
            raise TimeoutError(f"the trace was not whole within {_PATIENCE:g} s")
        time.sleep(_LOOK_EVERY)
    return trace


def _is_whole(trace: Sequence[Collected]) -> bool:
    known = {"", *(span.span_id for span in trace)}
    return any(span.name == _LAST for span in trace) and all(span.parent_id in known for span in trace)


if __name__ == "__main__":
    main()
