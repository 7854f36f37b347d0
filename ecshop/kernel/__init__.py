"""What every context stands on. No word of the business appears here."""
