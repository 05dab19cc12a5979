"""The library's front: ask a question, watch it being researched, keep the report.

    import leadline
    report = leadline.research("When did the dive take place?", docs=["./papers"])

or, in asynchronous code, with everything that happens on the way:

    async with leadline.Leadline() as engine:
        run_id = await engine.start("When did the dive take place?", docs=[Path("papers")])
        async for event in engine.stream(run_id):
            ...
        report = await engine.result(run_id)
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from leadline.api.engine import Leadline
from leadline.api.estimate import Estimate
from leadline.api.results import GcReport, Verification
from leadline.domain import Report
from leadline.errors import InputError, WrongState
from leadline.settings import Settings

__all__ = ["Estimate", "GcReport", "Leadline", "Verification", "research"]

_SEARCHED: Final = ("web", "urls", "corpora", "scholar", "ledger_of")
"""Options that give a run something to search beside documents."""


def research(
    question: str,
    *,
    docs: str | Path | Sequence[str | Path] = (),
    settings: Settings | None = None,
    **options: Any,  # noqa: ANN401 fields of `Options` have different types
) -> Report:
    """Research a question and return the report; for code without an event loop.

    `docs` are files and folders to search, or one. `options` are fields of `Options`, such as
    `strategy`, `length` or `budget`. Raises `LeadlineError` subclasses, of them `WrongState` where
    an event loop runs in this thread, as in a notebook, and `InputError` where nothing is named to
    search: documents, `web=True`, `urls`, or an earlier run's evidence (`ledger_of`).
    """
    if _loop_runs():
        msg = "an event loop runs in this thread: use `async with leadline.Leadline() as engine` and await its methods"
        raise WrongState(msg)
    named = [docs] if isinstance(docs, str | Path) else docs
    if not named and not any(options.get(one) for one in _SEARCHED):
        raise InputError("there is nothing to search: name documents in `docs`, or read the web: `web=True`, `urls`")

    async def run() -> Report:
        async with Leadline(settings) as engine:
            run_id = await engine.start(question, docs=[Path(d) for d in named], options=engine.options(**options))
            return await engine.result(run_id)

    return asyncio.run(run())


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
