"""Where conversations sit: which server knows each one's beginning, for as long as it is in use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from leadline.model.pool.server import Server
from leadline.model.pool.types import PoolPolicy
from leadline.resilience import Monotonic


@dataclass(slots=True)
class _Seat:
    url: str
    used_at: float


class Seats:
    """The seats of a pool's sessions at its `servers`, which may come and go."""

    def __init__(self, servers: Mapping[str, Server], *, policy: PoolPolicy, monotonic: Monotonic) -> None:
        self.kept = 0
        self.moved = 0
        self._servers = servers
        self._policy = policy
        self._monotonic = monotonic
        self._seats: OrderedDict[str, _Seat] = OrderedDict()

    def at(self, session: str) -> str | None:
        """Return the URL of the server where a session sits."""
        seat = self._seats.get(session)
        return None if seat is None else seat.url

    def sit(self, session: str, server: Server) -> str:
        """Seat a session; return whether it stayed: `kept`, `moved` or `new`."""
        seat = self._seats.get(session)
        kept = seat is not None and seat.url == server.url
        if seat is not None and not kept:
            self.moved += 1
            self._left(seat)
        self.kept += kept
        server.sessions += not kept
        self._seats[session] = _Seat(server.url, self._monotonic())
        self._seats.move_to_end(session)
        return "kept" if kept else "new" if seat is None else "moved"

    def prune(self) -> None:
        """Let go of sessions that are over: the least recent come first."""
        limit = self._monotonic() - self._policy.session_seconds
        while self._seats:
            session, seat = next(iter(self._seats.items()))
            if seat.used_at >= limit and len(self._seats) <= self._policy.most_sessions:
                return
            del self._seats[session]
            self._left(seat)

    def _left(self, seat: _Seat) -> None:
        server = self._servers.get(seat.url)
        if server is not None and server.sessions:
            server.sessions -= 1
