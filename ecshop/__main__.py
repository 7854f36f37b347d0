"""`python -m ecshop`, and `ecshop` where it is installed: the whole shop."""

import atexit
import gc
import os
import sys


def main() -> None:
    """What is imported stays: to look for garbage in it takes a tenth of a start, and a quarter of a short command.

    Files that it makes are their owner's alone.
    """
    os.umask(0o077)
    gc.set_threshold(1_000_000, 20, 20)
    atexit.register(gc.freeze)
    try:
        from entrypoints.cli import main as command  # noqa: PLC0415 - a Ctrl-C ends the import, too

        command()
    except KeyboardInterrupt:  # before there is a server that it could stop
        sys.exit(130)


if __name__ == "__main__":
    main()
