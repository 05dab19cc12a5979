"""The one thread that writes: what is queued while a commit runs goes into the next one.

A commit waits for the disk (some milliseconds), so many writers share each. Every job of a commit
is told its result only after it. A job that fails takes no other with it: refusals are raised
before anything is written or undone to a savepoint, and a transaction that fails as a whole is
tried again job by job.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeAlias

from leadline.errors import LeadlineError, StoreError, StoreFull, StoreUnavailable
from leadline.tasks.appends import Append
from leadline.tasks.sqlite.journal import append_all
from leadline.tasks.sqlite.schema import NOW, is_busy, prepare, translated


class Session(NamedTuple):
    """What a verb works with; `connected_at` is the database's time of the connection."""

    connection: sqlite3.Connection
    connected_at: float


_TRY_SECONDS = 0.0005

Verb: TypeAlias = Callable[[Session], Any]


@dataclass(slots=True, eq=False)
class Job:
    """Something to do in a transaction, and who waits for it.

    `undo` takes back the result of a job whose caller was cancelled while it was done; without
    one the result stands.
    """

    work: Append | Verb
    future: asyncio.Future[Any]
    undo: Callable[[Any], None] | None = None
    notable: bool = True
    transaction: bool = True


class Done(NamedTuple):
    """A job's end: its result, or the error to raise."""

    job: Job
    result: Any
    error: Exception | None


class Writer:
    """Runs jobs in the order of their coming. `start` before anything else, `close` at the end.

    `committed` is called on the loop after each transaction that others should hear of.
    """

    def __init__(self, path: Path, *, busy: float, committed: Callable[[], None]) -> None:
        self._path = path
        self._busy = busy
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Job] = []
        self._queue: SimpleQueue[list[Job] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="leadline-store", daemon=True)
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._closed = False
        # Of the thread alone:
        self._connection: sqlite3.Connection | None = None
        self._connected_at = 0.0
        self._away = True
        self._moved = False

    async def start(self) -> None:
        """Open the file. Raises `SettingsError`, `StoreError`."""
        self._thread.start()
        await self._ready

    async def close(self) -> None:
        """Finish what is queued and close the file."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            self._queue.put(None)
        await asyncio.shield(self._ended)

    def submit(self, job: Job) -> None:
        """Queue a job; all of one turn of the loop wake the thread once."""
        if self._closed:
            raise StoreUnavailable(f"the store `{self._path}` is closed")
        if not self._waiting:
            self._loop.call_soon(self._hand_over)
        self._waiting.append(job)

    def _hand_over(self) -> None:
        if self._waiting:
            self._queue.put(self._waiting)
            self._waiting = []

    # --- on the loop, after a commit

    def _deliver(self, ends: Sequence[Done], notable: bool) -> None:  # noqa: FBT001 called by the loop
        if notable:
            self._committed()
        for job, result, error in ends:
            if job.future.done():
                if error is None and job.undo is not None:
                    job.undo(result)
            elif error is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(error)

    # --- on the thread

    def _run(self) -> None:
        try:
            self._connection = self._prepared()
        except Exception as error:  # noqa: BLE001 whatever a job raises is its caller's to hear, not the thread's end
            self._call(_fail, self._ready, error)
        else:
            self._call(_succeed, self._ready)
            going_on = True
            while going_on:
                jobs, going_on = self._next()
                self._do(jobs)
            self._disconnect()
        self._call(_succeed, self._ended)

    def _next(self) -> tuple[list[Job], bool]:
        """Wait for jobs; return all that are queued, and whether more may come."""
        jobs: list[Job] = []
        batch = self._queue.get()
        while batch is not None:
            jobs += batch
            try:
                batch = self._queue.get_nowait()
            except Empty:
                return jobs, True
        return jobs, False

    def _do(self, jobs: list[Job]) -> None:
        wanted = [job for job in jobs if job.undo is None or not job.future.cancelled()]
        self._moved = False
        ends = self._commit([job for job in wanted if job.transaction])
        # A verb that changed nothing is no news: a claim that found no run would wake the next one.
        notable = self._moved and any(end.error is None and end.job.notable for end in ends)
        ends += [self._look(job) for job in wanted if not job.transaction]
        self._call(self._deliver, ends, notable)

    def _commit(self, jobs: list[Job]) -> list[Done]:
        if not jobs:
            return []
        try:
            return self._transaction(jobs)
        except Exception as error:  # noqa: BLE001 whatever a job raises is its caller's to hear, not the thread's end
            self._roll_back()
            if len(jobs) == 1 or (isinstance(error, sqlite3.Error) and is_busy(error)):
                return [Done(job, None, self._failed(error)) for job in jobs]
        return [end for job in jobs for end in self._commit([job])]

    def _transaction(self, jobs: list[Job]) -> list[Done]:
        connection = self._connect()
        self._begin(connection)
        if self._away:
            self._connected_at = connection.execute(f"SELECT {NOW}").fetchone()[0]
        session = Session(connection, self._connected_at)
        before = connection.total_changes
        ends: list[Done] = []
        for simple, group in groupby(jobs, key=lambda job: isinstance(job.work, Append)):
            if simple:
                ends += _append(connection, list(group))
            else:
                ends += [_perform(session, job) for job in group]
        connection.execute("COMMIT")
        self._away = False
        self._moved = self._moved or connection.total_changes != before
        return ends

    def _begin(self, connection: sqlite3.Connection) -> None:
        """Begin once no other process writes.

        SQLite's own waiting sleeps up to 0.1 s between two tries and starves beside a process
        that writes all the time; gaps between commits are short, so the tries here are close.
        """
        end = time.monotonic() + self._busy
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > end:
                    raise
                time.sleep(_TRY_SECONDS)
            else:
                return

    def _look(self, job: Job) -> Done:
        try:
            session = Session(self._connect(), self._connected_at)
            return Done(job, _verb(job)(session), None)
        except (sqlite3.Error, LeadlineError) as error:
            return Done(job, None, self._failed(error))

    def _connect(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._prepared()
        return self._connection

    def _prepared(self) -> sqlite3.Connection:
        connection = prepare(self._path, busy=self._busy)
        connection.execute("PRAGMA busy_timeout = 0")  # `_begin` waits
        return connection

    def _roll_back(self) -> None:
        if self._connection is None:
            return
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._disconnect()

    def _failed(self, error: Exception) -> Exception:
        """Return what to tell the caller; after a failure of the file it is opened anew."""
        if isinstance(error, sqlite3.Error):
            busy = is_busy(error)
            cause, error = error, translated(error, self._path)
            error.__cause__ = cause
            if not busy and not isinstance(error, StoreFull):
                self._disconnect()
        if isinstance(error, StoreError):
            self._away = True
        return error

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _call(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return


def _append(connection: sqlite3.Connection, jobs: list[Job]) -> list[Done]:
    appends = [job.work for job in jobs if isinstance(job.work, Append)]
    return [
        Done(job, None, result) if isinstance(result, LeadlineError) else Done(job, result, None)
        for job, result in zip(jobs, append_all(connection, appends), strict=True)
    ]


def _perform(session: Session, job: Job) -> Done:
    session.connection.execute("SAVEPOINT job")
    try:
        result = _verb(job)(session)
    except LeadlineError as error:
        session.connection.execute("ROLLBACK TO job")
        session.connection.execute("RELEASE job")
        return Done(job, None, error)
    session.connection.execute("RELEASE job")
    return Done(job, result, None)


def _verb(job: Job) -> Verb:
    if isinstance(job.work, Append):
        raise TypeError("an append is no verb")
    return job.work


def _succeed(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
