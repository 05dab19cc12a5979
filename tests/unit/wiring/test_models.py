"""Servers of the settings as a pool takes them: what may be asked of which."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest

from leadline.domain import Price
from leadline.model.pool.leases import Wanted
from leadline.settings import ModelSettings, Secret, Settings, VllmSettings
from leadline.wiring.models import ALONE, Models, own_network, pool_policy, server_specs
from leadline.wiring.serving import open_gateway

TWO = ("http://10.0.0.1:8000/v1", "http://10.0.0.2:8000/v1")
HOSTED = ("https://a.models.example/v1", "https://b.models.example/v1")
DEAR = Price(prompt=1.0, completion=2.0, cached=None)


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://192.168.1.7/v1", True),
        ("http://[fd00::7]/v1", True),
        ("http://localhost/v1", True),
        ("http://gpu-1:8000/v1", True),
        ("http://vllm-0.vllm.default.svc:8000/v1", True),
        ("http://vllm-0.vllm.default.svc.cluster.local./v1", True),
        ("https://api.example.org/v1", False),
        ("https://8.8.8.8/v1", False),
        ("https://local.example.org/v1", False),
        ("https://svc/v1", True),
    ],
)
def test_an_own_network_is_known_by_its_looks(url: str, own: bool) -> None:
    assert own_network(url) is own


@pytest.mark.parametrize(
    ("fields", "price", "priced", "probed", "gauges"),
    [
        ({"urls": TWO}, None, False, True, True),
        ({"urls": TWO}, DEAR, True, False, True),  # an own gateway to what costs money
        ({"urls": TWO}, Price(prompt=0.0, completion=0.0, cached=None), False, True, True),
        ({"urls": TWO, "probe": "none"}, None, False, False, True),
        ({"urls": HOSTED}, None, True, False, False),
        ({"urls": HOSTED, "free": True}, None, False, True, False),
        ({"urls": HOSTED, "probe": "all"}, DEAR, True, True, False),
        ({"urls": TWO[:1]}, None, False, False, False),  # the next call tells as much
        ({"urls": TWO[:1], "probe": "all"}, None, False, True, False),
    ],
)
def test_money_decides_who_is_asked_for_more(
    fields: dict[str, Any], price: Price | None, priced: bool, probed: bool, gauges: bool
) -> None:
    for spec in server_specs(ModelSettings(name="m", **fields), price):
        assert (spec.priced, spec.probed, spec.gauges) == (priced, probed, gauges)


@pytest.mark.parametrize(
    ("fields", "looked_at"),
    [
        ({"urls": HOSTED}, True),
        ({"urls": TWO[:1]}, True),
        ({"urls": TWO}, False),  # asked for tokens
        ({"urls": HOSTED, "probe": "all"}, False),
        ({"urls": HOSTED, "probe": "none"}, False),
    ],
)
def test_who_is_not_asked_for_tokens_is_looked_at(fields: dict[str, Any], looked_at: bool) -> None:
    for spec in server_specs(ModelSettings(name="m", **fields), None):
        assert spec.looked_at is looked_at


def test_servers_get_their_own_numbers_and_the_key() -> None:
    section = ModelSettings(urls=TWO, name="m", api_key=Secret("k"), weights=(1.0, 2.0), concurrency=(8, 16))
    assert [(s.url, s.weight, s.concurrency, s.api_key) for s in server_specs(section, None)] == [
        (TWO[0], 1.0, 8, "k"),
        (TWO[1], 2.0, 16, "k"),
    ]
    for_all = server_specs(ModelSettings(urls=TWO, name="m", concurrency=(4,)), None)
    assert [spec.concurrency for spec in for_all] == [4, 4]
    assert [spec.concurrency for spec in server_specs(ModelSettings(urls=TWO, name="m"), None)] == [None, None]


@pytest.mark.parametrize(
    ("vllm", "own", "bounds"),
    [
        (VllmSettings(model="m", max_num_seqs=24), (), [24, 24]),
        (VllmSettings(model="/models/x", served_model_name="m", max_num_seqs=24), (), [24, 24]),
        (VllmSettings(model="m", max_num_seqs=24), (4, 8), [4, 8]),
        (VllmSettings(model="another", max_num_seqs=24), (), [None, None]),
        (VllmSettings(max_num_seqs=24), (), [None, None]),
    ],
)
def test_a_server_gets_no_more_than_it_computes(
    vllm: VllmSettings, own: tuple[int, ...], bounds: list[int | None]
) -> None:
    section = ModelSettings(urls=TWO, name="m", concurrency=own)
    assert [spec.concurrency for spec in server_specs(section, None, vllm=vllm)] == bounds


async def test_the_pool_admits_servers_times_what_each_computes() -> None:
    settings = Settings(model=ModelSettings(urls=TWO, name="m"), vllm=VllmSettings(model="m", max_num_seqs=3))
    async with AsyncExitStack() as stack:
        models = Models(settings, stack)
        await models.main()
        assert [server.concurrency for server in models.pools()["main"].servers] == [3, 3]
    async with open_gateway(settings) as gateway:
        held = [gateway.pool.try_acquire(Wanted(session=f"s{number}")) for number in range(7)]
        assert [lease is not None for lease in held] == [True] * 6 + [False]


def test_a_lone_server_is_not_spared_for_long() -> None:
    assert pool_policy(ModelSettings(urls=TWO[:1], name="m")).cooldown == ALONE
    policy = pool_policy(ModelSettings(urls=TWO, name="m", balance="least_connections", queue=7))
    assert (policy.cooldown, policy.balance, policy.queue) == (15.0, "least_connections", 7)


async def test_what_is_open_can_be_looked_at() -> None:
    settings = Settings(model=ModelSettings(urls=TWO, name="m", probe="none"))
    async with AsyncExitStack() as stack:
        models = Models(settings, stack)
        assert (models.pools(), models.counts()) == ({}, None)
        await models.main()
        await models.main()
        assert [server.url for server in models.pools()["main"].servers] == list(TWO)
        counts = models.counts()
        assert counts is not None
        assert counts.active == 0
