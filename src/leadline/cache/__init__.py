"""What was paid for once: one way through memory, a store and a load, for every kind of answer.

In order of reading:

- ``types``: categories with their times, what an entry is, what a store must do.
- ``keys``: what decides an answer, as a key; nothing of it is readable in the key.
- ``tiered``: `TieredCache.through`, the one way: memory, store, stale, load.
- ``lookup``: what the tiers above share: versions, news, the breaker before the store.
- ``level1``: memory by bytes.
- ``memory`` ``sqlite`` ``redis``: the stores.
- ``envelope``: an entry as bytes.
- ``searches`` ``pages`` ``summaries`` ``robots``: ports through the cache: search, scholarly works,
  pages of the web, what a model made of them, and what hosts ask of programs.
- ``warm``: loading what will be asked for, before it is asked for.
"""
