from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.engine import ROUNDS, WITH_MODEL, budget, rig, turn

from leadline.domain import Message, ModelRequest, Options, Price, ToolCall
from leadline.errors import ModelBroken, ModelDenied, ModelError, ModelTimeout, ModelUnavailable
from leadline.events import ModelAnswered, ModelAsked, ToolAsked
from leadline.research.branch import fingerprint

REQUEST = ModelRequest(messages=(Message(role="user", content="hello"),), model="m")


def test_a_request_is_known_by_all_that_is_in_it() -> None:
    others = [
        replace(REQUEST, model="n"),
        replace(REQUEST, temperature=0.7),
        replace(REQUEST, seed=1),
        replace(REQUEST, stop=("x",)),
        replace(REQUEST, messages=(Message(role="user", content="hello "),)),
        replace(REQUEST, messages=(Message(role="system", content="hello"),)),
    ]
    assert len({fingerprint(r) for r in [REQUEST, *others]}) == len(others) + 1
    assert fingerprint(REQUEST) == fingerprint(replace(REQUEST))


def test_the_order_of_keys_makes_no_other_request() -> None:
    assert fingerprint(["a", {"x": 1, "y": 2}]) == fingerprint(["a", {"y": 2, "x": 1}])
    assert fingerprint("half a pair: \ud800")  # model output may hold them


async def test_ids_derive_from_branch_round_kind_and_index(tmp_path: Path) -> None:
    calls = [ToolCall(name="search", arguments={"query": f"q{n}"}, id=str(n)) for n in range(2)]
    async with rig(tmp_path, [turn("", *calls), *ROUNDS[1:]]) as engine:
        told = await engine.ask()
    assert [e.call for e in told.of(ToolAsked)][:2] == ["gather/1/tool/1", "gather/1/tool/2"]
    assert [e.call for e in told.of(ModelAsked)] == [
        "gather/1/model/0",
        "gather/2/model/0",
        "gather/3/model/0",
        "write/1/model/0",
    ]


@pytest.mark.parametrize(
    ("error", "charged"),
    [
        (ModelTimeout("slow"), True),
        (ModelBroken("cut"), True),
        (ModelUnavailable("down"), False),
        (ModelDenied("no"), False),
    ],
)
async def test_a_failure_is_charged_where_the_server_may_have_worked(
    tmp_path: Path, error: ModelError, charged: bool
) -> None:
    options = replace(budget(usd=5.0), price=Price(prompt=1.0, completion=10.0))
    async with rig(tmp_path, lambda request: error) as engine:
        told = await engine.ask(options)
    for asked, answered in zip(told.of(ModelAsked), told.of(ModelAnswered), strict=True):
        expected = asked.reserved.cost_usd if charged else 0.0
        assert answered.usage.cost_usd == expected
        assert answered.usage.model_calls == 1
    assert (told.run.usage.cost_usd > 0) is charged


async def test_chance_is_the_runs_own(tmp_path: Path) -> None:
    seeds = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        async with rig(tmp_path / name) as engine:
            await engine.ask(Options(model="scripted", web=True, window=WITH_MODEL.window, max_tokens=1_000))
            seeds.append([r.seed for r in engine.means.model.requests])  # type: ignore[union-attr]  # the rig's
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == len(seeds[0])
