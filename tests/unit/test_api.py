from __future__ import annotations

import asyncio
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import leadline
from leadline import Leadline
from leadline.domain import Budget, Flag, Options, RunState, StopReason, StrategyName, ToolCall
from leadline.errors import InputError, MissingPath, PriceUnknown, RunCancelled, SettingsError, UnknownRun, WrongState
from leadline.events import ModelAnswered, ModelAsked, Progress, Record, RunStarted
from leadline.settings import Settings, load
from leadline.testing import Asked, Reply, ScriptedServer

QUESTION = "When did the Orlova sink?"


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "orlova.txt").write_text("The cruise ship Orlova sank in 2013 off Ireland.\n", encoding="utf-8")
    return folder


def local(folder: Path, **values: str) -> Settings:
    return load(flags={"data_dir": str(folder / "data"), **{k.replace("__", "."): v for k, v in values.items()}})


async def settings(folder: Path, **values: str) -> Settings:
    return await asyncio.to_thread(local, folder, **values)


async def with_model(folder: Path, url: str, **values: str) -> Settings:
    return await settings(folder, model__urls=url, model__name="scripted", **values)


def script(asked: Asked) -> Reply:
    if "numbered excerpts" in asked.system:
        return Reply(text="ANSWER: The Orlova sank in 2013 [1].")
    if asked.turn == 0:
        return Reply(tool_calls=(ToolCall(name="search", arguments={"query": "Orlova"}, id="s"),))
    found = re.search(r"file:\S+", asked.last)
    if asked.turn == 1 and found:
        return Reply(tool_calls=(ToolCall(name="visit", arguments={"url": found[0]}, id="v"),))
    return Reply(text="<answer>2013</answer>")


def test_one_call_gives_a_report(tmp_path: Path, documents: Path) -> None:
    for _ in range(2):  # the name is that of a package as well
        report = leadline.research(QUESTION, docs=[documents], settings=local(tmp_path), length=leadline.Length.SHORT)
        assert isinstance(report, leadline.Report)
        assert "2013" in report.claims[0].text
    assert leadline.research.__name__ == "leadline.research"


def test_one_folder_is_a_folder_and_not_its_letters(tmp_path: Path, documents: Path) -> None:
    report = leadline.research(QUESTION, docs=str(documents), settings=local(tmp_path))
    assert "2013" in report.answer


def test_one_call_with_nothing_to_search_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to search"):
        leadline.research(QUESTION, settings=local(tmp_path))


async def test_where_a_loop_runs_the_one_call_names_what_to_use(tmp_path: Path, documents: Path) -> None:
    made = await settings(tmp_path)
    with pytest.raises(WrongState, match=r"leadline\.Leadline\(\)"):
        leadline.research(QUESTION, docs=[documents], settings=made)


async def test_events_stream_before_the_first_answer_is_there(tmp_path: Path, documents: Path) -> None:
    def slowly(asked: Asked) -> Reply:
        return replace(script(asked), delay=0.01, chunk=8)

    async with ScriptedServer(slowly) as server, Leadline(await with_model(tmp_path, server.url)) as engine:
        run_id = await engine.start(QUESTION, docs=[documents])
        items = [item async for item in engine.stream(run_id)]
        again = [item async for item in engine.stream(run_id)]
        late = [item async for item in engine.stream(run_id[:8], after=3)]
        report = await engine.result("last")
    records = [item for item in items if isinstance(item, Record)]
    assert [r.seq for r in records] == list(range(1, len(records) + 1))
    assert (again, late) == (records, records[3:])
    kinds = [type(item if isinstance(item, Progress) else item.event) for item in items]
    assert kinds[:2] == [RunStarted, ModelAsked]
    assert kinds.index(Progress) < len(kinds) - kinds[::-1].index(ModelAnswered)
    assert report.answer == "The Orlova sank in 2013."


@pytest.mark.parametrize("call", ["result", "report", "finish", "cancel", "resume", "records", "replay", "verify"])
async def test_an_unknown_run_is_named(tmp_path: Path, call: str) -> None:
    async with Leadline(await settings(tmp_path)) as engine, asyncio.timeout(15):
        with pytest.raises(UnknownRun, match="nope"):
            await getattr(engine, call)("nope")
        with pytest.raises(UnknownRun, match="nope"):
            async for _ in engine.stream("nope"):
                pass


async def test_an_ended_run_takes_no_wishes(tmp_path: Path, documents: Path) -> None:
    async with Leadline(await settings(tmp_path)) as engine:
        run_id = await engine.start(QUESTION, docs=[documents])
        await engine.result(run_id)
        for call in (engine.finish, engine.cancel, engine.resume):
            with pytest.raises(WrongState):
                await call(run_id)


# --- what is asked ---------------------------------------------------------------------------


async def test_what_cannot_be_asked_is_refused_before_anything_is_stored(tmp_path: Path, documents: Path) -> None:
    async with Leadline(await settings(tmp_path)) as engine:
        for question in ("", " \n\t", "why? " * 30_000):
            with pytest.raises(InputError):
                await engine.start(question, docs=[documents])
        with pytest.raises(InputError, match="no such option: lenght"):
            engine.options(lenght="short")
        with pytest.raises(SettingsError, match="`react` needs a model"):
            await engine.start(QUESTION, docs=[documents], options=engine.options(strategy=StrategyName.REACT))
        with pytest.raises(UnknownRun):
            await engine.start(QUESTION, docs=[documents], options=engine.options(ledger_of="nope"))
        assert await engine.runs() == []


async def test_money_needs_a_price(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text("[scripted]\nprompt = 1.0\ncompletion = 2.0\n", encoding="utf-8")
    limit = Budget(usd=1.0)
    async with Leadline(await with_model(tmp_path, "http://127.0.0.1:1/v1")) as engine:
        with pytest.raises(PriceUnknown, match="`scripted` has no price"):
            await engine.start(QUESTION, options=engine.options(budget=limit))
        plain = engine.options(budget=limit, strategy=StrategyName.EXTRACTIVE)
        assert (await engine.estimate(QUESTION, options=plain)).usd_high == 0.0
    for values in ({"prices": str(prices)}, {"model__free": "true"}):
        async with Leadline(await with_model(tmp_path, "http://127.0.0.1:1/v1", **values)) as engine:
            estimate = await engine.estimate(QUESTION, options=engine.options(budget=limit))
            assert (estimate.usd_high is None) is ("prices" not in values)


async def window(folder: Path, url: str, **values: str) -> tuple[int, int]:
    async with Leadline(await with_model(folder, url, **values)) as engine:
        run_id = await engine.start(QUESTION)
        options = (await engine.run(run_id)).options
        await engine.cancel(run_id)
    return options.window, options.max_tokens


async def test_the_window_is_asked_of_the_server_unless_it_is_set(tmp_path: Path) -> None:
    async with ScriptedServer(script, models={"other": 5, "scripted": 12_000}) as server:
        assert await window(tmp_path, server.url) == (12_000, 6_000)
        assert await window(tmp_path, server.url, model__context="20000") == (20_000, 8_192)
    assert await window(tmp_path, server.url) == (Options().window, 8_192)  # it is down by now


async def test_a_window_without_room_is_refused(tmp_path: Path) -> None:
    async with Leadline(await with_model(tmp_path, "http://127.0.0.1:1/v1")) as engine:
        with pytest.raises(SettingsError, match="no room is left"):
            await engine.start(QUESTION, options=engine.options(window=4_000, max_tokens=4_000))


async def test_of_several_servers_another_one_steps_in(tmp_path: Path, documents: Path) -> None:
    async with ScriptedServer(script) as server:
        urls = f"http://127.0.0.1:1/v1,{server.url}"
        async with Leadline(await with_model(tmp_path, urls)) as engine:
            for _ in range(3):  # conversations have different homes
                report = await engine.result(await engine.start(QUESTION, docs=[documents]))
                assert (report.stop_reason, report.answer) == (StopReason.ANSWERED, "The Orlova sank in 2013.")


# --- two engines on one folder ---------------------------------------------------------------


async def test_another_engine_watches_and_finishes_a_run(tmp_path: Path, documents: Path) -> None:
    def slow(asked: Asked) -> Reply:
        return replace(script(asked), first_delay=30.0) if asked.turn == 1 else script(asked)

    async with ScriptedServer(slow) as server:
        one, two = Leadline(await with_model(tmp_path, server.url)), Leadline(await settings(tmp_path))
        async with one as here, two as there:
            run_id = await here.start(QUESTION, docs=[documents])
            await server.asked(2)
            with pytest.raises(WrongState, match="held by another process"):
                await there.resume(run_id)
            async with asyncio.timeout(15):
                await there.finish(run_id)
                watched = [item async for item in there.stream(run_id)]
                assert (await there.result(run_id)).stop_reason == StopReason.FINISHED_EARLY
            assert [r.event.type for r in watched if isinstance(r, Record)][-1] == "run_finished"
            assert await here.report(run_id) == await there.report(run_id)


async def test_another_engine_cancels_a_run(tmp_path: Path, documents: Path) -> None:
    async with (
        ScriptedServer([Reply(text="hm", first_delay=30.0)]) as server,
        Leadline(await with_model(tmp_path, server.url)) as here,
        Leadline(await settings(tmp_path)) as there,
    ):
        run_id = await here.start(QUESTION, docs=[documents])
        await server.asked(1)
        async with asyncio.timeout(15):
            await there.cancel(run_id)
            with pytest.raises(RunCancelled):
                await here.result(run_id)
        assert (await there.run(run_id)).flag is Flag.CANCEL


async def test_a_run_without_its_model_is_left_for_who_has_it(tmp_path: Path, documents: Path) -> None:
    waits = ScriptedServer([Reply(text="hm", first_delay=30.0)])
    async with waits as server, Leadline(await with_model(tmp_path, server.url)) as engine:
        run_id = await engine.start(QUESTION, docs=[documents])
        await server.asked(1)
    async with Leadline(await settings(tmp_path)) as engine:
        await engine.resume(run_id)
        with pytest.raises(SettingsError, match="`scripted`, whose servers are not set here"):
            await engine.result(run_id)
        assert (await engine.run(run_id)).state is RunState.QUEUED
    async with ScriptedServer(script) as server, Leadline(await with_model(tmp_path, server.url)) as engine:
        await engine.resume(run_id)
        assert (await engine.result(run_id)).answer == "The Orlova sank in 2013."


# --- what is kept ----------------------------------------------------------------------------


async def exported(folder: Path, documents: Path) -> tuple[Path, Settings]:
    given = await settings(folder)
    async with Leadline(given) as engine:
        run_id = await engine.start(QUESTION, docs=[documents])
        await engine.result(run_id)
        assert (await engine.verify(run_id)).ok
        assert await engine.replay(run_id) == await engine.report(run_id)
        await engine.export(run_id, folder / "run.zip")
    return folder / "run.zip", await settings(folder / "elsewhere")


async def test_an_export_stands_alone(tmp_path: Path, documents: Path) -> None:
    archive, elsewhere = await exported(tmp_path, documents)
    async with Leadline(elsewhere) as engine:
        found = await engine.verify(archive)
    assert (found.ok, found.problems) == (True, ())
    assert found.quotes >= found.claims > 0


@pytest.mark.parametrize("spoil", ["change", "remove"])
async def test_an_export_that_was_tampered_with_does_not(tmp_path: Path, documents: Path, spoil: str) -> None:
    archive, elsewhere = await exported(tmp_path, documents)
    spoilt = tmp_path / "spoilt.zip"
    await asyncio.to_thread(tamper, archive, spoilt, spoil)
    async with Leadline(elsewhere) as engine:
        found = await engine.verify(spoilt)
    assert not found.ok
    assert any("texts/" in problem for problem in found.problems)
    assert len(found.problems) > 1  # the file, and the quotes that it held


def tamper(archive: Path, target: Path, spoil: str) -> None:
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            if not name.startswith("texts/"):
                copy.writestr(name, source.read(name))
            elif spoil == "change":
                copy.writestr(name, source.read(name).replace(b"2013", b"2014"))


async def test_a_folder_that_cannot_be_is_told_and_nothing_stays_open(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file", encoding="utf-8")
    engine = Leadline(await settings(tmp_path))
    with pytest.raises(SettingsError):
        await engine.__aenter__()
    with pytest.raises(RuntimeError, match="async with"):
        await engine.runs()


async def test_documents_that_gave_no_text_are_told_in_every_form(tmp_path: Path, documents: Path) -> None:
    for number in range(10):
        (documents / f"broken{number}.pdf").write_bytes(b"%PDF-1.7\nnothing that follows is one")
    async with Leadline(await settings(tmp_path)) as engine:
        first = await engine.run(await engine.start(QUESTION, docs=[documents]))
        second = await engine.start(QUESTION, options=replace(engine.options(), corpora=first.options.corpora))
        report, later = await engine.result(first.id), await engine.result(second)
        forms: dict[Any, str] = {form: await engine.render(report, form) for form in ("md", "html", "json")}
        assert await engine.replay(first.id) == report
    told = [line for line in report.unexamined if "broken" in line]
    assert [line.partition(" (")[0] for line in told] == [
        f"Could not be read: {documents}/broken{n}.pdf" for n in range(8)
    ]
    assert not any("`broken" in line for line in told)
    assert "Could not be read: 2 more documents" in report.unexamined
    assert later.unexamined == report.unexamined
    assert all("broken0.pdf" in text for text in forms.values())


async def test_every_form_says_the_same(tmp_path: Path, documents: Path) -> None:
    async with Leadline(await settings(tmp_path)) as engine:
        report = await engine.result(await engine.start(QUESTION, docs=[documents]))
        forms: dict[Any, str] = {form: await engine.render(report, form) for form in ("md", "html", "json")}
    assert all("2013" in text for text in forms.values())
    assert forms["html"].startswith("<!")


async def test_an_index_that_is_not_there_is_refused_before_there_is_a_run(tmp_path: Path) -> None:
    async with Leadline(await settings(tmp_path)) as there:
        with pytest.raises(MissingPath, match=r"nosuch.*--server"):
            await there.start(QUESTION, options=there.options(corpora=("nosuch",)))
        assert await there.runs() == []
