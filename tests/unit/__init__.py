"""The parts on their own, each with real files below it."""
