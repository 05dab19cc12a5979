"""Becomes a plain user and runs the suite as one; prints what did not hold, as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from leadline.sandbox import launch

USER = 23_456
AREAS = {"bwrap": {"files", "network"}, "landlock": {"files", "secrets", "network", "processes", "supervisor"}}


def become_plain() -> None:
    kernel = launch._Kernel()
    root = str(Path(__file__).resolve().parents[3])
    launch._make_reachable(kernel, [sys.base_prefix, sys.prefix, root], {})
    launch._become(kernel, USER)
    kernel.prctl(4, 1)  # as dumpable as a process that was a plain user's from its start
    os.environ["HOME"] = "/nonexistent"


def main(design: str) -> None:
    if os.geteuid() == 0:
        become_plain()
    from tests.integration.sandbox.probes import PROBES  # noqa: PLC0415 as above
    from tests.integration.sandbox.probes.world import (  # noqa: PLC0415 as above
        LIMITS,
        open_world,
        run_probes,
        sandbox_of,
    )

    from leadline.sandbox.selftest import prove  # noqa: PLC0415 only after the change of user

    async def proven() -> str:
        async with sandbox_of(design) as sandbox:
            return (await prove(sandbox, design=design, limits=LIMITS)).why()

    probes = [probe for probe in PROBES if design in probe.designs and probe.area in AREAS[design]]
    with open_world() as world:
        failed = {"self-test": why} if (why := asyncio.run(proven())) else {}
        results = asyncio.run(run_probes(design, probes, world))
        failed |= {probe.name: repr(ran) for probe in probes if not probe.held(ran := results[probe.area, probe.name])}
        if world.intact():
            failed["world"] = world.intact()
    sys.stdout.write(json.dumps({"user": os.getuid(), "probes": len(probes), "failed": failed}))


if __name__ == "__main__":
    main(sys.argv[1])
