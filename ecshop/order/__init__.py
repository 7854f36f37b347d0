"""Order owns the orders. Its row is the commit record of a sale: what is recorded here is sold, what is not is not.

An order is `confirmed` when it is answered with 201; its units leave the stock by an event right after. It is then
`fulfilled` by staff or `cancelled`, and a cancelled order gives its units back by an event, unless staff says that they
do not come back.
"""
