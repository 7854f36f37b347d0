"""Review owns what customers say of products."""
