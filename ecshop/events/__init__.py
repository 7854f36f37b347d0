"""How contexts tell each other what happened: recorded with its cause, delivered at least once, applied exactly once."""
