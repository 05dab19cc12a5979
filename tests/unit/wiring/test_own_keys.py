"""Tenants' own keys as a process looks them up: soon forgotten, never mistaken for none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from leadline.errors import InputError, ProviderUnavailable, SecretUnreadable, StoreUnavailable, UnknownObject
from leadline.ports.accounts import SecretInfo
from leadline.settings import Settings, ToolsSettings
from leadline.wire.own_keys import OwnKeys
from leadline.wiring.accounts import Accounts
from leadline.wiring.own_keys import KEPT_SECONDS, MOST_TENANTS, SECRETS, VaultKeys, checked_secret, is_used


@dataclass
class Vault:
    """A vault whose secrets a test sets."""

    secrets: dict[str, str] = field(default_factory=dict)
    fails: Exception | None = None
    looks: int = 0
    gate: asyncio.Event | None = None
    looked: asyncio.Event = field(default_factory=asyncio.Event)

    async def list(self, tenant: str) -> Sequence[SecretInfo]:
        self.looks += 1
        self.looked.set()
        if self.fails is not None:
            raise self.fails
        found = [SecretInfo(name=name, key_id="k", updated_at=0.0) for name in self.secrets]
        if self.gate is not None:
            await self.gate.wait()
        return found

    async def get(self, tenant: str, name: str) -> str:
        if name not in self.secrets:
            raise UnknownObject(name)
        if self.secrets[name] == "sealed":
            raise SecretUnreadable("not with this key")
        return self.secrets[name]


@dataclass
class Place:
    vault: Vault
    keys: VaultKeys
    at: float = 0.0


@pytest.fixture
def place() -> Place:
    vault = Vault()

    async def accounts() -> Accounts:
        return cast("Accounts", SimpleNamespace(vault=vault))

    place = Place(vault, cast("Any", None))
    place.keys = VaultKeys(accounts, monotonic=lambda: place.at)
    return place


async def test_a_change_counts_within_the_time_that_is_promised(place: Place) -> None:
    place.vault.secrets["search.serper"] = "one"
    assert await place.keys.of("acme", deadline=1) == OwnKeys({"search.serper": ("one",)})
    place.vault.secrets["search.serper"] = "two\nthree"
    place.at = KEPT_SECONDS - 0.01
    assert (await place.keys.of("acme", deadline=1)).of("search.serper") == ("one",)
    place.at = KEPT_SECONDS
    assert (await place.keys.of("acme", deadline=1)).of("search.serper") == ("two", "three")
    del place.vault.secrets["search.serper"]
    place.at = 2 * KEPT_SECONDS
    assert not await place.keys.of("acme", deadline=1)
    assert place.vault.looks == 3


async def test_the_time_begins_before_the_look(place: Place) -> None:
    place.vault.gate = asyncio.Event()
    place.vault.secrets["search.serper"] = "one"
    slow = asyncio.create_task(place.keys.of("acme", deadline=5))
    await place.vault.looked.wait()
    place.at = 10.0
    place.vault.gate.set()
    await slow
    place.at = KEPT_SECONDS
    del place.vault.secrets["search.serper"]
    assert not await place.keys.of("acme", deadline=1)


async def test_of_many_calls_at_once_one_asks_the_vault(place: Place) -> None:
    place.vault.gate = asyncio.Event()
    place.vault.secrets["search.serper"] = "one"
    calls = [asyncio.create_task(place.keys.of("acme", deadline=5)) for _ in range(50)]
    await place.vault.looked.wait()
    calls[0].cancel()
    place.vault.gate.set()
    assert {keys.of("search.serper") for keys in await asyncio.gather(*calls[1:])} == {("one",)}
    assert place.vault.looks == 1


async def test_one_that_does_not_open_is_told_and_stands_for_no_other(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.vault.secrets |= {"search.serper": "sealed", "search.brave": "key", "search.exa": "no key at all\x00"}
    with caplog.at_level(logging.WARNING):
        keys = await place.keys.of("acme", deadline=1)
    assert keys == OwnKeys({"search.brave": ("key",)}, frozenset({"search.serper", "search.exa"}))
    assert [vars(record)["provider"] for record in caplog.records] == ["search.serper", "search.exa"]


async def test_what_cannot_be_looked_up_is_no_reason_to_take_the_operators(place: Place) -> None:
    place.vault.fails = StoreUnavailable("away")
    with pytest.raises(ProviderUnavailable):
        await place.keys.of("acme", deadline=1)
    place.vault.fails, place.vault.gate = None, asyncio.Event()
    with pytest.raises(ProviderUnavailable):
        await place.keys.of("acme", deadline=0.01)


async def test_what_is_remembered_is_bounded(place: Place) -> None:
    for number in range(MOST_TENANTS + 5):
        await place.keys.of(f"t{number}", deadline=1)
    assert len(place.keys._held) == MOST_TENANTS
    place.at = KEPT_SECONDS
    await place.keys.of("late", deadline=1)
    assert list(place.keys._held) == ["late"], "and so are keys that nobody asks for any more"


async def test_without_accounts_nobody_has_any() -> None:
    async def none() -> None:
        return None

    assert not await VaultKeys(none).of("local", deadline=1)


def test_only_what_something_asks_for_is_kept() -> None:
    assert checked_secret("search.serper", " a\n b ") == "a\nb"
    for name in ("serper", "search.wikipedia", "search.ddgs", "scholar.arxiv", "model.main", "visit", ""):
        with pytest.raises(InputError, match="nothing asks for a secret of this name"):
            checked_secret(name, "k")
    with pytest.raises(InputError):
        checked_secret("visit.reader", "one two")


def test_whether_a_secret_is_used_is_the_settings_word() -> None:
    settings = Settings()
    assert {name for name in SECRETS if is_used(settings, name)} == {"scholar.openalex", "scholar.crossref"}
    elsewhere = replace(settings, tools=ToolsSettings(search="http://127.0.0.1:8001"))
    assert is_used(elsewhere, "search.serper")
    assert not is_used(elsewhere, "visit.reader")
