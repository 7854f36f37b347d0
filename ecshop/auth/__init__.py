"""Auth owns users, their passwords and roles, and the key that signs every token of the shop."""
