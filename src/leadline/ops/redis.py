"""How a Redis is configured: one that keeps, with a user for those who only count limits, and one that forgets."""

from __future__ import annotations

from typing import Final

LIMITS_USER: Final = "limits"
"""Who counts limits and budgets in the Redis of the queue, and can neither see nor change the queue."""

POLICY: Final = "maxmemory-policy"

KEEPS: Final = (("appendonly", "yes"), ("appendfsync", "everysec"), ("maxmemory", "512mb"), (POLICY, "noeviction"))
"""Of the Redis that holds tickets, limits and budgets: what is counted must not be forgotten to make room.

It refuses writes before the system would end it."""

FORGETS: Final = (("save", ""), ("appendonly", "no"), ("maxmemory", "512mb"), (POLICY, "allkeys-lru"))
"""Of the Redis that holds answers of the web: they are fetched again."""

_RIGHTS: Final = (
    "resetchannels ~{leadline:limits}:* ~leadline:budget:* "
    "+@hash +@sortedset +pexpire +time +eval +evalsha +script|load +@connection -@admin -@dangerous +info"
)


def limits_user(password: str) -> str:
    """Return the line of `redis.conf` that makes the user who counts: keys of limits and budgets, and no others.

    What the words mean: https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
    """
    return f"user {LIMITS_USER} on >{password} {_RIGHTS}"
