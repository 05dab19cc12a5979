"""redis-py's cluster client without two ways in which calls end each other's connections; needs the extra `redis`."""

from __future__ import annotations

from typing import Any

from redis.asyncio import RedisCluster


class ClusterClient(RedisCluster):
    """A `RedisCluster` that knows the nodes before its first command and closes nothing for a moved slot.

    redis-py 8.1 sends the scripts of a new client anywhere, and after `reinitialize_steps` of the
    redirections that this brings (https://redis.readthedocs.io/en/stable/clustering.html) it closes
    every connection, those of other calls included: a script may then have run, and is said to have
    failed. A moved slot is learned alone; a node that is gone still makes it ask for all of them.
    """

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 as the client's
        super().__init__(reinitialize_steps=0, **settings)

    async def execute_command(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 as the client's
        """Run a command; see redis-py."""
        if self.get_default_node() is None:
            _ = await self.initialize()
        return await super().execute_command(*args, **options)
