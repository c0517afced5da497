"""Alembic's environment: `env.py` runs it, `versions` has the revisions."""
