"""What tenants, keys, audit log and vault promise; over SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import sqlalchemy as sa
from tests.support.accounts import KEY, OLD_KEY, Turned, opened

from leadline.accounts.audit import START
from leadline.accounts.database import Tx
from leadline.accounts.keys import USED_EVERY
from leadline.accounts.schema import SECRET
from leadline.accounts.sealing import Sealer
from leadline.errors import (
    AlreadyThere,
    InputError,
    SecretUnreadable,
    SettingsError,
    StoreError,
    Unauthenticated,
    UnknownObject,
    WrongState,
)
from leadline.ports.access import Action, Role
from leadline.ports.accounts import Deed, MadeKey, Outcome
from leadline.wiring.accounts import Accounts

DEED = Deed(
    tenant="acme",
    actor="operator:ann",
    action="keys:create",
    kind="keys",
    object="k1",
    source="cli",
    outcome=Outcome.DONE,
)


async def key(accounts: Accounts, role: Role = Role.RESEARCHER, *, tenant: str = "acme", **more: float) -> MadeKey:
    expires = more.get("expires_at")
    return await accounts.keys.create(tenant, name="one", role=role, made_by="ann", expires_at=expires)


# ------------------------------------------------------------------------------------------- tenants


async def test_a_tenant_is_made_once(accounts: Accounts) -> None:
    made = await accounts.tenants.create("new-one", name="New")
    assert await accounts.tenants.get("new-one") == made
    with pytest.raises(AlreadyThere):
        await accounts.tenants.create("new-one", name="Again")
    assert [one.id for one in await accounts.tenants.list()] == ["acme", "new-one", "other"]
    assert (await accounts.tenants.ensure("new-one", name="Other name")).name == "New"


async def test_an_id_is_a_plain_word(accounts: Accounts) -> None:
    for tenant in ("", "Acme", "a b", "../x", "-a", "ü", "a" * 64, "a/b", "a\n"):
        with pytest.raises(InputError):
            await accounts.tenants.create(tenant, name="x")


async def test_a_disabled_tenant_has_no_credentials(accounts: Accounts) -> None:
    made = await key(accounts)
    await accounts.tenants.disable("acme", disabled=True)
    with pytest.raises(Unauthenticated):
        await accounts.by_key.authenticate(made.credential)
    assert not await accounts.keys.any_valid()
    await accounts.tenants.disable("acme", disabled=False)
    assert (await accounts.by_key.authenticate(made.credential)).tenant == "acme"


async def test_unknown_tenants_are_unknown(accounts: Accounts) -> None:
    for call in (
        accounts.tenants.get("nobody"),
        accounts.tenants.disable("nobody", disabled=True),
        accounts.tenants.limit("nobody", tokens_per_day=1, usd_per_day=None),
        key(accounts, tenant="nobody"),
        accounts.vault.put("nobody", "x", "y"),
    ):
        with pytest.raises(UnknownObject):
            await call


# ---------------------------------------------------------------------------------------------- keys


async def test_a_key_tells_who_it_is(accounts: Accounts) -> None:
    made = await accounts.keys.create(
        "acme", name="lap", role=Role.RESEARCHER, made_by="ann", scopes=frozenset({Action.RUNS_READ, Action.RUNS_START})
    )
    caller = await accounts.by_key.authenticate(made.credential)
    assert (caller.tenant, caller.key, caller.role, caller.name) == ("acme", made.key.id, Role.RESEARCHER, "lap")
    assert caller.may(Action.RUNS_START)
    assert not caller.may(Action.CORPORA_WRITE)


async def test_a_secret_is_stored_nowhere(accounts: Accounts) -> None:
    made = await key(accounts)
    secret = made.credential.split("_", 2)[2]
    rows = await accounts.database.read(lambda tx: tx.all(sa.text("SELECT * FROM account_key")))
    assert secret not in repr(rows)
    assert secret not in repr(made)
    assert await accounts.keys.list("acme") == [made.key]


async def test_a_wrong_key_is_refused(accounts: Accounts) -> None:
    good = (await key(accounts)).credential
    other_end = "A" if good[-1] != "A" else "B"
    for wrong in ("", good + "x", good[:-1] + other_end, f"ll_{'0' * 16}_{good[20:]}", good[3:], good + "\n"):
        with pytest.raises(Unauthenticated):
            await accounts.by_key.authenticate(wrong)


async def test_a_key_ends(accounts: Accounts, turned: Turned) -> None:
    made = await key(accounts, expires_at=turned.at + 10)
    assert await accounts.keys.any_valid()
    turned.at += 10
    with pytest.raises(Unauthenticated):
        await accounts.by_key.authenticate(made.credential)
    assert not await accounts.keys.any_valid()
    with pytest.raises(WrongState):
        await accounts.keys.rotate("acme", made.key.id, grace=1, made_by="ann")


async def test_revoking_is_for_good_and_for_ones_own(accounts: Accounts, turned: Turned) -> None:
    made = await key(accounts)
    with pytest.raises(UnknownObject):
        await accounts.keys.revoke("other", made.key.id)
    first = await accounts.keys.revoke("acme", made.key.id)
    turned.at += 5
    assert await accounts.keys.revoke("acme", made.key.id) == first
    with pytest.raises(Unauthenticated):
        await accounts.by_key.authenticate(made.credential)


async def test_rotation_has_a_time_of_both(accounts: Accounts, turned: Turned) -> None:
    old = await key(accounts)
    new = await accounts.keys.rotate("acme", old.key.id, grace=60, made_by="ann")
    for made in (old, new):
        assert (await accounts.by_key.authenticate(made.credential)).key == made.key.id
    turned.at += 60
    with pytest.raises(Unauthenticated):
        await accounts.by_key.authenticate(old.credential)
    assert (await accounts.by_key.authenticate(new.credential)).role == old.key.role


async def test_last_use_is_written_each_minute(accounts: Accounts, turned: Turned) -> None:
    made = await key(accounts)
    seen = []
    for _ in range(4):
        await accounts.by_key.authenticate(made.credential)
        (found,) = await accounts.keys.list("acme")
        seen.append(found.last_used_at)
        turned.at += USED_EVERY / 2
    start = turned.at - 2 * USED_EVERY
    assert seen == [start, start, start + USED_EVERY, start + USED_EVERY]


async def test_scopes_only_narrow(accounts: Accounts) -> None:
    with pytest.raises(InputError, match="keys:manage"):
        await accounts.keys.create(
            "acme", name="x", role=Role.READER, made_by="ann", scopes=frozenset({Action.KEYS_MANAGE})
        )


# --------------------------------------------------------------------------------------------- audit


async def test_the_log_is_a_chain(accounts: Accounts) -> None:
    async with asyncio.TaskGroup() as tasks:  # writers side by side make one chain
        for i in range(8):
            tasks.create_task(accounts.audit.append(replace(DEED, object=f"k{i}")))
    entries = list(reversed(await accounts.audit.list("acme")))
    assert [entry.seq for entry in entries] == list(range(1, 9))
    assert [entry.previous for entry in entries] == [START, *(entry.hash for entry in entries[:-1])]
    verdict = await accounts.audit.verify()
    assert (verdict.broken, verdict.entries, verdict.head) == (None, 8, entries[-1].hash)
    assert await accounts.audit.list("other") == []
    assert [entry.seq for entry in await accounts.audit.list("acme", before=4, limit=2)] == [3, 2]


@pytest.mark.parametrize("statement", ["UPDATE account_audit SET actor = 'x'", "DELETE FROM account_audit"])
async def test_the_database_refuses_changes(accounts: Accounts, statement: str) -> None:
    await accounts.audit.append(DEED)
    with pytest.raises(StoreError):
        await accounts.database.write(lambda tx: tx.connection.execute(sa.text(statement)))
    assert (await accounts.audit.verify()).entries == 1


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE account_audit SET actor = 'operator:eve' WHERE seq = 2", 2),
        ("UPDATE account_audit SET at = at + 1 WHERE seq = 1", 1),
        ("DELETE FROM account_audit WHERE seq = 3", 3),
        ("DELETE FROM account_audit WHERE seq = 1", 1),
        ("UPDATE account_audit SET tenant = 'other' WHERE seq = 4", 4),
    ],
)
async def test_tampering_shows(accounts: Accounts, statement: str, broken: int) -> None:
    for i in range(4):
        await accounts.audit.append(replace(DEED, object=f"k{i}"))

    def tamper(tx: Tx) -> None:
        connection = tx.connection
        if connection.dialect.name == "sqlite":
            connection.execute(sa.text("DROP TRIGGER account_audit_no_update"))
            connection.execute(sa.text("DROP TRIGGER account_audit_no_delete"))
        else:
            connection.execute(sa.text("ALTER TABLE account_audit DISABLE TRIGGER USER"))
        connection.execute(sa.text(statement))

    await accounts.database.write(tamper)
    assert (await accounts.audit.verify()).broken == broken


async def test_a_kept_hash_finds_a_cut_log(accounts: Accounts) -> None:
    entry = await accounts.audit.append(DEED)
    assert (await accounts.audit.verify(seq=1, head=entry.hash)).broken is None
    assert (await accounts.audit.verify(seq=1, head="0" * 64)).broken == 1
    assert (await accounts.audit.verify(seq=7, head=entry.hash)).broken == 7


# --------------------------------------------------------------------------------------------- vault


async def test_secrets_are_kept_and_not_shown(accounts: Accounts) -> None:
    await accounts.vault.put("acme", "search.serper", "s3cret-value")
    await accounts.vault.put("acme", "search.serper", "s3cret-other")
    assert await accounts.vault.get("acme", "search.serper") == "s3cret-other"
    (info,) = await accounts.vault.list("acme")
    assert info.name == "search.serper"
    rows = await accounts.database.read(lambda tx: tx.all(sa.text("SELECT * FROM account_secret")))
    assert "s3cret" not in repr(rows)
    with pytest.raises(UnknownObject):
        await accounts.vault.get("other", "search.serper")
    await accounts.vault.delete("acme", "search.serper")
    with pytest.raises(UnknownObject):
        await accounts.vault.delete("acme", "search.serper")


@pytest.mark.parametrize(("tenant", "name"), [("other", "a"), ("acme", "b")])
async def test_a_moved_secret_does_not_open(accounts: Accounts, tenant: str, name: str) -> None:
    await accounts.vault.put("acme", "a", "value")
    await accounts.database.write(lambda tx: tx.change(sa.update(SECRET).values(tenant=tenant, name=name)))
    with pytest.raises(SecretUnreadable):
        await accounts.vault.get(tenant, name)


async def test_rotation_encrypts_all_anew(accounts_url: str, turned: Turned) -> None:
    async with opened(accounts_url, turned, sealer=Sealer(OLD_KEY)) as before:
        await before.vault.put("acme", "a", "one")
        await before.vault.put("other", "a", "two")
        hook = await before.webhooks.create("acme", url="https://x.example", events=["run_finished"], made_by="ann")
    async with opened(accounts_url, turned, sealer=Sealer(KEY, old=[OLD_KEY])) as during:
        assert await during.vault.get("acme", "a") == "one"
        assert await during.vault.rotate() == 3
        assert await during.vault.rotate() == 0
    async with opened(accounts_url, turned, sealer=Sealer(KEY)) as after:
        assert await after.vault.get("other", "a") == "two"
        assert await after.webhooks.secret("acme", hook.webhook.id) == hook.secret


async def test_rotation_is_all_or_nothing(accounts_url: str, turned: Turned) -> None:
    async with opened(accounts_url, turned, sealer=Sealer(OLD_KEY)) as before:
        await before.vault.put("acme", "a", "one")
    async with opened(accounts_url, turned, sealer=Sealer(KEY)) as without:
        await without.vault.put("other", "a", "two")
        with pytest.raises(SecretUnreadable, match="OLD_KEYS"):
            await without.vault.rotate()
    async with opened(accounts_url, turned, sealer=Sealer(OLD_KEY)) as after:
        assert await after.vault.get("acme", "a") == "one"


async def test_without_a_key_nothing_is_kept(accounts_url: str, turned: Turned) -> None:
    async with opened(accounts_url, turned, sealer=Sealer(None)) as accounts:
        with pytest.raises(SettingsError, match="LEADLINE_SECRETS__KEY"):
            await accounts.vault.put("acme", "a", "one")
