"""What a running shop shows of itself: no web framework, no database."""
