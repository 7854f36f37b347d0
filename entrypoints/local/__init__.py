"""The whole shop on one machine: what `up` needs besides the services themselves."""

from typing import Final

SUPERVISOR: Final = "split"
REDIS: Final = "redis"
"""What is locked in the data folder: by the process that starts the services, and by the Redis that is our own."""
PUBSUB: Final = "pubsub"
