"""Who runs a service sees and clears the runs of all its tenants by the commands that runbooks name."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.service import serving, settings_for

from leadline.api import Leadline
from leadline.api.asking import new_run_id
from leadline.domain import Options, Question, RunState, sha256
from leadline.errors import UnknownRun
from leadline.ports import NewRun


async def test_runs_of_all_tenants_are_listed_stopped_and_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadline.api.keeping.FRESH", -1.0)
    settings = await settings_for(tmp_path)
    async with serving(settings) as running:
        await running.key("acme")
    body = b"a page that acme read"
    async with Leadline(settings, everyones=True) as engine:
        platform = engine._running
        made: dict[str, str] = {}
        for number, tenant in enumerate(("acme", "local")):
            run_id = new_run_id(platform.clock.now() + number)
            made[tenant] = run_id
            question = Question(text="When?", language="en")
            await platform.store.create(NewRun(id=run_id, tenant=tenant, question=question, options=Options(), seed=1))
        await platform.blobs.put("acme", body)
        assert {run.id: run.tenant for run in await engine.runs()} == {made[name]: name for name in made}
        assert (await engine.run(made["acme"])).tenant == "acme"
        async with Leadline(settings) as own:  # a library's, and that of an MCP client on stdio
            assert [run.tenant for run in await own.runs()] == ["local"]
            assert (await own.run("last")).tenant == "local"
            with pytest.raises(UnknownRun):
                await own.run(made["acme"])
            assert (await own.gc(older_than_days=-1.0)).runs == 0
        await engine.cancel(made["acme"])
        assert [run.id for run in await engine.runs(state=RunState.CANCELLED)] == [made["acme"]]

        swept = await engine.gc(older_than_days=-1.0)

        assert (swept.runs, swept.bytes > 0) == (1, True)
        assert not await platform.blobs.has("acme", sha256(body))
        with pytest.raises(UnknownRun):
            await engine.run(made["acme"])
        assert [run.tenant for run in await engine.runs()] == ["local"]
