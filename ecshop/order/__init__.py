"""Order owns the orders. Its row is the commit record of a sale: what is recorded here is sold, what is not is not."""
