"""What a running shop tells of itself: no web framework, no database."""
