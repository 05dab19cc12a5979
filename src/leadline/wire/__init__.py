"""How adapters of several kinds reach the outside: one pooled HTTP client, one way to open Redis.

- ``http``: JSON and text over one aiohttp session, with a deadline and a byte cap.
- ``keys``: several keys of one service, in turn.
- ``service``: turns, keys and verdicts around a request: what every provider stands on.
- ``queries``: what a query's filters mean.
- ``papers``: a scholarly work, and the port that finds some.
- ``redis``: a client with a blocking pool and short timeouts.
- ``redis_address``: TLS in an address of a Redis, the same for all who open one.
- ``redis_failures``: what befell a Redis, in plain words.
"""
