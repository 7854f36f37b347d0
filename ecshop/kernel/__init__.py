"""What every context stands on. No word of the business appears here.

The modules of this folder are words that every room may use, and know no framework. `db` knows SQLAlchemy, `http` knows
Litestar and httpx, and neither knows the other; `telemetry` serves both.
"""
