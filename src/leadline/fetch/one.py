"""A guard for one address that the operator's own settings name: it opens that host and port, and nothing else."""

from __future__ import annotations

from typing import Final

from leadline.errors import Forbidden
from leadline.fetch.guard import Guard, Resolve, system_resolve
from leadline.fetch.urls import Target, parse, shortened

_EVERYWHERE: Final = ("0.0.0.0/0", "::/0")


class OneGuard(Guard):
    """Lets through to the host and port of `url`, also inside private networks; never to cloud metadata.

    So a library with an HTTP client of its own goes where the operator sent it, whatever redirect or
    name it is given. Raises `Forbidden` for what is no address.
    """

    def __init__(self, url: str, *, resolve: Resolve = system_resolve) -> None:
        super().__init__(allow_private=_EVERYWHERE, resolve=resolve)
        only = parse(url)
        self._only = (only.host, only.port)

    def target(self, url: str) -> Target:
        """See `Guard.target`."""
        target = super().target(url)
        if (target.host, target.port) != self._only:
            raise Forbidden(f"only the server that was set may be reached here, not `{shortened(target.host)}`")
        return target
