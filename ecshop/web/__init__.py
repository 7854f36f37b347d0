"""The shop in a browser: pages over the contexts' contracts. It owns no table.

A page is HTML that the server makes, and works without JavaScript; htmx only saves whole pages where a part will do.
What a visitor has that is no account's (language, appearance, basket) is in cookies.
"""
