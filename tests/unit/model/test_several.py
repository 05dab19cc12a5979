from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from leadline.domain import Message, ModelRequest
from leadline.errors import ModelDenied, ModelError, ModelTimeout, ModelUnavailable
from leadline.model.scripted import ScriptedModel
from leadline.model.several import COOLDOWN, SeveralModels
from leadline.resilience import Backoff
from leadline.testing import FakeClock

REQUEST = ModelRequest(messages=(Message(role="user", content="hello"),), model="m")


def several(servers: dict[str, ScriptedModel], clock: FakeClock | None = None, *, attempts: int = 1) -> SeveralModels:
    clock = clock or FakeClock(auto=True)
    return SeveralModels(
        servers, backoff=Backoff(attempts=attempts), clock=clock, random=Random(1), monotonic=clock.monotonic
    )


def well(name: str) -> ScriptedModel:
    return ScriptedModel(lambda request: name)


def ill(error: ModelError | None = None) -> ScriptedModel:
    return ScriptedModel(lambda request: error or ModelUnavailable("down"))


async def asked(model: SeveralModels, session: str, progress: Any = None) -> str:
    return (await model.complete(REQUEST, deadline=10.0, session=session, progress=progress)).text


async def test_a_conversation_stays_at_home_and_homes_are_spread() -> None:
    model = several({name: well(name) for name in "abc"})
    homes = {f"run-{n}": await asked(model, f"run-{n}") for n in range(300)}
    assert all([await asked(model, session) == home for session, home in homes.items()])
    assert min(Counter(homes.values()).values()) > 60


async def test_a_server_that_goes_moves_only_its_own_conversations() -> None:
    three = several({name: well(name) for name in "abc"})
    two = several({name: well(name) for name in "ab"})
    for n in range(100):
        home = await asked(three, str(n))
        if home != "c":
            assert await asked(two, str(n)) == home


@pytest.mark.parametrize("error", [ModelUnavailable("down"), ModelTimeout("slow")])
async def test_another_server_steps_in_and_home_is_found_again(error: ModelError) -> None:
    clock = FakeClock()
    servers = {"a": ill(error), "b": well("b")}
    model = several(servers, clock)
    assert {await asked(model, str(n)) for n in range(20)} == {"b"}
    assert servers["a"].calls == 1  # it was not tried again while it was known to be ill
    await clock.advance(COOLDOWN + 1)
    servers["a"]._script = lambda request: "a"
    assert {await asked(model, str(n)) for n in range(20)} == {"a", "b"}


async def test_what_no_other_server_could_do_better_is_told_at_once() -> None:
    servers = {name: ill(ModelDenied("wrong key")) for name in "ab"}
    with pytest.raises(ModelDenied):
        await asked(several(servers), "s")
    assert sum(server.calls for server in servers.values()) == 1


async def test_when_all_fail_the_round_is_tried_again() -> None:
    servers = {"a": ill(), "b": ill()}
    with pytest.raises(ModelUnavailable):
        await asked(several(servers, attempts=3), "s")
    assert [server.calls for server in servers.values()] == [3, 3]


async def test_text_of_a_failed_attempt_is_taken_back() -> None:
    class Half:
        async def complete(self, request: ModelRequest, *, deadline: float, session: str, progress: Any = None) -> Any:
            progress("text", "half of")
            raise ModelTimeout("cut")

    told: list[tuple[str, str]] = []
    model = SeveralModels({"a": Half(), "b": well("b")}, backoff=Backoff(attempts=1))
    for n in range(10):
        await asked(model, str(n), lambda kind, text: told.append((kind, text)))
    assert told[told.index(("text", "half of")) :][:3] == [("text", "half of"), ("status", "restart"), ("text", "b")]


def test_no_server_is_no_model() -> None:
    with pytest.raises(ValueError, match="needs a server"):
        SeveralModels({})
