"""Settings -> the servers beside the store that a process stands on, each with a question whether it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from leadline.settings import Settings
from leadline.settings.redis import REDIS
from leadline.wiring.probe_places import has_broker, look_at_broker, look_at_redis


def watched_parts(settings: Settings) -> Mapping[str, Callable[[], Awaitable[object]]]:
    """Return the parts that are servers of their own: `broker`, `cache`, `limits`.

    A question opens a connection of its own, which says more than one that was open before.
    """
    found: dict[str, Callable[[], Awaitable[object]]] = {}
    if has_broker(settings):
        found["broker"] = partial(look_at_broker, settings.engine)
    for name, place in (("cache", settings.cache), ("limits", settings.limits)):
        if place.scheme in REDIS:
            found[name] = partial(look_at_redis, place.url)
    return found
