"""Stock owns the units: what is on hand, what of it is promised to orders, and a ledger of every change.

`stock` is what is on hand, `reserved` what of it is held for orders that are on their way, `available` the rest.
"""
