"""`leadline support-bundle`: one zip that helps others to help, and holds no secret and no question.

What goes in is chosen, not swept up: no environment, no settings file, no answers, no sources. Then
every text of it passes the redaction, and the finished bytes are searched once more for every
secret that is known, in the forms in which secrets travel; a bundle that held one is not written.
"""

from __future__ import annotations

import asyncio
import base64
import os
import stat
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus

from leadline import codec
from leadline.errors import InputError, LeadlineError, MissingPath
from leadline.ops.doctor import Look, examine, shown_text
from leadline.ports import Run, RunStore, Store
from leadline.settings import Settings, describe, secrets_of
from leadline.settings.environment import environment_secrets
from leadline.version import __version__
from leadline.wiring.probe_places import store_of
from leadline.wiring.redaction import redaction_of

MOST_LOG: Final = 2 << 20
"""Bytes of the end of each log that go in."""

_RUNS: Final = 100
_LEAST: Final = 6
_README: Final = """\
A support bundle of Leadline {version}, made at {at}.

diagnosis.txt, .json   what works here and what does not, as `leadline doctor` has it
settings.txt           every setting in force and whence it is; keys and passwords are masked
runs.json              the newest runs: states, times, usage, codes of failures; no question, no answer
queue.json             how much waits, by tenant
journal-*.json         of runs that were named: kinds and times of events, codes of failures, nothing else
logs/                  the ends of log files

Left out on purpose: questions, answers, sources, documents, the environment, settings files.
{notes}
Keys, passwords and tokens that Leadline knows of were replaced by ********. Names of hosts, tenants
and models stand in it: look it through before you hand it on.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What goes into a bundle beside what always does: further log files, the course of single runs.

    Of runs and the queue, those of `tenant` alone; `None`: everybody's.
    """

    logs: Sequence[Path] = ()
    runs: Sequence[str] = ()
    tenant: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """A bundle that was written, and what is in it by name with the bytes of each."""

    path: Path
    members: Mapping[str, int]


async def make_bundle(look: Look, path: Path, wanted: Wanted) -> Bundle:
    """Write a bundle that only its owner may read. Raises `InputError` where the file is there, `MissingPath`.

    What cannot be had - a store that is away, say - is told of in it.
    """
    if await asyncio.to_thread(path.exists):
        raise InputError(f"there is a file already: {path}")
    settings = look.settings
    known = await asyncio.to_thread(_forms, settings)
    clean = redaction_of(settings, known)
    members = await _members(look, wanted)
    cleaned = {name: clean(text).encode("utf-8", "backslashreplace") for name, text in members.items()}
    for name, data in cleaned.items():
        if any(secret.encode("utf-8", "backslashreplace") in data for secret in known):
            raise LeadlineError(
                f"a secret was left in {name}, so that no bundle is written: this is a fault of Leadline"
            )
    await asyncio.to_thread(_write, path, cleaned)
    return Bundle(path=path, members={name: len(data) for name, data in cleaned.items()})


async def _members(look: Look, wanted: Wanted) -> dict[str, str]:
    diagnosis = await examine(look)
    logs, notes = await asyncio.to_thread(_logs, look.settings, wanted.logs)
    at = datetime.fromtimestamp(look.clock.now(), UTC).isoformat(timespec="seconds")
    return {
        "README.txt": _README.format(version=__version__, at=at, notes="".join(f"{note}\n" for note in notes)),
        "diagnosis.txt": shown_text(diagnosis),
        "diagnosis.json": _json(diagnosis.body()),
        "settings.txt": _settings(look.settings),
        **await _kept(look, wanted),
        **logs,
    }


async def _kept(look: Look, wanted: Wanted) -> dict[str, str]:
    """Return what the store tells, or why it tells nothing."""
    try:
        async with store_of(look.settings, await look.folder()) as store:
            depths = {
                tenant: codec.orjson_tree(depth)
                for tenant, depth in (await store.depths()).items()
                if wanted.tenant in {None, tenant}
            }
            runs = [_run(run) for run in await store.runs(tenant=wanted.tenant, limit=_RUNS)]
            told = {"queue.json": _json(depths), "runs.json": _json(runs)}
            for run_id in wanted.runs:
                told[f"journal-{run_id}.json"] = _json(await _course(store, run_id, tenant=wanted.tenant))
            return told
    except LeadlineError as error:
        if isinstance(error, InputError):
            raise
        return {"queue.json": _json({"error": str(error)})}


def _run(run: Run) -> dict[str, Any]:
    """Return a run without what was asked and what was found."""
    return {
        "id": run.id,
        "tenant": run.tenant,
        "state": str(run.state),
        "stop_reason": None if run.stop_reason is None else str(run.stop_reason),
        "failure": None if run.failure is None else run.failure.code,
        "strategy": str(run.options.strategy),
        "attempts": run.attempts,
        "events": run.last_seq,
        "created_at": run.created_at,
        "updated_at": run.updated_at,
        "lease_until": run.lease_until,
        "question_characters": len(run.question.text),
        "usage": codec.orjson_tree(run.usage),
    }


async def _course(store: RunStore | Store, run_id: str, *, tenant: str | None) -> list[dict[str, Any]]:
    """Return when what happened in a run. Raises `UnknownRun`."""
    _ = await store.get(run_id, tenant=tenant)
    found = []
    for record in await store.records(run_id):
        event = record.event
        failure = getattr(event, "failure", None)
        found.append(
            {
                "seq": record.seq,
                "at": record.at,
                "branch": record.branch,
                "type": getattr(event, "type", type(event).__name__),
                "failure": getattr(failure, "code", None),
            }
        )
    return found


def _settings(settings: Settings) -> str:
    rows = describe(settings)
    width = max(len(row.name) for row in rows)
    return "\n".join(f"{row.name:<{width}}  {row.value}  ({row.source})" for row in rows)


def _logs(settings: Settings, more: Sequence[Path]) -> tuple[dict[str, str], list[str]]:
    """Return the ends of log files, and what is to be said about those that are not there."""
    paths, notes = [*more], []
    if settings.log.sink.scheme == "file":
        paths.insert(0, settings.log.sink.path or Path())
    if settings.log.content and paths:
        return {}, ["No log: `log.content` is on, so that questions stand in them."]
    told: dict[str, str] = {}
    for number, path in enumerate(dict.fromkeys(paths)):
        try:
            told[f"logs/{number}-{path.name}"] = _end(path)
        except OSError as error:
            notes.append(f"No log from {path}: {error.strerror}.")
    return told, notes


def _end(path: Path) -> str:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - MOST_LOG))
        text = file.read(MOST_LOG).decode("utf-8", "replace")
    return text if size <= MOST_LOG else text.partition("\n")[2]  # a line that was cut might hold half a secret


def _forms(settings: Settings) -> frozenset[str]:
    """Return every secret that is known, in the forms in which it may stand in a text."""
    known = {text for text in (*secrets_of(settings), *environment_secrets()) if len(text) >= _LEAST}
    forms = set(known)
    for text in known:
        raw = text.encode("utf-8", "surrogateescape")
        forms |= {quote(text, safe=""), quote_plus(text, safe=""), base64.b64encode(raw).decode()}
        forms |= {base64.urlsafe_b64encode(raw).decode(), raw.hex(), codec.encode(text).decode()[1:-1]}
    return frozenset(forms)


def _json(value: object) -> str:
    return codec.encode(value).decode()


def _write(path: Path, members: Mapping[str, bytes]) -> None:
    only_owner: Callable[[str, int], int] = lambda name, flags: os.open(name, flags, stat.S_IRUSR | stat.S_IWUSR)  # noqa: E731 an opener
    try:
        with open(path, "xb", opener=only_owner) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, data in members.items():
                bundle.writestr(name, data)
    except FileExistsError as error:
        raise InputError(f"there is a file already: {path}") from error
    except OSError as error:
        raise MissingPath(f"cannot write {path}: {error.strerror}") from error
