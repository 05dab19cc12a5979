"""Parts that an operator keeps down: told to the supervisor by files, for which it looks again and again."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from leadline.errors import UnknownObject, WrongState
from leadline.ops.topology.home import Home
from leadline.ops.topology.state import PartState, PartStatus, Phase, State, is_held

SECONDS: Final = 120.0
"""How long a part may take to end, or to answer again."""

_LOOK: Final = 0.1
_EVER: Final = frozenset({PartState.DONE, PartState.FAILED})
_GIVES_UP: Final = frozenset({Phase.STOPPING, Phase.DOWN, Phase.FAILED})


def read(folder: Path) -> frozenset[str]:
    """Return the names of the parts that are to be kept down."""
    with suppress(FileNotFoundError):
        return frozenset(path.name for path in folder.iterdir())
    return frozenset()


def forget(folder: Path) -> None:
    """Keep nothing down."""
    for name in read(folder):
        (folder / name).unlink(missing_ok=True)


def change(home: Home, names: Iterable[str], *, down: bool) -> None:
    """Have the supervisor end parts and keep them down, or start them again; return once it has.

    A part that is started must answer. Raises `WrongState` where nothing is up, or where a part takes
    too long, `UnknownObject` for a part that is not there or does its work only once.
    """
    wanted = sorted(set(names))
    for name in wanted:
        part = _part(home, name)
        if part is None or part.state in _EVER:
            raise UnknownObject(f"no part {name} that runs; there are {_known(home)}")
    home.held.mkdir(mode=0o700, exist_ok=True)
    for name in wanted:
        order = home.held / name
        order.touch(mode=0o600) if down else order.unlink(missing_ok=True)
    _wait(home, wanted, state=PartState.HELD if down else PartState.READY)


def _wait(home: Home, names: list[str], *, state: PartState) -> None:
    end = time.monotonic() + SECONDS
    for name in names:
        while (part := _part(home, name)) is None or part.state is not state:
            if time.monotonic() > end:
                raise WrongState(f"{name} is not {state} after {SECONDS:g} s; look into its log: leadline logs {name}")
            time.sleep(_LOOK)


def _part(home: Home, name: str) -> PartStatus | None:
    state = _state(home)
    return next((part for part in state.parts if part.name == name), None)


def _known(home: Home) -> str:
    return ", ".join(part.name for part in _state(home).parts if part.state not in _EVER)


def _state(home: Home) -> State:
    state = State.read(home.state) if is_held(home.lock) else None
    if state is None or state.phase in _GIVES_UP:
        raise WrongState("nothing is up: leadline up")
    if state.phase is not Phase.UP:
        raise WrongState(f"it is {state.phase} at this moment; see: leadline status")
    return state
