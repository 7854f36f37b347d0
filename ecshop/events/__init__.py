"""How contexts tell each other what happened: delivered at least once, applied exactly once."""
