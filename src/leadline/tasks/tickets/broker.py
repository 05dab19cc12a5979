"""`Broker` over Celery and a Redis: a consumer in a thread of this process, and the count of idle slots beside it.

Tickets go through Celery; slots and the turn to top up are plain keys of the same Redis, which
expire. Nothing in it is missed when it is wiped.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, cast
from urllib.parse import quote

import redis
from celery import Celery
from celery.exceptions import CeleryError, OperationalError
from celery.worker import state
from redis.backoff import NoBackoff
from redis.retry import Retry

from leadline.tasks.tickets.address import Address
from leadline.tasks.tickets.wake import BrokerAway, Standing
from leadline.wire.redis_failures import failure

log = logging.getLogger("leadline.tickets")

QUEUE: Final = "leadline.tickets"
SLOTS: Final = "leadline.slots"
TURN: Final = "leadline.turn"
TICKET: Final = "leadline.ticket"

TURN_SECONDS: Final = 3
"""Seconds after which another process tops up where the one that did is silent, and its idle slots are forgotten."""

THREADS: Final = 2
"""Tickets that a process takes at a time: each only wakes a slot."""

TICKET_SECONDS: Final = 60
"""Seconds after which a ticket that nobody took is worth nothing."""

ANSWER_SECONDS: Final = 5.0
JOIN_SECONDS: Final = 5.0
_TIMES: Final[Mapping[str, float]] = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}

_REPORT: Final = """
local now = tonumber(redis.call('TIME')[1])
local keep = tonumber(ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. (now + keep))
redis.call('EXPIRE', KEYS[1], keep * 20)
local holder = redis.call('GET', KEYS[2])
if not holder or holder == ARGV[1] then
    redis.call('SET', KEYS[2], ARGV[1], 'EX', keep)
    holder = ARGV[1]
end
local idle = 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
    local count, until_ = string.match(all[i + 1], '(%d+) (%d+)')
    if tonumber(until_) < now then
        redis.call('HDEL', KEYS[1], all[i])
    else
        idle = idle + tonumber(count)
    end
end
return {holder == ARGV[1] and 1 or 0, redis.call('LLEN', KEYS[3]), idle}
"""
_FAILURES: Final = (redis.RedisError, OperationalError, CeleryError, OSError)


class CeleryBroker:
    """Connected from the start; `taken` is called on a thread of Celery's for each ticket."""

    def __init__(self, address: Address, *, taken: Callable[[], None]) -> None:
        self._client = _client(address)
        self._report = self._client.register_script(_REPORT)
        self._app = _app(address)
        self._ticket = self._app.task(name=TICKET)(taken)
        state.should_terminate = None
        self._worker = self._app.WorkController(
            pool="threads",
            concurrency=THREADS,
            queues=[QUEUE],
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        self._thread = threading.Thread(target=self._worker.start, name="tickets", daemon=True)
        self._thread.start()

    def report(self, owner: str, *, idle: int) -> Standing:
        """See `Broker.report`."""
        try:
            # An answer of a script has no type of its own.
            told = self._report(keys=[SLOTS, TURN, QUEUE], args=[owner, idle, TURN_SECONDS])
        except _FAILURES as error:
            raise _away(error) from error
        mine, tickets, free = cast("list[int]", told)
        return Standing(mine=mine == 1, tickets=tickets, idle=free)

    def send(self, count: int) -> None:
        """See `Broker.send`."""
        try:
            for _ in range(count):
                self._ticket.apply_async(retry=False, ignore_result=True, expires=TICKET_SECONDS)
        except _FAILURES as error:
            raise _away(error) from error

    def close(self, owner: str) -> None:
        """See `Broker.close`."""
        state.should_terminate = 0  # the one way to end a consumer of another thread: its loop looks at it
        self._thread.join(JOIN_SECONDS)
        if self._thread.is_alive():
            log.warning("tickets_not_ended")
        else:
            state.should_terminate = None
        try:
            self._client.hdel(SLOTS, owner)
            if self._client.get(TURN) == owner.encode():
                self._client.delete(TURN)  # another one goes on at once
        except _FAILURES as error:
            log.info("broker_away", extra={"reason": str(_away(error))})
        self._client.close()
        self._app.close()


def _away(error: Exception) -> BrokerAway:
    return BrokerAway(str(failure(error, of="the broker's Redis")))


def _client(address: Address) -> redis.Redis:
    common: dict[str, Any] = {**_TIMES, "retry": Retry(NoBackoff(), 1), **_secured(address)}
    if address.master is None:
        host, port = address.nodes[0]
        return redis.Redis(host=host, port=port, **address.login, **common)
    sentinels: Any = redis.Sentinel(  # type: ignore[no-untyped-call]  # redis-py's sentinels have no types
        list(address.nodes), sentinel_kwargs={**common, **address.sentinel_login}, **common
    )
    return cast("redis.Redis", sentinels.master_for(address.master, **address.login))


def _secured(address: Address) -> dict[str, Any]:
    return {} if address.trust is None else {"ssl": True, **address.trust.arguments()}


def _app(address: Address) -> Any:  # noqa: ANN401 Celery has no types
    options: dict[str, Any] = {
        **_TIMES,
        "socket_keepalive": True,
        "max_retries": 1,
        "interval_start": 0,
    }
    if address.master is not None:
        options["master_name"] = address.master
        options["sentinel_kwargs"] = {**_TIMES, **address.sentinel_login, **_secured(address)}
    app = Celery("leadline", broker=_url(address), set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,
        task_default_queue=QUEUE,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=options,
        broker_use_ssl=address.trust.arguments() if address.trust is not None else None,
    )
    return app


def _url(address: Address) -> str:
    """Return the address as Celery's transport has it."""
    signed = ""
    if address.password is not None:
        signed = f"{quote(address.user or '', safe='')}:{quote(address.password, safe='')}@"
    if address.master is None:
        host, port = address.nodes[0]
        scheme = "redis" if address.trust is None else "rediss"
        return f"{scheme}://{signed}{_host(host)}:{port}/{address.database}"
    return ";".join(f"sentinel://{signed}{_host(host)}:{port}/{address.database}" for host, port in address.nodes)


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name
