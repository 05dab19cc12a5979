"""The escape and abuse suite, against both designs; its table is docs/reference/sandbox-probes.md."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.integration.sandbox.probes import PROBES
from tests.integration.sandbox.probes.probe import BOTH, BREACH, Probe, World
from tests.integration.sandbox.probes.world import run_probes, text_of

from leadline.ports import Ran

pytestmark = [pytest.mark.timeout(240), pytest.mark.server("bwrap")]

CASES = [
    pytest.param(design, probe, id=f"{design}-{probe.area}-{probe.name}")
    for design in BOTH
    for probe in PROBES
    if design in probe.designs
]
CONTROLS = [pytest.param(probe, id=f"{probe.area}-{probe.name}") for probe in PROBES if probe.control]


class Results:
    """What each design gave, run when it is first asked for, only for the probes that were selected."""

    def __init__(self, items: list[pytest.Item], world: World) -> None:
        self._items = items
        self._world = world
        self._ran: dict[str, Mapping[tuple[str, str], Ran]] = {}
        self.touched: dict[str, str] = {}

    def of(self, design: str, probe: Probe) -> Ran:
        if design not in self._ran:
            asked = [getattr(item, "callspec", None) for item in self._items]
            chosen = [spec.params for spec in asked if spec is not None and spec.params.get("design") == design]
            probes = [params["probe"] for params in chosen if "probe" in params]
            self._ran[design] = asyncio.run(run_probes(design, probes, self._world))
            self.touched[design] = self._world.intact()
        return self._ran[design][probe.area, probe.name]


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest, world: World) -> Results:
    return Results(request.session.items, world)


@pytest.mark.parametrize(("design", "probe"), CASES)
def test_holds(results: Results, design: str, probe: Probe) -> None:
    ran = results.of(design, probe)
    assert probe.held(ran), f"a program that {probe.claim} - did: {ran}"
    assert results.touched[design] == ""


@pytest.mark.parametrize("probe", CONTROLS)
def test_an_attack_succeeds_without_a_sandbox(world: World, probe: Probe, tmp_path: Path) -> None:
    """What holds everywhere proves nothing: these attacks get through where nothing stops them."""
    ran = subprocess.run(
        [sys.executable, "-I", "-c", text_of(probe, world)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=20,
    )
    world.intact()
    assert ran.stdout.startswith(BREACH), ran


def test_the_suite_is_large_and_its_names_are_its_own() -> None:
    names = [(probe.area, probe.name) for probe in PROBES]
    assert len(set(names)) == len(names) >= 80
    assert {probe.area for probe in PROBES} == {
        *("files", "secrets", "network", "processes", "kernel", "resources", "supervisor")
    }
