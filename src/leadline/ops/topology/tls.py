"""Where the files of TLS lie; `certificates` makes them, with a library that is an extra."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Tls:
    """Files: the authority's certificate, and the server's certificate and key."""

    ca: Path
    certificate: Path
    key: Path
