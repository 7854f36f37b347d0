"""What staff may see of a context's events, and do about those that it gave up on: the same in every context."""
