"""What Alembic finds: `env.py`, which it runs, and `versions/`."""
