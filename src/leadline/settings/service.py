"""Settings of the HTTP service: how long it waits, how much it holds at once, whose word it takes, who runs it."""

from __future__ import annotations

from dataclasses import dataclass

from leadline.settings.kinds import Number, Whole, setting
from leadline.settings.web import Networks, Tenants


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceSettings:
    """`leadline serve`."""

    heartbeat_seconds: float = setting(
        15.0, Number(0.1, 300), "Seconds without an event after which a stream says that it is still there."
    )
    slow_seconds: float = setting(
        30.0, Number(0.1, 3_600), "Seconds after which a client that does not read its stream is cut off."
    )
    streams: int = setting(1_000, Whole(1, 100_000), "Streams that one process holds at a time.")
    key_streams: int = setting(250, Whole(1, 100_000), "Streams of one key that one process holds at a time.")
    exports: int = setting(2, Whole(1, 100), "Exports that one process packs at a time; more wait.")
    upkeep_seconds: float = setting(
        30.0, Number(1, 3_600), "Seconds between two looks for runs that ended and were not counted yet."
    )
    proxies: tuple[str, ...] = setting(
        (),
        Networks(),
        "Networks of balancers whose `X-Forwarded-For` says who the client is, and whose `X-Forwarded-Proto` by which "
        "protocol it came; theirs alone are the passes of `/internal/auth`. Empty: nobody's.",
    )
    operators: tuple[str, ...] = setting(
        ("local",),
        Tenants(),
        "Tenants whose admins run the service: they see causes, commands and addresses in its diagnosis, which tell of "
        "this machine and its neighbours, and may have paid for what costs money.",
    )
