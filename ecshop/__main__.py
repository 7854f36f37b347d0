"""`python -m ecshop`: the whole shop."""

import gc
import sys

gc.set_threshold(1_000_000, 20, 20)  # what is imported stays: to look for garbage in it takes a tenth of the start

try:
    from entrypoints.cli import main

    main()
except KeyboardInterrupt:  # before there is a server that it could stop
    sys.exit(130)
