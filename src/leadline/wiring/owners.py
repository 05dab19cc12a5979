"""Who holds a lease: the names under which parts of this process take runs, corpora and logs."""

from __future__ import annotations

import os
import secrets
import socket


def new_owner() -> str:
    """Return a name that nobody else has: `host:process:random`.

    The part before the first colon tells a store which machines work on its runs.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
