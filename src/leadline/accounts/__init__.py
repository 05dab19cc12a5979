"""Tenants and what is theirs, over SQLAlchemy Core: one implementation, on SQLite or PostgreSQL.

In order of reading:

- ``faults``, ``database``: a transaction as a plain function; SQLite in threads, PostgreSQL by asyncpg.
- ``schema``, ``migrations``: the tables, and how they come to be.
- ``tenants``, ``keys``, ``bearer``: who there is, and how a credential proves it.
- ``audit``: who did what, in a chain of hashes.
- ``sealing``, ``vault``: secrets at rest.
- ``once``, ``shares``, ``schedules``, ``webhooks``, ``deliveries``, ``corpora``: what tenants keep.
- ``holds``: what is set aside and what was used, day by day.
- ``recurrence``: `every Monday 08:00` to the next moment; pure.
"""
