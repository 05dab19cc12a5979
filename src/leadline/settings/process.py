"""The environment of this process, for programs that it starts: nobody else reads it."""

from __future__ import annotations

import os


def process_environment() -> dict[str, str]:
    """Return a copy of all variables, those of Leadline's settings and others."""
    return dict(os.environ)
