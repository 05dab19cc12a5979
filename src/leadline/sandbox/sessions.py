"""Which interpreters lie idle between the programs of a session, and which of them gives way to another.

A session is named `tenant/run`. Only idle ones are counted: those at work are bounded by the
supervisor's places, so that nobody who works much at once takes what others left lying.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

SESSIONS: Final = 8
"""Interpreters that lie idle at most."""

C = TypeVar("C")


@dataclass(slots=True, eq=False)
class Session(Generic[C]):
    """A process that programs share; the lock lets them in one after another, `users` counts who is in or waits."""

    child: C | None = None
    users: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Sessions(Generic[C]):
    """Sessions by name, the longest unused first. What it returns is no session's any more, and to be ended."""

    def __init__(self, most: int = SESSIONS) -> None:
        self._most = most
        self._known: OrderedDict[str, Session[C]] = OrderedDict()

    def enter(self, name: str) -> Session[C]:
        """Return the session; whoever enters leaves it again."""
        session = self._known.setdefault(name, Session())
        session.users += 1
        return session

    def leave(self, name: str, session: Session[C]) -> Sequence[C]:
        """Return the processes that end now that its user has gone: of a forgotten session, or beyond the bound."""
        session.users -= 1
        if session.users:
            return ()
        if self._known.get(name) is not session:
            return () if session.child is None else (session.child,)
        self._known.move_to_end(name)
        if session.child is None:
            del self._known[name]
        return self._surplus()

    def forget(self, name: str) -> C | None:
        """Forget one, also one in use, and return its process."""
        session = self._known.pop(name, None)
        return None if session is None else session.child

    def _surplus(self) -> Sequence[C]:
        """Forget idle sessions beyond the bound: each time the oldest of whichever tenant has the most."""
        idle = [name for name, session in self._known.items() if not session.users]
        ended: list[C] = []
        while len(idle) > self._most:
            held = Counter(map(_tenant, idle))
            oldest = max(idle, key=lambda name: held[_tenant(name)])  # the first of several
            idle.remove(oldest)
            child = self.forget(oldest)
            ended += () if child is None else (child,)
        return ended


def _tenant(name: str) -> str:
    return name.partition("/")[0]
