"""Working off a batch: some runs at a time, money shared out before it is spent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import orjson

from leadline.cli.batch_files import Answers, Row, RowId, cost_of
from leadline.cli.board import Board
from leadline.cli.engine import Engine
from leadline.cli.follow import Interrupts, obey
from leadline.cli.lookup import take_up
from leadline.domain import Flag, RunState
from leadline.errors import (
    BudgetError,
    LeadlineError,
    MissingPath,
    SettingsError,
    StoreError,
    UnknownRun,
    WrongState,
)

_LEAST: Final = 0.0001
"""US dollars below which no run is begun."""

_ALL_FAIL: Final = (BudgetError, MissingPath, SettingsError, StoreError)
"""Failures that every further row would meet as well."""


@dataclass(slots=True)
class Purse:
    """US dollars for a batch: granted before a run begins, settled by what it cost.

    `each` is a run's own limit. Without a `total` a run is granted its own limit.
    """

    total: float | None
    each: float | None
    spent: float
    _granted: dict[RowId, float] = field(default_factory=dict)

    def grant(self, row: RowId, idle: int) -> float | None:
        """Return a run's limit: its own, or an equal share of what is free for `idle` slots.

        Raises `BudgetError` where too little is free.
        """
        if self.total is None:
            return self.each
        free = self.total - self.spent - sum(self._granted.values())
        share = free / max(1, idle) if self.each is None else min(self.each, free)
        if share < _LEAST:
            raise BudgetError("the money for the whole batch is used up")
        self._granted[row] = share
        return share

    def settle(self, row: RowId, spent: float) -> None:
        """Give back what was granted and count what was spent."""
        self._granted.pop(row, None)
        self.spent += spent


class Batch:
    """Works off rows: `slots` at a time, each one's answer written when it is there.

    `wishes` are the options of every run that are not the settings', by field name of `Options`;
    `servers` and `language` are those of `Engine.start`.
    """

    def __init__(
        self,
        engine: Engine,
        answers: Answers,
        *,
        board: Board,
        docs: Sequence[Path],
        wishes: Mapping[str, Any],
        slots: int,
        purse: Purse,
        servers: Sequence[str] = (),
        language: str | None = None,
    ) -> None:
        self.interrupted = False
        self._engine = engine
        self._answers = answers
        self._board = board
        self._docs = docs
        self._wishes = wishes
        self._slots = slots
        self._purse = purse
        self._servers = servers
        self._language = language
        self._waiting: deque[Row] = deque()
        self._at_work: dict[RowId, str] = {}
        self._wish: Flag | None = None
        self._corpora: tuple[str, ...] | None = None if docs else ()
        self._scan = asyncio.Lock()  # documents are scanned by one row, and once
        self._writes = asyncio.Lock()  # lines of the output are written one after the other

    async def run(self, rows: Sequence[Row]) -> None:
        """Work off all rows. Raises what every further row would meet as well."""
        self._waiting.extend(rows)
        with Interrupts() as interrupts:
            async with asyncio.TaskGroup() as group:
                wishes = group.create_task(
                    obey(interrupts, self._board.say, finish=self._finish, cancel=self._cancel),
                    name="interrupts",
                )
                await self._worked(min(self._slots, len(rows)))
                wishes.cancel()
            self.interrupted = interrupts.count > 0

    async def _worked(self, slots: int) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(slots):
                group.create_task(self._slot(), name=f"slot {number}")

    async def _slot(self) -> None:
        while self._waiting:
            row = self._waiting.popleft()
            try:
                limit = self._purse.grant(row.id, self._slots - len(self._at_work))
            except BudgetError:
                # What is at work may cost less than it was granted; then the rest goes on.
                self._waiting.appendleft(row)
                return
            body = await self._answered(row, limit)
            self._purse.settle(row.id, cost_of(body or {}))
            self._board.done(row.id, body)
            if body is not None:
                async with self._writes:
                    await asyncio.to_thread(self._answers.write, row, body)

    async def _answered(self, row: Row, limit: float | None) -> Mapping[str, Any] | None:
        """Return the row's line: a report, a failure, or both where it was written in spite of one.

        `None` where its reader stopped it.
        """
        run_id: str | None = None
        try:
            run_id = await self._begun(row, limit)
            self._at_work[row.id] = run_id
            self._board.working(len(self._at_work))
            if self._wish is not None:  # it came while this run began
                await self._tell(run_id, self._wish)
            report = await self._engine.result(run_id)
            text = await self._engine.render(report, "json")
            failure = (await self._engine.run(run_id)).failure
        except _ALL_FAIL:
            raise
        except LeadlineError as error:
            if run_id is not None and (await self._engine.run(run_id)).state is RunState.CANCELLED:
                return None
            return {"run_id": run_id, "error": {"code": error.code, "message": str(error)}}
        finally:
            self._at_work.pop(row.id, None)
        body: dict[str, Any] = orjson.loads(text)
        return body | ({"failure": {"code": failure.code, "message": failure.message}} if failure else {})

    async def _begun(self, row: Row, limit: float | None) -> str:
        """Return the run that answers a row: the one that an earlier batch began, or a new one."""
        earlier = self._answers.run_of(row)
        if earlier is not None and await self._taken_up(earlier):
            return earlier
        if self._corpora is not None:
            return await self._start(row, limit)
        async with self._scan:
            return await self._start(row, limit)

    async def _taken_up(self, run_id: str) -> bool:
        """Go on with a run of an earlier batch; return whether it will answer its row."""
        try:
            run = await self._engine.run(run_id)
            if not run.state.ended:
                await take_up(self._engine, run_id, self._board.say)
        except UnknownRun:
            return False
        except WrongState:
            return True  # a live process carries it, or it has just ended: its result is waited for
        return run.state is not RunState.CANCELLED

    async def _start(self, row: Row, limit: float | None) -> str:
        scanned = self._corpora is not None
        options = self._engine.options(**{**self._wishes, **({"corpora": self._corpora} if self._corpora else {})})
        run_id = await self._engine.start(
            row.question,
            docs=() if scanned else self._docs,
            options=replace(options, budget=replace(options.budget, usd=limit)),
            servers=self._servers,
            language=self._language,
            indexing=self._board.indexing,
        )
        await asyncio.to_thread(self._answers.begin, row, run_id)
        if not scanned:
            self._corpora = (await self._engine.run(run_id)).options.corpora
        return run_id

    async def _finish(self) -> None:
        """Begin no more rows, and let those at work write what they have."""
        await self._wished(Flag.FINISH)

    async def _cancel(self) -> None:
        await self._wished(Flag.CANCEL)

    async def _wished(self, flag: Flag) -> None:
        self._wish = flag
        self._waiting.clear()
        for run_id in tuple(self._at_work.values()):
            await self._tell(run_id, flag)

    async def _tell(self, run_id: str, flag: Flag) -> None:
        with suppress(WrongState):  # it has just ended by itself
            if flag is Flag.FINISH:
                await self._engine.finish(run_id)
            else:
                await self._engine.cancel(run_id)
