"""Product owns what the shop offers: products, their categories, and whether each is on sale."""
