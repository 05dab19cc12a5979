"""A backup, and its restore into empty servers: both stores, both kinds of bodies, plain and encrypted."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import orjson
import pytest
from tests.support.kept import PASSPHRASE, PLAIN_SECRET, TENANT, World, fill, settings_of, with_report
from tests.support.postgres import Postgres
from tests.support.reports import simple
from tests.support.s3 import BUCKET, KEY, SECRET, S3Server, running_s3

from leadline.api.keeping import named_by_runs
from leadline.errors import BackupUnusable, InputError, SettingsError, StoreFull, StoreUnavailable, WrongState
from leadline.events import ENGINE, Entry, ToolAnswered
from leadline.ops.backup import ROUNDS, Backup, back_up, verify
from leadline.ops.backup_place import LIST, Place, line_of
from leadline.ops.restore import Restored, restore
from leadline.ports import Bodies, Fed, RunStore
from leadline.ports.corpora import CorpusDocument
from leadline.settings import Settings
from leadline.tasks.sqlite import copying
from leadline.wiring import platform
from leadline.wiring.accounts import open_accounts
from leadline.wiring.backup_named import bodies_named
from leadline.wiring.blobs import blob_store
from leadline.wiring.store import migrate_up, run_store

pytestmark = [
    pytest.mark.blocking("files of settings and of backups are looked at"),
    pytest.mark.xdist_group("postgres"),
]

PAGE = 2
POSTGRES = pytest.param("postgres", marks=pytest.mark.server("postgres"))


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


class Deployments:
    """Makes empty deployments of one kind: SQLite and folders, or PostgreSQL and a bucket."""

    def __init__(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        self.kind: str = request.param
        self._request = request
        self._folder = tmp_path

    async def empty(self, name: str) -> Settings:
        """Return the settings of a deployment that has nothing yet."""
        folder = self._folder / name
        if self.kind == "sqlite":
            return await settings_of(folder)
        server: Postgres = self._request.getfixturevalue("postgres")
        bucket: S3Server = self._request.getfixturevalue("s3")
        database = await asyncio.to_thread(server.database)
        return await settings_of(
            folder,
            store=server.url(database),
            blobs=f"s3://{BUCKET}/{self._folder.name}/{name}",
            s3__endpoint=bucket.endpoint,
            s3__access_key=KEY,
            s3__secret_key=SECRET,
        )

    async def filled(self, name: str) -> tuple[Settings, World]:
        """Return the settings of one with runs, reports, accounts, and what was put in."""
        settings = await self.empty(name)
        if self.kind == "postgres":
            await migrate_up(settings)
        return settings, await fill(settings)


@pytest.fixture(params=["sqlite", POSTGRES])
def deployments(request: pytest.FixtureRequest, tmp_path: Path) -> Deployments:
    return Deployments(request, tmp_path)


@pytest.fixture
async def small(tmp_path: Path) -> Settings:
    """Return the settings of a filled deployment over SQLite."""
    settings = await settings_of(tmp_path / "small")
    await fill(settings)
    return settings


async def feed_of(settings: Settings) -> list[Fed]:
    """Return what an event log would be given, in small pages: within one, rows may change their places."""
    async with run_store(settings, settings.data_dir) as store:
        rows: list[Fed] = []
        while page := await store.feed(rows[-1].place if rows else "", limit=PAGE):
            rows += page
        return rows


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE], ids=["plain", "encrypted"])
async def test_what_is_restored_is_what_was(deployments: Deployments, tmp_path: Path, passphrase: str | None) -> None:
    settings, world = await deployments.filled("old")
    before = await feed_of(settings)
    made = await back_up(settings, tmp_path / "copies", passphrase=passphrase)
    assert made.verified
    assert made.runs == 4
    assert made.tenants == 2
    new = await deployments.empty("new")
    restored = await restore(new, tmp_path / "copies", passphrase=passphrase)
    assert restored.problems == ()
    assert (restored.runs, restored.reports) == (4, 2)
    assert restored.claims > 0
    async with open_accounts(new) as accounts, run_store(new, new.data_dir) as store:
        caller = await accounts.by_key.authenticate(world.credential)
        assert caller.tenant == TENANT
        assert await accounts.vault.get(TENANT, "serper") == PLAIN_SECRET
        for tenant, runs in world.runs.items():
            assert {run.id for run in await store.runs(tenant=tenant)} == set(runs)
        # What waited goes on, and what is new comes after what was.
        waiting = await store.claim("w2", lease=30, engines=[ENGINE], run_id=f"{TENANT}-waits")
        assert waiting is not None
        async with blob_store(new, new.data_dir) as blobs:
            await with_report(store, blobs, made=simple("It is deep.", "deep"), tenant=TENANT, name="later")
    after = await feed_of(new)
    whole = len(before) // PAGE * PAGE
    assert [(row.run_id, row.seq) for row in after[:whole]] == [(row.run_id, row.seq) for row in before[:whole]]
    assert {row.run_id for row in after[len(before) :]} == {f"{TENANT}-waits", f"{TENANT}-later"}


async def test_the_order_of_shipping_survives_two_restores(deployments: Deployments, tmp_path: Path) -> None:
    settings, _ = await deployments.filled("old")
    async with run_store(settings, settings.data_dir) as store:
        turn = await store.ship("jsonl:/a", "one", lease=30)
        assert turn is not None
        rows = await feed_of(settings)
        await store.shipped("jsonl:/a", turn._replace(place=rows[3].place), lease=30)
        await store.release("jsonl:/a", turn)
    reached = {(row.run_id, row.seq) for row in rows}
    async with run_store(settings, settings.data_dir) as store:
        rest = [(row.run_id, row.seq) for row in await store.feed(rows[3].place, limit=1000)]
    for number in (1, 2):
        await back_up(settings, tmp_path / f"copies{number}")
        settings = await deployments.empty(f"new{number}")
        await restore(settings, tmp_path / f"copies{number}")
    async with run_store(settings, settings.data_dir) as store:
        again = await store.ship("jsonl:/a", "two", lease=30)
        assert again is not None
        assert [(row.run_id, row.seq) for row in await store.feed(again.place, limit=1000)] == rest
        assert {(row.run_id, row.seq) for row in await store.feed("", limit=1000)} == reached


async def test_nothing_is_restored_over_what_is_there(deployments: Deployments, tmp_path: Path) -> None:
    settings, world = await deployments.filled("old")
    await back_up(settings, tmp_path / "copies")
    with pytest.raises(WrongState, match="empty servers only"):
        await restore(settings, tmp_path / "copies")
    async with run_store(settings, settings.data_dir) as store:
        assert {run.id for run in await store.runs(tenant=TENANT)} == set(world.runs[TENANT])


async def test_a_server_that_has_started_once_is_empty_still(deployments: Deployments, tmp_path: Path) -> None:
    settings, _ = await deployments.filled("old")
    await back_up(settings, tmp_path / "copies")
    new = await deployments.empty("new")
    if deployments.kind == "postgres":
        await migrate_up(new)
    async with open_accounts(new), run_store(new, new.data_dir) as store:
        assert await store.ship("jsonl:/a", "one", lease=30) is not None
    assert (await restore(new, tmp_path / "copies")).problems == ()


async def test_a_second_backup_copies_what_is_new(small: Settings, tmp_path: Path) -> None:
    first = await back_up(small, tmp_path / "copies")
    async with run_store(small, small.data_dir) as store, blob_store(small, small.data_dir) as blobs:
        await with_report(store, blobs, made=simple("It is deep.", "deep"), tenant=TENANT, name="later")
    second = await back_up(small, tmp_path / "copies", incremental=True)
    assert (second.copied, second.kept) == (2, first.copied)
    whole = await back_up(small, tmp_path / "copies")
    assert (whole.copied, whole.kept) == (first.copied + 2, 0)
    # Each of them is there still, and as it was.
    for made, runs in ((first, 4), (second, 5), (whole, 5)):
        new = await settings_of(tmp_path / f"new-{made.id}")
        assert (await restore(new, tmp_path / "copies", id=made.id)).runs == runs


async def test_what_was_done_is_written_down(small: Settings, tmp_path: Path) -> None:
    made = await back_up(small, tmp_path / "copies")
    last = orjson.loads((small.data_dir / "backups" / "last.json").read_bytes())
    assert last == {"at": made.at, "target": str(tmp_path / "copies"), "bytes": made.bytes, "verified": True}
    new = await settings_of(tmp_path / "new")
    await restore(new, tmp_path / "copies")
    note = orjson.loads((new.data_dir / "backups" / "restored.json").read_bytes())
    assert note["verified"] is True
    assert note["backup"] == made.id


async def test_a_file_that_came_out_wrong_is_found_anywhere(small: Settings, tmp_path: Path) -> None:
    made = await back_up(small, tmp_path / "copies")
    files = [path for path in (tmp_path / "copies").rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        whole = path.read_bytes()
        for broken in (whole[:-1], whole[: len(whole) // 2] + b"\x00" + whole[len(whole) // 2 + 1 :]):
            if broken == whole:
                continue
            path.write_bytes(broken)
            assert await damaged(tmp_path / "copies", made), path
        path.unlink()
        assert await damaged(tmp_path / "copies", made), path
        path.write_bytes(whole)
    assert not await damaged(tmp_path / "copies", made)


async def damaged(folder: Path, made: Backup) -> bool:
    try:
        return bool((await verify(folder, id=made.id)).problems)
    except (BackupUnusable, InputError):
        return True


async def test_a_damaged_backup_changes_nothing(small: Settings, tmp_path: Path) -> None:
    made = await back_up(small, tmp_path / "copies")
    body = next(path for path in (tmp_path / "copies" / "bodies").rglob("*") if path.is_file())
    body.write_bytes(b"other")
    new = await settings_of(tmp_path / "new")
    with pytest.raises(BackupUnusable, match="nothing was restored"):
        await restore(new, tmp_path / "copies", id=made.id)
    assert not (new.data_dir / "runs.db").exists()


async def test_a_backup_that_was_cut_off_is_none(small: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    first = await back_up(small, folder)
    second = await back_up(small, folder)
    (folder / second.id / "manifest.json").unlink()
    (folder / "bodies" / "ab").mkdir(exist_ok=True)
    (folder / "bodies" / "ab" / ".new-left").write_bytes(b"half")
    assert (await verify(folder)).id == first.id
    assert (await verify(folder)).unfinished == (second.id,)
    with pytest.raises(BackupUnusable, match="not finished"):
        await restore(await settings_of(tmp_path / "new"), folder, id=second.id)
    third = await back_up(small, folder, incremental=True)
    assert third.copied == 0
    assert not (folder / second.id).exists() or third.id == second.id
    assert not (folder / "bodies" / "ab" / ".new-left").exists()
    (folder / first.id / "manifest.json").unlink()
    (folder / third.id / "manifest.json").unlink()
    with pytest.raises(BackupUnusable, match="cut off"):
        await verify(folder)


async def test_a_restore_that_was_cut_off_is_begun_again(
    small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await back_up(small, tmp_path / "copies")
    new = await settings_of(tmp_path / "new")

    def cut(*_: object, **__: object) -> Restored:
        raise StoreUnavailable("the disk went away")

    with monkeypatch.context() as patch:
        patch.setattr("leadline.tasks.sqlite.copying.copy", cut)
        with pytest.raises(StoreUnavailable):
            await restore(new, tmp_path / "copies")
    assert (await restore(new, tmp_path / "copies")).problems == ()


async def test_a_restore_that_was_cut_off_between_two_files_goes_on(
    small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await back_up(small, tmp_path / "copies")
    second = await back_up(small, tmp_path / "copies")
    new = await settings_of(tmp_path / "new")
    await cut_off_at(new.data_dir / "accounts.db", new, tmp_path / "copies", monkeypatch=monkeypatch)
    with pytest.raises(WrongState, match="empty servers only"):
        await restore(new, tmp_path / "copies", id=first.id)
    assert (await restore(new, tmp_path / "copies", id=second.id)).problems == ()
    async with open_accounts(new) as accounts:
        assert await accounts.vault.get(TENANT, "serper") == PLAIN_SECRET
    with pytest.raises(WrongState, match="empty servers only"):
        await restore(new, tmp_path / "copies", id=second.id)


async def test_what_was_put_in_beside_a_restore_that_was_cut_off_is_not_lost(
    small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await back_up(small, tmp_path / "copies")
    new = await settings_of(tmp_path / "new")
    await cut_off_at(new.data_dir / "accounts.db", new, tmp_path / "copies", monkeypatch=monkeypatch)
    async with open_accounts(new) as accounts:
        await accounts.tenants.ensure("other", name="Other")
    with pytest.raises(WrongState, match=r"accounts\.db"):
        await restore(new, tmp_path / "copies")


async def cut_off_at(path: Path, new: Settings, copies: Path, *, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a restore fail before it writes a file, as on a full disk."""
    whole = copying.copy

    def cut(source: Path, target: Path) -> None:
        if target == path:
            raise StoreFull("no space is left")
        whole(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("leadline.tasks.sqlite.copying.copy", cut)
        with pytest.raises(StoreFull):
            await restore(new, copies)


async def test_a_restore_that_was_cut_off_after_the_tables_goes_on(
    deployments: Deployments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = await deployments.filled("old")
    first = await back_up(settings, tmp_path / "copies")
    await back_up(settings, tmp_path / "copies")
    new = await deployments.empty("new")

    async def cut(*_: object) -> Restored:
        raise StoreUnavailable("the server went away")

    with monkeypatch.context() as patch:
        patch.setattr("leadline.ops.restore._proved", cut)
        with pytest.raises(StoreUnavailable):
            await restore(new, tmp_path / "copies")
    with pytest.raises(WrongState, match="empty servers only"):
        await restore(new, tmp_path / "copies", id=first.id)
    restored = await restore(new, tmp_path / "copies")
    assert (restored.problems, restored.runs) == ((), 4)
    with pytest.raises(WrongState, match="empty servers only"):
        await restore(new, tmp_path / "copies")


async def test_encrypted_backups_tell_nothing_and_open_by_their_passphrase_alone(
    small: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "copies"
    made = await back_up(small, folder, passphrase=PASSPHRASE)
    async with blob_store(small, small.data_dir) as blobs:
        names = {name async for page in blobs.names(TENANT) for name in page}
    files = [path for path in folder.rglob("*") if path.is_file()]
    told = b"".join(path.read_bytes() for path in files)
    assert names
    assert names.isdisjoint(path.name for path in files)
    for word in (b"lighthouse", TENANT.encode(), made.id.encode() + b'"', b"SQLite format", b"\x28\xb5\x2f\xfd"):
        assert word not in told
    for wrong in (None, "another passphrase"):
        with pytest.raises((InputError, BackupUnusable), match=r"encrypted|passphrase"):
            await verify(folder, passphrase=wrong)
    with pytest.raises(InputError, match="encrypted"):
        await back_up(small, folder)
    # A file that was put in another's place does not open, though it is one of ours.
    bodies = sorted(path for path in (folder / "bodies").rglob("*") if path.is_file())
    first, second = bodies[0].read_bytes(), bodies[1].read_bytes()
    bodies[0].write_bytes(second)
    bodies[1].write_bytes(first)
    assert len((await verify(folder, passphrase=PASSPHRASE)).problems) == 2


async def test_a_folder_of_other_things_is_left_alone(small: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="something else"):
        await back_up(small, folder)
    await back_up(small, tmp_path / "plain")
    with pytest.raises(InputError, match="not encrypted"):
        await back_up(small, tmp_path / "plain", passphrase=PASSPHRASE)


async def test_who_has_a_passphrase_is_not_given_what_anybody_could_have_made(small: Settings, tmp_path: Path) -> None:
    await back_up(small, tmp_path / "copies")
    header = tmp_path / "copies" / "backup.json"
    with pytest.raises(InputError, match="not encrypted"):
        await verify(tmp_path / "copies", passphrase=PASSPHRASE)
    with pytest.raises(InputError, match="not encrypted"):
        await restore(small, tmp_path / "copies", passphrase=PASSPHRASE)
    for costs in ({"n": 3}, {"n": 1 << 40}, {"n": -2}, {"r": 0}):
        scrypt = {"salt": "00" * 16, "n": 1 << 14, "r": 8, "p": 1, **costs}
        header.write_text(json.dumps({"format": "leadline.backup/1", "scrypt": scrypt, "check": ""}))
        with pytest.raises(BackupUnusable, match="damaged"):
            await verify(tmp_path / "copies", passphrase=PASSPHRASE)


async def test_a_lost_body_is_told_and_the_rest_is_saved(small: Settings, tmp_path: Path) -> None:
    body = next(path for path in (small.data_dir / "blobs" / TENANT).rglob("*") if path.is_file())
    body.write_bytes(b"other")
    made = await back_up(small, tmp_path / "copies")
    assert made.lost == (body.name,)
    assert not made.verified
    assert orjson.loads((small.data_dir / "backups" / "last.json").read_bytes())["verified"] is False
    restored = await restore(await settings_of(tmp_path / "new"), tmp_path / "copies")
    assert restored.runs == 4
    assert restored.problems


class Sweeping:
    """A store of bodies from which retention takes a run's, and the run, as soon as bodies are listed."""

    def __init__(self, store: RunStore, blobs: Bodies, gone: Iterator[tuple[str, str]]) -> None:
        self._store = store
        self._blobs = blobs
        self._gone = gone
        self._first = ""

    async def names(self, tenant: str) -> AsyncIterator[Sequence[str]]:
        """Sweep, once a round, then list."""
        self._first = self._first or tenant
        if tenant == self._first and (run := next(self._gone, None)):
            await self._store.delete(run[1], tenant=run[0])
            await self._blobs.sweep(run[0], frozenset(), older_than=4e9)
        async for page in self._blobs.names(tenant):
            yield page

    def __getattr__(self, name: str) -> object:
        return getattr(self._blobs, name)


@asynccontextmanager
async def swept(
    settings: Settings, runs: Sequence[tuple[str, str]], *, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """Let retention come between the tables and the bodies of the next rounds of a backup."""
    whole = blob_store
    async with run_store(settings, settings.data_dir) as store:
        gone = iter(runs)

        @asynccontextmanager
        async def sweeping(settings: Settings, folder: Path) -> AsyncIterator[Sweeping]:
            async with whole(settings, folder) as blobs:
                yield Sweeping(store, blobs, gone)

        with monkeypatch.context() as patch:
            patch.setattr("leadline.wiring.backup.blob_store", sweeping)
            yield


async def test_bodies_that_are_swept_after_the_tables_were_copied_are_not_missed(
    deployments: Deployments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = await deployments.filled("old")
    async with swept(settings, [(TENANT, f"{TENANT}-done")], monkeypatch=monkeypatch):
        made = await back_up(settings, tmp_path / "copies")
    assert made.runs == 3
    assert made.verified
    assert (await verify(tmp_path / "copies")).problems == ()
    restored = await restore(await deployments.empty("new"), tmp_path / "copies")
    assert (restored.problems, restored.runs, restored.reports) == ((), 3, 1)


async def test_what_tables_name_is_all_that_is_kept_from_a_sweep(deployments: Deployments, tmp_path: Path) -> None:
    """A backup misses what retention would have kept: reports, texts, bytes, what programs made, documents."""
    settings, _ = await deployments.filled("old")
    program = "c0" * 32
    async with run_store(settings, settings.data_dir) as store, open_accounts(settings) as accounts:
        run = await store.claim("w", lease=30, engines=[ENGINE], run_id=f"{TENANT}-waits")
        assert run is not None
        made = ToolAnswered(call="c", tool="python", value={"program": program, "text": "tab\t, line\n, \\ and \\n"})
        await store.append(run.id, run.fence, [Entry(at=1.0, branch="", event=made)])
        corpus = await accounts.corpora.create(TENANT, name="papers")
        document = "d0" * 32
        paper = CorpusDocument(name="a.txt", blob=document, size=1, type="text/plain", added_at=0.0)
        await accounts.corpora.put(TENANT, corpus.id, paper)
    async with platform(settings) as running:
        kept = {f"{tenant}/{name}" for tenant in (TENANT, "local") for name in await named_by_runs(running, tenant)}
    folder = tmp_path / "copies"
    await back_up(settings, folder)
    place = Place.open(folder, passphrase=None)
    manifest = place.manifest()
    named = {f"{one.tenant}/{one.name}" for one in bodies_named(manifest.dump, partial(place.read_part, manifest.id))}
    assert f"{TENANT}/{program}" in kept
    assert named == kept | {f"{TENANT}/{document}"}


async def test_a_backup_that_sweeps_keep_up_with_fails_and_is_none(
    small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    async with run_store(small, small.data_dir) as store, blob_store(small, small.data_dir) as blobs:
        for number in range(ROUNDS + 1):
            tenant = f"t{number}"
            made = simple(f"It is {number} deep.", str(number))
            runs.append((tenant, await with_report(store, blobs, made=made, tenant=tenant)))
    async with swept(small, runs, monkeypatch=monkeypatch):
        with pytest.raises(BackupUnusable, match="leadline gc"):
            await back_up(small, tmp_path / "copies")
    with pytest.raises(BackupUnusable, match="cut off"):
        await verify(tmp_path / "copies")


async def test_a_body_that_tables_name_and_the_list_has_not_is_found(small: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    made = await back_up(small, folder)
    place = Place.open(folder, passphrase=None)
    manifest = place.manifest(made.id)
    bodies = list(place.bodies(made.id))
    report = next(body for body in bodies if f"{body.tenant}/{body.name}" not in made.absent)
    sums = dict(manifest.sums)
    with place.write_part(made.id, LIST, sums) as out:
        out.write(b"".join(line_of(body) for body in bodies if body != report))
    place.write_manifest(replace(manifest, sums=sums, bodies=manifest.bodies - 1))
    (problem,) = (await verify(folder)).problems
    assert report.name in problem
    with pytest.raises(BackupUnusable, match="nothing was restored"):
        await restore(await settings_of(tmp_path / "new"), folder)
    # Of a version that did not look it is taken as it is.
    place.write_manifest(replace(manifest, sums=sums, bodies=manifest.bodies - 1, absent=None))
    assert (await verify(folder)).problems == ()


async def test_writers_go_on_while_a_backup_is_made(small: Settings, tmp_path: Path) -> None:
    """What was committed before is in it, whole; what comes meanwhile is not waited for."""
    async with run_store(small, small.data_dir) as store, blob_store(small, small.data_dir) as blobs:

        async def write() -> None:
            for number in range(20):
                await with_report(store, blobs, made=simple("It is deep.", "deep"), tenant=TENANT, name=f"n{number}")

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            made = await back_up(small, tmp_path / "copies")
    assert 4 <= made.runs <= 24
    assert (await restore(await settings_of(tmp_path / "new"), tmp_path / "copies")).problems == ()


async def test_a_backup_of_a_newer_version_or_another_store_is_refused(small: Settings, tmp_path: Path) -> None:
    made = await back_up(small, tmp_path / "copies")
    del made
    with closing(sqlite3.connect(small.data_dir / "runs.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    await back_up(small, tmp_path / "newer")
    with pytest.raises(SettingsError, match="newer Leadline"):
        await restore(await settings_of(tmp_path / "new"), tmp_path / "newer")
    assert not (tmp_path / "new" / "runs.db").exists()
    elsewhere = await settings_of(tmp_path / "pg", store="postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises((SettingsError, StoreUnavailable)):
        await restore(elsewhere, tmp_path / "copies")
