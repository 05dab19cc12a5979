"""Settings make accounts and a gate that stands on the real run store."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from leadline.domain import Flag, Options, Question
from leadline.errors import SettingsError, Unauthenticated
from leadline.ports import NewRun
from leadline.ports.access import LOCAL, Role
from leadline.ports.admission import Admitted, InboundLimit, Refused, Wanted, Wish
from leadline.resilience import SystemClock
from leadline.settings import Settings, load
from leadline.tasks.sqlite import SqliteStore
from leadline.wiring.accounts import gate_of, open_accounts
from leadline.wiring.outgoing import Outgoing


def settings(folder: Path, **more: str) -> Settings:
    return load(environ={"LEADLINE_DATA_DIR": str(folder / "data"), **more})


@pytest.mark.blocking("reading settings and opening a store look at files")
async def test_a_run_that_ended_makes_room(tmp_path: Path) -> None:
    chosen = settings(tmp_path, LEADLINE_ADMISSION__KEY_RUNS="1", LEADLINE_ADMISSION__TOKENS_PER_DAY="1000")
    async with AsyncExitStack() as stack:
        accounts = await stack.enter_async_context(open_accounts(chosen))
        store = await stack.enter_async_context(SqliteStore.open(tmp_path / "data" / "runs.db"))
        outgoing = await stack.enter_async_context(Outgoing(chosen, clock=SystemClock(), folder=tmp_path))
        gate = await gate_of(chosen, accounts, outgoing=outgoing, store=store)
        made = await accounts.keys.create(LOCAL, name="x", role=Role.RESEARCHER, made_by="test")
        caller = await gate.authenticator.authenticate(made.credential)
        first, second = (
            Wish(tenant=caller.tenant, key=caller.key, wanted=Wanted.RUN, id=run_id, tokens=900)
            for run_id in ("r1", "r2")
        )
        assert await gate.admission.admit(first) == Admitted(tokens=900)
        await store.create(
            NewRun(id="r1", tenant=LOCAL, question=Question(text="?", language="en"), options=Options(), seed=1)
        )
        refused = await gate.admission.admit(second)
        assert isinstance(refused, Refused)
        assert refused.limit is InboundLimit.KEY_RUNS
        await store.flag("r1", Flag.CANCEL, tenant=LOCAL)
        assert await gate.admission.admit(second) == Admitted(tokens=900)
        with pytest.raises(Unauthenticated):  # tokens are not accepted without an issuer
            await gate.authenticator.authenticate("a.b.c")


@pytest.mark.parametrize("name", ["JWT_ISSUER", "JWT_AUDIENCE", "JWKS_URL"])
def test_an_issuer_that_is_half_described_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="auth"):
        settings(tmp_path, **{f"LEADLINE_AUTH__{name}": "https://issuer.example"})


@pytest.mark.blocking("reading settings looks at files")
async def test_a_key_for_secrets_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="32 bytes"):
        async with open_accounts(settings(tmp_path, LEADLINE_SECRETS__KEY="short")):
            pass
