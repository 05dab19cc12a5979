"""Which server a call goes to: pure functions of what the servers hold.

A session's home is a rendezvous hash (Thaler and Ravishankar, 1998; weighted by Schindelhauer and
Schomaker, 2005): every process finds the same one without asking anybody, and a server that comes
or goes moves only its own sessions. Loads are bounded as in consistent hashing with bounded loads
(Mirrokni, Thorup, Zadimoghaddam, 2016): a home that holds too much passes new sessions on to the
next in the session's own order. So sessions stay where their prefix is cached, and no server gets
all of the conversations that merely share a system prompt.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Final

from leadline.model.pool.server import Server
from leadline.model.pool.types import PoolPolicy

_FULL_RANGE: Final = 2.0**64


def order(session: str, servers: Iterable[Server]) -> list[Server]:
    """Return the servers in this session's own order, its home first."""
    ranked = sorted(servers, key=lambda server: server.url)
    return sorted(ranked, key=lambda server: _rank(session, server))


def _rank(session: str, server: Server) -> float:
    digest = hashlib.blake2b(f"{session}\0{server.url}".encode(), digest_size=8).digest()
    chance = (int.from_bytes(digest, "big") + 0.5) / _FULL_RANGE
    return -math.log(chance) / max(server.spec.weight, 1e-9)


def affine(session: str, usable: Sequence[Server], *, at: str | None, policy: PoolPolicy) -> Server:
    """Return where a session's call goes; `usable` have room, `at` is where it was before."""
    bounds = _Bounds(usable)
    if at is not None:
        for server in usable:
            if server.url == at and bounds.keeps(server, policy):
                return server
    ranked = order(session, usable)
    for server in ranked:
        if bounds.takes(server, policy.bound):
            return server
    return min(ranked, key=_pressure)


def least_connections(session: str, usable: Sequence[Server]) -> Server:
    """Return the server with the least load for its share; of equals, the session's first."""
    return min(order(session, usable), key=_pressure)


def _pressure(server: Server) -> float:
    return (server.load + 1.0) / max(server.share, 1e-9)


class _Bounds:
    """What each server may hold, given what all hold together."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._load = sum(server.load for server in servers)
        self._sessions = sum(server.sessions for server in servers)
        self._shares = sum(server.share for server in servers)

    def takes(self, server: Server, bound: float) -> bool:
        """Whether one more session keeps it within its share of requests and of sessions."""
        part = bound * server.share / self._shares
        return server.load + 1 <= math.ceil(part * (self._load + 1)) and server.sessions + 1 <= math.ceil(
            part * (self._sessions + 1)
        )

    def keeps(self, server: Server, policy: PoolPolicy) -> bool:
        """Whether a session that is there may go on there."""
        part = policy.stay_bound * server.share / self._shares
        most = max(float(policy.stay_floor), math.ceil(part * (self._load + 1)))
        return server.load + 1 <= most
