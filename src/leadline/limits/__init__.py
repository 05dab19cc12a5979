"""How fast we may ask others: one limit over all processes, fair, and refused early when hopeless.

In order of reading:

- ``types``: `Limit`, the port `Limiter`, and `Ledger`, what a store of reservations must do.
- ``memory``: the ledger of one process; the readable specification of the other.
- ``waiting``: `GcraLimiter`, the one that waits: reserve, sleep, look again, refund.
- ``redis``: the same ledger in one Lua call, on the server's clock.
"""
