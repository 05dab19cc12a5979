"""Who reads which document, what of it is kept, and what deleting leaves; over each database."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from tests.support.accounts import Turned

from leadline.accounts.readings import MOST_ATTEMPTS
from leadline.errors import InputError, LeaseLost, UnknownObject, WrongState
from leadline.ports.corpora import CorpusDocument, DocumentState, Room, Tally, Unread
from leadline.wiring.accounts import Accounts

DOCUMENT = CorpusDocument(name="a.pdf", blob="1" * 64, size=10, type="application/pdf", added_at=0.0)
LEASE = 30.0


async def corpus_of(accounts: Accounts, *names: str, tenant: str = "acme") -> str:
    made = await accounts.corpora.create(tenant, name=f"papers {len(await accounts.corpora.list(tenant))}")
    for name in names:
        await accounts.corpora.put(tenant, made.id, replace(DOCUMENT, name=name))
    return made.id


async def claim(accounts: Accounts, owner: str = "w1", version: tuple[str, int] | None = None) -> list[Unread]:
    return list(await accounts.readings.claim(owner, lease=LEASE, version=version))


async def state(accounts: Accounts, corpus: str, name: str = "a.pdf") -> CorpusDocument:
    return await accounts.corpora.document("acme", corpus, name)


async def test_a_document_waits_is_read_and_ready(accounts: Accounts) -> None:
    corpus = await corpus_of(accounts, "a.pdf")
    assert (await state(accounts, corpus)).state is DocumentState.QUEUED
    (held,) = await claim(accounts)
    assert (held.tenant, held.corpus, held.document.blob, held.attempts) == ("acme", corpus, "1" * 64, 1)
    assert (await state(accounts, corpus)).state is DocumentState.READING
    assert await claim(accounts, "w2") == []
    await accounts.readings.ready(held, text="2" * 64, type="text/plain", characters=7)
    found = await state(accounts, corpus)
    assert (found.state, found.text, found.type, found.characters) == (DocumentState.READY, "2" * 64, "text/plain", 7)
    assert await accounts.corpora.tally("acme", [corpus]) == {corpus: Tally(ready=1, bytes=10)}
    assert await claim(accounts) == []
    with pytest.raises(LeaseLost):
        await accounts.readings.failed(held, code="x", reason="x")


async def test_a_failure_is_told_and_the_same_bytes_are_tried_again(accounts: Accounts) -> None:
    corpus = await corpus_of(accounts, "a.pdf")
    (held,) = await claim(accounts)
    await accounts.readings.failed(held, code="broken_document", reason="it is damaged")
    found = await state(accounts, corpus)
    assert (found.state, found.code, found.reason) == (DocumentState.FAILED, "broken_document", "it is damaged")
    assert (await accounts.corpora.put("acme", corpus, DOCUMENT)).version == 2
    assert (await state(accounts, corpus)).state is DocumentState.QUEUED


async def test_who_died_over_it_is_followed_and_may_not_speak_again(accounts: Accounts, turned: Turned) -> None:
    corpus = await corpus_of(accounts, "a.pdf")
    (lost,) = await claim(accounts)
    turned.at += LEASE - 1
    await accounts.readings.renew(lost, lease=LEASE)
    turned.at += LEASE - 1
    assert await claim(accounts, "w2") == []
    turned.at += 1
    (again,) = await claim(accounts, "w2")
    assert again.attempts == 2
    for call in (
        accounts.readings.renew(lost, lease=LEASE),
        accounts.readings.ready(lost, text="2" * 64, type="text/plain", characters=1),
        accounts.readings.failed(lost, code="x", reason="x"),
    ):
        with pytest.raises(LeaseLost):
            await call
    await accounts.readings.hand_back(lost)
    assert (await state(accounts, corpus)).state is DocumentState.READING
    await accounts.readings.ready(again, text="2" * 64, type="text/plain", characters=1)


async def test_what_kills_every_reader_is_given_up(accounts: Accounts, turned: Turned) -> None:
    corpus = await corpus_of(accounts, "a.pdf")
    for _ in range(MOST_ATTEMPTS):
        assert len(await claim(accounts)) == 1
        turned.at += LEASE
    assert await claim(accounts) == []
    found = await state(accounts, corpus)
    assert (found.state, found.code) == (DocumentState.FAILED, "work_died")


async def test_handing_back_is_no_attempt(accounts: Accounts) -> None:
    await corpus_of(accounts, "a.pdf")
    for _ in range(MOST_ATTEMPTS + 2):
        (held,) = await claim(accounts)
        assert held.attempts == 1
        await accounts.readings.hand_back(held)


async def test_of_many_readers_each_document_has_one(accounts: Accounts) -> None:
    await corpus_of(accounts, *(f"{i}.pdf" for i in range(6)))
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(claim(accounts, f"w{i}")) for i in range(10)]
    taken = Counter(one.document.name for task in asked for one in task.result())
    assert max(taken.values()) == 1
    while found := await claim(accounts):
        taken.update(one.document.name for one in found)
    assert taken == Counter({f"{i}.pdf": 1 for i in range(6)})


async def test_a_tenant_with_many_documents_does_not_hold_up_another(accounts: Accounts, turned: Turned) -> None:
    await corpus_of(accounts, *(f"{i}.pdf" for i in range(5)))
    turned.at += 10
    await corpus_of(accounts, "b.pdf", tenant="other")
    order = [one.tenant for _ in range(3) for one in await claim(accounts)]
    assert order == ["acme", "other", "acme"]


async def test_a_version_can_be_read_by_itself(accounts: Accounts) -> None:
    await corpus_of(accounts, "first.pdf")
    corpus = await corpus_of(accounts, "a.pdf")
    await accounts.corpora.put("acme", corpus, replace(DOCUMENT, blob="2" * 64))
    (old,) = await claim(accounts, version=(corpus, 1))
    assert old.document.blob == "1" * 64
    assert await claim(accounts, version=(corpus, 1)) == []
    (new,) = await claim(accounts, version=(corpus, 2))
    assert new.document.blob == "2" * 64
    assert [one.document.name for one in await claim(accounts)] == ["first.pdf"]


async def test_a_document_that_was_taken_out_is_read_for_old_versions_only(accounts: Accounts) -> None:
    corpus = await corpus_of(accounts, "a.pdf")
    await accounts.corpora.remove("acme", corpus, "a.pdf")
    assert await claim(accounts) == []
    assert len(await claim(accounts, version=(corpus, 1))) == 1


async def test_there_is_room_for_so_much(accounts: Accounts) -> None:
    room = Room(documents=2, bytes=25)
    first, second = await corpus_of(accounts), await corpus_of(accounts)
    await accounts.corpora.put("acme", first, DOCUMENT, room=room)
    large = replace(DOCUMENT, name="b.pdf", blob="2" * 64, size=16)
    for corpus in (first, second):
        with pytest.raises(WrongState):
            await accounts.corpora.check("acme", corpus, large, room=room)
        with pytest.raises(WrongState):
            await accounts.corpora.put("acme", corpus, large, room=room)
    await accounts.corpora.put("acme", second, replace(large, size=15), room=room)
    await accounts.corpora.check("acme", first, DOCUMENT, room=room)
    await accounts.corpora.put("acme", first, DOCUMENT, room=room)
    with pytest.raises(WrongState):
        await accounts.corpora.put("acme", first, replace(DOCUMENT, name="c.pdf", size=0), room=room)
    theirs = await corpus_of(accounts, tenant="other")
    await accounts.corpora.put("other", theirs, large, room=room)


async def test_a_name_keeps_its_place(accounts: Accounts) -> None:
    corpus = await corpus_of(accounts, "folder/a.pdf", "漢字 «1».txt")
    assert [one.name for one in await accounts.corpora.documents("acme", corpus)] == ["folder/a.pdf", "漢字 «1».txt"]
    for name in ("", " ", "a\nb", "a/../b", "./a", "/a", "a/", "a//b", "x" * 256, "a\x00b"):
        with pytest.raises(InputError):
            await accounts.corpora.put("acme", corpus, replace(DOCUMENT, name=name))
    for name in ("none", "a\x00b"):
        with pytest.raises(UnknownObject):
            await accounts.corpora.document("acme", corpus, name)
        with pytest.raises(UnknownObject):
            await accounts.corpora.remove("acme", corpus, name)
    with pytest.raises(UnknownObject):
        await accounts.corpora.document("other", corpus, "folder/a.pdf")


async def test_what_was_deleted_is_forgotten_when_no_version_needs_it(accounts: Accounts, turned: Turned) -> None:
    corpus = await corpus_of(accounts, "a.pdf", "b.pdf")
    await accounts.corpora.put("acme", corpus, replace(DOCUMENT, blob="2" * 64))
    await accounts.corpora.remove("acme", corpus, "b.pdf")
    assert await accounts.leftovers.tenants() == ["acme"]
    assert await accounts.leftovers.blobs("acme") == {"1" * 64, "2" * 64}
    assert await accounts.leftovers.forget("acme", {corpus: 2}) == 0
    turned.at += 10
    await accounts.leftovers.swept("acme", begun=turned.at)
    assert await accounts.leftovers.tenants() == ["acme"], "an old version still has them"
    assert await accounts.leftovers.forget("other", {corpus: 9}) == 0
    assert await accounts.leftovers.forget("acme", {corpus: 3}) == 1
    assert await accounts.leftovers.forget("acme", {corpus: 4}) == 1
    assert await accounts.leftovers.blobs("acme") == {"2" * 64}
    await accounts.leftovers.swept("acme", begun=turned.at - 10)
    assert await accounts.leftovers.tenants() == ["acme"], "deleted later than what was swept"
    await accounts.leftovers.swept("acme", begun=turned.at)
    assert await accounts.leftovers.tenants() == []
    await accounts.corpora.delete("acme", corpus)
    assert await accounts.leftovers.tenants() == ["acme"]
    assert await accounts.leftovers.blobs("acme") == frozenset()


async def test_text_is_kept_as_well_as_bytes(accounts: Accounts) -> None:
    await corpus_of(accounts, "a.pdf")
    (held,) = await claim(accounts)
    await accounts.readings.ready(held, text="3" * 64, type="text/plain", characters=1)
    assert await accounts.leftovers.blobs("acme") == {"1" * 64, "3" * 64}
