"""`python -m ecshop`: the whole shop."""

import sys

try:
    from entrypoints.cli import main

    main()
except KeyboardInterrupt:  # before there is a server that it could stop
    sys.exit(130)
