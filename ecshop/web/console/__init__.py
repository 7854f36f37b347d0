"""The operator's console: what happens in the shop, over all contexts, and what staff does about it."""
