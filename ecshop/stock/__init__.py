"""Stock owns the units: what is on hand, what of it is promised to orders, and a ledger of every change."""
