"""`python -m ecshop`: the whole shop."""

from entrypoints.cli import main

main()
