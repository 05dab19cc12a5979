"""Settings of Python programs that a model writes: where they run, and what one may use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leadline.settings.kinds import Key, Number, OrNone, Secret, Server, Size, Switch, Whole, setting

DESIGNS: Final = ("auto", "bwrap", "landlock")
NO_PYTHON: Final = "off"


@dataclass(frozen=True, slots=True)
class SandboxKind:
    """A design of sandbox on this machine, the address of an executor, or `off`."""

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        return f"{', '.join(f'`{word}`' for word in (*DESIGNS, NO_PYTHON))}, or {Server().allowed}"

    def parse(self, raw: object, base: Path) -> str:
        """Return the word, or the address without trailing slashes."""
        if raw is False:  # what a TOML file may say for `off`
            return NO_PYTHON
        if isinstance(raw, str) and raw.strip() in {*DESIGNS, NO_PYTHON}:
            return raw.strip()
        return Server().parse(raw, base)


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonSettings:
    """What a Python program of a model may use, wherever it runs."""

    seconds: float = setting(
        60.0, Number(1, 110), "Seconds that one program may take; the calls of a round have two minutes together."
    )
    memory: int = setting(1 << 30, Size(64 << 20), "Memory of one program and its children, in bytes.")
    processes: int = setting(64, Whole(1, 4_096), "Processes and threads of one program.")
    output: int = setting(256 << 10, Size(1 << 10), "Bytes that are kept of what a program prints, each stream.")
    files: int = setting(20, Whole(0, 1_000), "Files that are taken from a program.")
    files_bytes: int = setting(16 << 20, Size(1 << 10), "Bytes of those files together; one may have half of it.")
    keeps_state: bool = setting(
        False, Switch(), "Programs of one run share an interpreter: names and files of earlier ones are still there."
    )
    workers: int | None = setting(
        None, OrNone(Whole(1, 256)), "Programs that run at a time in this process. `none`: one a core."
    )
    warm: int = setting(0, Whole(0, 64), "Interpreters that are kept started ahead, with numpy and pandas imported.")
    key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None, OrNone(Key()), "The key that is sent to an executor elsewhere; never printed."
    )
