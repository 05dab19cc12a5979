"""Settings of backups."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from leadline.settings.kinds import OrNone, Secret, setting

SHORTEST: Final = 12


@dataclass(frozen=True, slots=True)
class Passphrase:
    """A passphrase; spaces within it count."""

    allowed: str = field(default=f"at least {SHORTEST} characters", init=False)
    secret: bool = field(default=True, init=False)

    def parse(self, raw: object, base: Path) -> Secret:
        """Return the passphrase."""
        if not isinstance(raw, str) or len(raw.strip()) < SHORTEST:
            raise ValueError
        return Secret(raw.strip())


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupSettings:
    """What `leadline backup` and `leadline restore` need beside a folder."""

    passphrase: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None,
        OrNone(Passphrase()),
        "Opens encrypted backups, and encrypts new ones; without it `--encrypt` asks for one on a terminal. "
        "Who loses it has lost the backups.",
    )
