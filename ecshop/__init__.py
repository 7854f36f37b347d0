"""An order system for a web shop: it never sells what it does not have, and never loses an event."""

__version__ = "0.1.0"
