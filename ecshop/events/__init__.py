"""Events between contexts: delivered at least once, applied exactly once."""
