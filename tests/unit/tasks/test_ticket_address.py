"""The broker's address."""

from __future__ import annotations

import pytest

from leadline.settings.tasks import shared_broker
from leadline.tasks.tickets.address import Address, parse
from leadline.wire.redis_address import Trust


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("celery+redis://h", Address(nodes=(("h", 6379),))),
        ("celery+redis://:p%40w@h:7000/2", Address(nodes=(("h", 7000),), password="p@w", database=2)),
        (
            "celery+rediss://u:p@h/0?ssl_ca_certs=/ca.pem",
            Address(nodes=(("h", 6379),), user="u", password="p", trust=Trust(authorities="/ca.pem")),
        ),
        (
            "celery+sentinel://:p@a,b:1/main?db=3&tls=1&sentinel_user=w&sentinel_password=s%40",
            Address(
                nodes=(("a", 26379), ("b", 1)),
                master="main",
                password="p",
                sentinel_user="w",
                sentinel_password="s@",
                database=3,
                trust=Trust(),
            ),
        ),
    ],
)
def test_what_an_address_names(url: str, address: Address) -> None:
    assert parse(url) == address
    assert "p@w" not in repr(parse(url))


@pytest.mark.parametrize(
    "url",
    [
        *("redis://h", "celery+redis://", "celery+redis://a,b", "celery+sentinel://a", "celery+redis://h?x=1"),
        *("celery+redis://h/0?ssl_ca_certs=/f", "celery+rediss://h/0?ssl_keyfile=/f", "celery+rediss://h/0?tls=1"),
        "celery+sentinel://a/m?ssl_ca_certs=/f",
    ],
)
def test_what_is_none(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 every part refuses in its own words
        parse(url)


def test_a_broker_that_is_also_the_cache_brings_a_warning() -> None:
    others = {"cache": "redis://h:6379/0", "limits": "redis://h/1"}
    (warning,) = shared_broker(engine="celery+redis://:p@h", others=others)
    assert warning.startswith("`cache`")
    assert shared_broker(engine="postgres", others=others) == ()
