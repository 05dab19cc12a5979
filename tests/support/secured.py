"""A Redis that asks for everything: TLS with an authority of ours, a password, and a user of narrow rights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.support.certificates import Certificates
from tests.support.redis import Redis

WORD: Final = "a word/of @ll"
USER: Final = "leadline"
USERS_WORD: Final = "its-own/word"
RIGHTS: Final = (
    "~leadline* ~{leadline* ~_kombu* ~unacked* &leadline* "
    "+@read +@write +@connection +@pubsub +@scripting +@transaction +info +time"
)
"""As `docs/platform.md` has them."""
RULES: Final = f"{USER} on >{USERS_WORD} {RIGHTS}"


@dataclass(frozen=True, kw_only=True)
class Secured:
    """The server, and the authority it stands under."""

    server: Redis
    tls: Certificates

    def url(self, who: str) -> str:
        """Return its address with the server's own `password`, or for the `user`."""
        if who == "password":
            return self.server.url
        return self.server.guard.address(self.server.port, user=USER, password=USERS_WORD)
