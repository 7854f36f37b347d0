"""`./dev trust`: attacks on a running shop, and a table of what came of them. They go to this machine alone."""
