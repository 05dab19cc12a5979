"""How adapters of several kinds reach the outside: one pooled HTTP client, one way to open Redis.

- ``http``: JSON and text over one aiohttp session, with a deadline and a byte cap.
- ``redis``: a client with a blocking pool and short timeouts.
"""
