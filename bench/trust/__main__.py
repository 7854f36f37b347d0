"""`./dev trust identity`, `http` or `api`: the exit status is 1 if anything was found."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.trust import api, fuzz, identity
from bench.trust.report import show


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev trust", description=__doc__)
    parser.add_argument("what", choices=["identity", "http", "api"])
    parser.add_argument("--requests", type=int, default=300_000, help="of http [%(default)s]")
    parser.add_argument("--seconds", type=int, default=600, help="of api, for each role [%(default)s]")
    parser.add_argument("--cases", type=int, default=10_000, help="of api, for each role at least [%(default)s]")
    parser.add_argument("--seed", type=int, default=1, help="another one makes other requests [%(default)s]")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ecshop-trust-") as name:
        folder = Path(name)
        if wanted.what == "identity":
            show(identity.measure(folder))
        elif wanted.what == "http":
            show(fuzz.measure(folder, wanted.requests, wanted.seed))
        else:
            show(api.measure(folder, wanted.seconds, wanted.cases, wanted.seed))


if __name__ == "__main__":
    main()
