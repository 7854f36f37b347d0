"""The ways that events travel, all behind one protocol."""
