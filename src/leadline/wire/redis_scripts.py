"""Scripts of a Redis that may be away: behind a breaker, and told of once, not at every call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from leadline.resilience import Breaker
from leadline.wire.redis_failures import Outage

if TYPE_CHECKING:
    from redis.asyncio import Redis

Script = Callable[..., Any]


class Scripts:
    """Calls scripts of `client`. `of` names the Redis in the log; `failed` hears why a call did not work."""

    def __init__(
        self,
        client: Redis,
        log: logging.Logger,
        *,
        of: str,
        breaker: Breaker | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        from redis.exceptions import RedisClusterException, RedisError  # noqa: PLC0415 an extra: a client has it

        # A connection that redis-py's cluster client drops under another call of it ends that one in an AttributeError.
        self._away = (RedisError, RedisClusterException, OSError, TimeoutError, AttributeError)
        self._client = client
        self._outage = Outage(log, of=of)
        self._breaker = breaker or Breaker(threshold=3, cooldown=2.0)
        self._failed = failed

    def script(self, text: str) -> Script:
        """Return a script that `ask` can call."""
        return self._client.register_script(text)

    async def ask(self, script: Script, *, keys: Sequence[str], arguments: Sequence[str | float]) -> Any | None:  # noqa: ANN401 a script answers what it likes
        """Return what the script answers, `[]` for nothing; `None` while Redis is away."""
        if not self._breaker.allow():
            return None
        try:
            reply = await script(keys=list(keys), args=list(arguments))
        except self._away as error:
            self._breaker.failed()
            _ = self._outage.failed(error)
            if self._failed is not None:
                self._failed(error)
            return None
        except BaseException:
            self._breaker.abandoned()
            raise
        self._breaker.succeeded()
        self._outage.answered()
        return [] if reply is None else reply
