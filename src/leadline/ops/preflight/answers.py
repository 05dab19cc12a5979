"""What only an operator knows: answered once, written down with name and day, and asked again after half a year."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import orjson

from leadline import codec
from leadline.errors import SettingsError
from leadline.ops.preflight.item import Answer, Standing, done, missing
from leadline.settings import Settings
from leadline.wiring import data_folder

FILE: Final = "preflight.json"
GOOD_DAYS: Final = 180
"""Days after which an answer must be given anew."""


def answers_file(settings: Settings) -> Path:
    """Return where answers are kept. Raises `SettingsError`."""
    return settings.preflight.answers or data_folder(settings) / FILE


def load_answers(path: Path) -> Mapping[str, Answer]:
    """Return the answers of a file, none where it is not there. Raises `SettingsError` for one of another shape."""
    try:
        body = orjson.loads(path.read_bytes())
        return {name: codec.build(Answer, one) for name, one in body.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"cannot read the answers in {path}: {error.strerror}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise SettingsError(
            f'{path} does not hold answers such as {{"failover": {{"yes": true, "by": "me", "on": "2026-01-31"}}}}'
        ) from error


def save_answers(path: Path, answers: Mapping[str, Answer]) -> None:
    """Write answers in one step. Raises `SettingsError`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(codec.encode({name: codec.orjson_tree(one) for name, one in answers.items()}))
        temporary.replace(path)
    except OSError as error:
        raise SettingsError(f"cannot write the answers to {path}: {error.strerror}") from error


def answered(answer: Answer | None, *, now: float) -> Standing:
    """Return how an item stands that an operator answers for."""
    if answer is None:
        return missing("nobody has answered for it", "leadline preflight --ask")
    try:
        days = (datetime.fromtimestamp(now, UTC).date() - date.fromisoformat(answer.on)).days
    except ValueError:
        return missing(f"the answer of {answer.by} has no day: {answer.on!r}", "leadline preflight --ask")
    if not answer.yes:
        return missing(f"{answer.by} answered no on {answer.on}", "leadline preflight --ask")
    if days > GOOD_DAYS:
        return missing(f"{answer.by} answered {days} days ago: ask again", "leadline preflight --ask")
    return done(f"{answer.by}, {answer.on}")
