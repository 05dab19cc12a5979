"""The runs of a tenant as the service sees them: looked up, listed, steered, forgotten.

Runs over local files belong to the command line, which shares the tenant `local` with a service on
the same machine: they, and what continues on their evidence, are as unknown here as another
tenant's, since their addresses are paths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from leadline.domain import Flag, Json, RunState
from leadline.errors import RunWaits, UnknownRun, WrongState
from leadline.events import RunWaiting
from leadline.ports import Cursor, Run
from leadline.ports.access import LOCAL
from leadline.research.planning import checked_reply
from leadline.wiring import Platform
from leadline.wiring.hosted import SIGN
from leadline.worker import Worker

_MOST_LOOKS: Final = 10
_MOST_CHAIN: Final = 50


class Listed(NamedTuple):
    """Some of a tenant's runs, and the place from which on there may be more."""

    runs: Sequence[Run]
    next: Cursor | None


def corpus_name(corpus_id: str, version: int) -> str:
    """Return how a run names one version of a tenant's corpus."""
    return f"{corpus_id}{SIGN}{version}"


def is_hosted(corpus: str) -> bool:
    """Return whether a run's corpus is a tenant's, and not files of the machine."""
    return SIGN in corpus


class Runs:
    """Runs by tenant."""

    def __init__(self, *, platform: Platform, worker: Worker) -> None:
        self._platform = platform
        self._store = platform.store
        self._worker = worker

    async def get(self, run_id: str, *, tenant: str) -> Run:
        """Return a run. Raises `UnknownRun`, also for another tenant's and for one over local files."""
        run = await self._store.get(run_id, tenant=tenant)
        if not await self._is_visible(run):
            raise UnknownRun(f"no such run: {run_id}")
        return run

    async def list(
        self, *, tenant: str, state: RunState | None, search: str, before: Cursor | None, limit: int
    ) -> Listed:
        """Return a tenant's runs, newest first; what is not to be seen is passed over."""
        found: list[Run] = []
        for _ in range(_MOST_LOOKS):
            page = await self._store.runs(tenant=tenant, state=state, search=search, before=before, limit=limit + 1)
            for run in page:
                if len(found) == limit:
                    return Listed(found, before)
                before = run.cursor
                if await self._is_visible(run):
                    found.append(run)
            if len(page) <= limit:
                return Listed(found, None)
        return Listed(found, before)

    async def finish(self, run: Run) -> Run:
        """Let a run stop gathering and write. Raises `WrongState`, `RunWaits`."""
        if run.state is RunState.WAITING:
            raise RunWaits(f"run {run.id} waits for a person: {run.waits_for}", run_id=run.id, asks={})
        return await self._flag(run, Flag.FINISH)

    async def cancel(self, run: Run) -> Run:
        """Stop a run. Raises `WrongState`."""
        return await self._flag(run, Flag.CANCEL)

    async def reply(self, run: Run, reply: Mapping[str, Json]) -> Run:
        """Answer a run that waits for a person. Raises `WrongState`, `InputError` for what answers something else."""
        asks = await self.asks(run)
        if asks is None:
            raise WrongState(f"run {run.id} does not wait for a person: it is {run.state}")
        answer = checked_reply(reply, asks)
        if answer.get("reject") is True:
            return await self.cancel(run)
        return await self._store.reply(run.id, answer, tenant=run.tenant)

    async def delete(self, run: Run) -> None:
        """Forget an ended run. Raises `WrongState`."""
        await self._store.delete(run.id, tenant=run.tenant)

    async def asks(self, run: Run) -> Mapping[str, Json] | None:
        """Return what a waiting run asks, `None` where it does not wait."""
        if run.state is not RunState.WAITING:
            return None
        last = await self._store.records(run.id, after=run.last_seq - 1)
        return next((record.event.asks for record in last if isinstance(record.event, RunWaiting)), None)

    async def _flag(self, run: Run, flag: Flag) -> Run:
        after = await self._store.flag(run.id, flag, tenant=run.tenant)
        self._worker.flag(run.id, flag)
        return after

    async def _is_visible(self, run: Run) -> bool:
        """Return whether neither a run nor one whose evidence it has is over local files."""
        if run.tenant != LOCAL:
            return True  # only the command line's own tenant has local files
        for _ in range(_MOST_CHAIN):
            if not all(map(is_hosted, run.options.corpora)):
                return False
            if run.options.ledger_of is None:
                return True
            try:
                run = await self._store.get(run.options.ledger_of, tenant=run.tenant)
            except UnknownRun:
                return False  # nobody can tell any more what it stood on
        return False
