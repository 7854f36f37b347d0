"""The whole shop on one machine: what `up` needs besides the services themselves."""
