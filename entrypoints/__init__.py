"""Where processes begin: the composition root and everything that starts it."""
