"""Where the topology lies, its ports and its secrets."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from leadline.errors import InputError, SettingsError
from leadline.ops.topology import home as module
from leadline.ops.topology.home import Home, Plan, Wish, check_way, free_ports, secrets_of
from leadline.settings import load


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def plan() -> Plan:
    [port] = free_ports(1, but=set())
    return Plan(port=port)


def test_a_named_data_folder_is_taken_and_roots_own_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = load(flags={"data_dir": str(tmp_path)}, environ={})
    assert Home.of(named).folder == tmp_path / "up"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert Home.of(load(environ={})).folder == Path("/var/lib/leadline/up")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Home.of(load(environ={})).folder == load(environ={}).data_dir / "up"


def test_settings_of_a_topology_mean_itself(tmp_path: Path) -> None:
    """`leadline logs` finds the parts whether or not `leadline.env` was read before."""
    home = Home.of(load(flags={"data_dir": str(tmp_path)}, environ={}))
    home.make()
    home.state.write_text("{}", encoding="utf-8")
    assert Home.of(load(environ={"LEADLINE_DATA_DIR": str(home.data)})) == home


def test_ports_stay_from_one_start_to_the_next_unless_another_took_them(taken: int) -> None:
    first = plan().with_ports(["a", "b", "c"])
    assert len({first.port, *first.ports.values()}) == 4
    assert first.with_ports(["a", "b", "c"]).ports == first.ports
    robbed = replace(first, ports={**first.ports, "b": taken})
    second = robbed.with_ports(["a", "b", "c"])
    assert second.ports["a"] == first.ports["a"]
    assert second.ports["b"] != taken


def test_fixed_ports_follow_one_another_and_a_taken_one_is_refused(taken: int) -> None:
    fixed = plan().wished(Wish(inner_ports=20_100)).with_ports(["a", "b"])
    assert fixed.ports == {"a": 20_100, "b": 20_101}
    with pytest.raises(InputError, match=f"port {taken} cannot be had"):
        replace(plan(), inner=taken).with_ports(["a"])
    with pytest.raises(InputError, match=f"port {taken} is taken"):
        Plan(port=taken).with_ports([])


def test_what_was_chosen_is_kept_and_wishes_go_before(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    assert Plan.read(path) == Plan()
    chosen = Plan().wished(Wish(port=9000, workers=4, gateway=True))
    chosen.write(path)
    assert Plan.read(path) == chosen
    again = Plan.read(path).wished(Wish(workers=3))
    assert (again.port, again.workers, again.gateway) == (9000, 3, True)
    path.write_text("{}}")
    with pytest.raises(SettingsError, match="damaged"):
        Plan.read(path)


def test_secrets_are_made_once_and_are_their_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    made = secrets_of(folder)
    assert secrets_of(folder) == made
    assert len(set(made.values())) == len(made)
    assert all(len(text) >= 43 for text in made.values())
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert set(made) == {*module.SECRETS, "sealing"}


def test_a_folder_that_a_servers_user_cannot_reach_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(SettingsError, match="may not enter"):
        check_way(closed / "up", "postgres")
