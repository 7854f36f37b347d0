"""Product owns what the shop offers: products, their categories, and whether each is on sale.

`on_sale` is the seller's switch. `in_stock` follows the events of stock: null until the first, false when the last unit
is gone, true again when units come in. `status` is both together: whether the product can be ordered. Only the switch
can be written.
"""
