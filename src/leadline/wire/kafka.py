"""How the brokers of a Kafka are reached: in the clear or over TLS, with or without a user."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """A topic and how its brokers are reached: `brokers` are `host:port`, separated by commas.

    `tls`: over TLS, trusting the authorities of the file `ca` in place of the system's. With `user` and
    `password` SASL is spoken, by `mechanism` (`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`).
    """

    brokers: str
    name: str
    tls: bool = False
    ca: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    mechanism: str = "SCRAM-SHA-512"

    def reached(self) -> dict[str, Any]:
        """Return librdkafka's configuration (its CONFIGURATION.md) of the way to the brokers, and no more."""
        found: dict[str, Any] = {
            "bootstrap.servers": self.brokers,
            "client.id": "leadline",
            "reconnect.backoff.max.ms": 2_000,
            "log.connection.close": False,
        }
        if self.user is not None:
            found |= {
                "sasl.mechanisms": self.mechanism,
                "sasl.username": self.user,
                "sasl.password": self.password or "",
            }
        if self.ca is not None:
            found["ssl.ca.location"] = self.ca
        found["security.protocol"] = ("sasl_" if self.user is not None else "") + ("ssl" if self.tls else "plaintext")
        return found
