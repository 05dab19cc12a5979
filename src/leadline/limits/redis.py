"""The ledger of many processes: the same arithmetic in one Lua call, on Redis's own clock."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from leadline.limits.memory import MemoryLedger
from leadline.limits.types import Adapting, Limit, Reserved, Slot
from leadline.resilience import Breaker, Monotonic
from leadline.wire.redis_scripts import Script, Scripts

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger("leadline.limits")

# A key's hash: `f` free, `h` held until, `s` share, `c` when it was cut. Its holes: a sorted set
# of `at span`, by `at`. Times go as text with six places: Lua's own would keep four.
_COMMON: Final = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
local function text(number) return string.format('%.6f', number) end
local function keep(key, state)
  redis.call('HSET', key, 'f', text(state.f), 'h', text(state.h), 's', text(state.s), 'c', text(state.c))
  local ahead = math.max(state.f, state.h, now) - now
  redis.call('PEXPIRE', key, math.ceil((ahead + 120) * 1000))
end
local function read(key, recovery)
  local f = redis.call('HMGET', key, 'f', 'h', 's', 'c')
  local state = {f = tonumber(f[1] or 0), h = tonumber(f[2] or 0), s = tonumber(f[3] or 1), c = tonumber(f[4] or 0)}
  state.share = state.c > 0 and math.min(1, state.s + (now - state.c) * recovery) or 1
  return state
end
"""
_RESERVE: Final = (
    _COMMON
    + """
local within, weight, recovery = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local offers, start, reply = {}, now, {}
for i = 1, #KEYS / 2 do
  local state = read(KEYS[2 * i - 1], recovery)
  local rate, burst, mine = tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2]), ARGV[3 * i + 3]
  if mine ~= '' and state.h <= now + 0.005 then
    reply[i] = mine
  else
    local unit = 1 / (rate * state.share)
    local offer = {i = i, state = state, span = weight * unit, at = math.max(state.f, now)}
    redis.call('ZREMRANGEBYSCORE', KEYS[2 * i], '-inf', '(' .. text(now))
    for _, hole in ipairs(redis.call('ZRANGE', KEYS[2 * i], 0, 31)) do
      local at, span = string.match(hole, '^(%S+) (%S+)$')
      if tonumber(span) >= offer.span - 1e-5 then
        offer.hole, offer.at = hole, tonumber(at)
        break
      end
    end
    offer.start = math.max(now, state.h, offer.at - (burst - weight) * unit)
    start = math.max(start, offer.start)
    offers[#offers + 1] = offer
    reply[i] = ''
  end
end
if start - now > within then return {1, text(start - now), unpack(reply)} end
for _, offer in ipairs(offers) do
  if offer.start + offer.span >= start then
    if offer.hole then
      redis.call('ZREM', KEYS[2 * offer.i], offer.hole)
      reply[offer.i] = offer.hole
    else
      local at = math.max(offer.at, start)
      offer.state.f = at + offer.span
      keep(KEYS[2 * offer.i - 1], offer.state)
      reply[offer.i] = text(at) .. ' ' .. text(offer.span)
    end
  end
end
return {0, text(start - now), unpack(reply)}
"""
)
_REFUND: Final = (
    _COMMON
    + """
for i = 1, #KEYS / 2 do
  local state = read(KEYS[2 * i - 1], 0)
  local at, span = string.match(ARGV[i], '^(%S+) (%S+)$')
  at, span = tonumber(at), tonumber(span)
  if at + span >= state.f - 1e-5 then
    state.f = at
    while true do
      local last = redis.call('ZRANGE', KEYS[2 * i], -1, -1)[1]
      local from, room = string.match(last or '', '^(%S+) (%S+)$')
      if not from or tonumber(from) + tonumber(room) < state.f - 1e-5 then break end
      redis.call('ZREM', KEYS[2 * i], last)
      state.f = tonumber(from)
    end
    keep(KEYS[2 * i - 1], state)
  elseif at > now then
    redis.call('ZADD', KEYS[2 * i], text(at), ARGV[i])
    redis.call('PEXPIRE', KEYS[2 * i], math.ceil((state.f - now + 120) * 1000))
  end
end
"""
)
_LIMITED: Final = (
    _COMMON
    + """
local seconds, recovery, floor, pause = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local state = read(KEYS[1], recovery)
state.h = math.max(state.h, now + seconds)
state.f = math.max(state.f, state.h)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. text(state.h))
if now - state.c >= pause then
  state.s, state.c = math.max(floor, state.share / 2), now
end
keep(KEYS[1], state)
"""
)


class RedisLedger:
    """Reservations of all processes that share a Redis.

    While Redis is away each process keeps its own ledger with `alone` of every rate: one over
    the number of processes. All keys carry one hash tag, since one script touches several.
    """

    def __init__(
        self,
        client: Redis,
        *,
        prefix: str = "leadline:limits",
        alone: float = 0.125,
        adapting: Adapting | None = None,
        breaker: Breaker | None = None,
        monotonic: Monotonic = time.monotonic,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        self._scripts = Scripts(client, log, of="the limits' Redis", breaker=breaker, failed=failed)
        self._adapting = adapting or Adapting()
        self._prefix = f"{{{prefix}}}"
        self._alone = alone
        self._own = MemoryLedger(adapting=self._adapting, monotonic=monotonic)
        self._reserve = self._scripts.script(_RESERVE)
        self._refund = self._scripts.script(_REFUND)
        self._limited = self._scripts.script(_LIMITED)

    async def reserve(
        self, limits: Sequence[Limit], *, taken: Mapping[str, Slot], weight: float, within: float
    ) -> Reserved:
        """See `Ledger.reserve`."""
        arguments: list[str | float] = [min(within, 1e9), weight, self._adapting.recovery]
        for limit in limits:
            mine = taken.get(limit.key)
            arguments += [limit.rate, limit.burst, _text(mine) if mine else ""]
        reply = await self._ask(self._reserve, [limit.key for limit in limits], arguments)
        if reply is None:
            shared = [Limit(key=one.key, rate=one.rate * self._alone, burst=one.burst) for one in limits]
            return await self._own.reserve(shared, taken=taken, weight=weight, within=within)
        slots = {limit.key: _slot(slot) for limit, slot in zip(limits, reply[2:], strict=True) if slot}
        return Reserved(wait=max(0.0, float(reply[1])), refused=bool(reply[0]), taken=slots)

    async def refund(self, slots: Mapping[str, Slot]) -> None:
        """See `Ledger.refund`."""
        if slots:
            await self._ask(self._refund, list(slots), [_text(slot) for slot in slots.values()])

    async def limited(self, key: str, *, seconds: float) -> None:
        """See `Ledger.limited`."""
        policy = self._adapting
        await self._own.limited(key, seconds=seconds)
        await self._ask(self._limited, [key], [seconds, policy.recovery, policy.floor, policy.pause])

    async def _ask(self, script: Script, keys: Sequence[str], arguments: Sequence[str | float]) -> list[Any] | None:
        """Return the script's reply; `None` while Redis is away."""
        names = [f"{self._prefix}:{key}{part}" for key in keys for part in ("", ":holes")]
        reply = await self._scripts.ask(script, keys=names, arguments=arguments)
        return None if reply is None else list(reply)


def _text(slot: Slot) -> str:
    return f"{slot.at:.6f} {slot.span:.6f}"


def _slot(text: bytes) -> Slot:
    at, span = text.split()
    return Slot(at=float(at), span=float(span))
