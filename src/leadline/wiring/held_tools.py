"""The tools of a process for whoever asks them over HTTP: the same parts as a run's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from leadline.domain import Fetched, Options
from leadline.errors import NotFound, SettingsError
from leadline.ports import CallContext, Cpu, Program, Ran, Reader, Said, Search, Summarizer
from leadline.settings import Settings
from leadline.wire.papers import Scholar
from leadline.wiring.programs import Programs
from leadline.wiring.summaries import Summing

if TYPE_CHECKING:
    from leadline.tools.summary import Summaries


class Places(Protocol):
    """Where the web is searched and read: here, or in services of their own."""

    async def search(self, tenant: str) -> Search:
        """Return what searches the web."""
        ...

    async def reader(self, tenant: str) -> Reader:
        """Return what reads pages."""
        ...

    async def library(self, tenant: str) -> Scholar:
        """Return what searches scholarly works."""
        ...


class HeldTools:
    """Every tool; each opens what it needs at its first use."""

    def __init__(self, settings: Settings, *, cpu: Cpu, places: Places, programs: Programs, summing: Summing) -> None:
        self._settings = settings
        self._cpu = cpu
        self._places = places
        self._programs = programs
        self._summing = summing

    async def search(self, tenant: str) -> Search:
        """Return what searches the web."""
        return await self._places.search(tenant)

    async def reader(self, tenant: str) -> Reader:
        """Return what reads pages."""
        return await self._places.reader(tenant)

    async def library(self, tenant: str) -> Scholar:
        """Return what searches scholarly works."""
        return await self._places.library(tenant)

    async def run(self, program: Program) -> Ran:
        """Run a program in the sandbox."""
        return await self._programs.run(program)

    async def summarise(self, content: str, goal: str, *, language: str, deadline: float) -> Said:
        """Sum a text up; of a long one what serves the goal. Raises as `Summarizer` does."""
        from leadline.tools.summary import excerpt  # noqa: PLC0415 only where a summariser is set

        summarizer = await self.summarizer()
        most = self._settings.summarizer.max_content
        shown = await self._cpu.run(excerpt, content, goal, most, size=len(content))
        return await summarizer.summarise(shown, goal, language=language, deadline=deadline)

    async def content(self, fetched: Fetched, goal: str, *, language: str, deadline: float) -> str:
        """Return a page as `visit` shows it to a model: its passages for the goal, or its summary with them."""
        from leadline.tools.visit import VisitTool  # noqa: PLC0415 only where pages are shown

        summaries: Summaries | None = await self._summing.of()
        limit = self._settings.visit.max_content
        tool = VisitTool([_Given(fetched)], cpu=self._cpu, limit=limit, summaries=summaries)
        context = CallContext(
            run_id="", tenant="", deadline=deadline, goal=goal, language=language, options=Options(web=True)
        )
        result = await tool.call({"url": fetched.source.uri, "goal": goal}, context)
        return tool.render(result.value, {fetched.source.id: fetched.text})

    async def summarizer(self) -> Summarizer:
        """Return what sums texts up. Raises `SettingsError` where nothing does."""
        found = await self._summing.summarizer()
        if found is None:
            raise SettingsError("nothing sums up here: set `summarizer.use` and a model")
        return found


@dataclass(frozen=True, slots=True)
class _Given:
    """A reader of one page that was read before."""

    fetched: Fetched

    def reads(self, uri: str) -> bool:
        return uri == self.fetched.source.uri

    async def read(self, uri: str, *, deadline: float) -> Fetched:
        del deadline
        if not self.reads(uri):
            raise NotFound("only one page is given")
        return self.fetched
