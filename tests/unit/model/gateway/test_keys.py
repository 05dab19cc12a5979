"""Whose keys the model gateway takes: those of a file, or those of accounts, which it asks for now and then."""

from __future__ import annotations

import pytest

from leadline.errors import NotPermitted, Unauthenticated
from leadline.model.gateway.keys import REMEMBERED, AccountKeys, KnownKeys, key_hash
from leadline.ports.access import Caller, Role


class Accounts:
    """`Authenticator` over a few callers, counted."""

    def __init__(self) -> None:
        self.callers = {
            "ll_a": Caller(tenant="acme", key="a", role=Role.RESEARCHER),
            "ll_r": Caller(tenant="acme", key="r", role=Role.READER),
        }
        self.asked: list[str] = []

    async def authenticate(self, credential: str) -> Caller:
        self.asked.append(credential)
        if credential not in self.callers:
            raise Unauthenticated("no such key")
        return self.callers[credential]


class Turned:
    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> float:
        return self.at


async def test_keys_of_a_file() -> None:
    keys = KnownKeys({key_hash("one"): "acme"})
    assert await keys.tenant("one") == "acme"
    for wrong in ("two", "", key_hash("one"), "\ud800"):
        with pytest.raises(Unauthenticated):
            await keys.tenant(wrong)


async def test_keys_of_accounts_are_remembered_for_a_while_and_a_revoked_one_ends() -> None:
    accounts, clock = Accounts(), Turned()
    keys = AccountKeys(accounts, now=clock.now)
    assert [await keys.tenant("ll_a") for _ in range(3)] == ["acme"] * 3
    assert accounts.asked == ["ll_a"]
    del accounts.callers["ll_a"]
    clock.at += REMEMBERED - 0.1
    assert await keys.tenant("ll_a") == "acme"
    clock.at += 0.2
    with pytest.raises(Unauthenticated):
        await keys.tenant("ll_a")


async def test_what_was_refused_is_asked_again_and_who_may_not_call_models_is_told() -> None:
    accounts = Accounts()
    keys = AccountKeys(accounts, now=Turned().now)
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await keys.tenant("ll_x")
        with pytest.raises(NotPermitted):
            await keys.tenant("ll_r")
    assert accounts.asked == ["ll_x", "ll_r"] * 2
