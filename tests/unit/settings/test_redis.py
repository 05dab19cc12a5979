"""Addresses of a Redis in settings: one notion of TLS for all, no password in anything that is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadline.errors import SettingsError
from leadline.settings import describe, load, secrets_of
from leadline.settings.environment import environment_secrets
from leadline.settings.masking import masked, passwords
from leadline.settings.redis import REDIS, TLS_OPTIONS
from leadline.settings.tasks import EngineKind
from leadline.tasks.tickets.address import parse
from leadline.wire.redis_address import OPTIONS, split

SENTINELS = "celery+sentinel://u:first-word@a,b:1/m?tls=1&sentinel_password=second-word&ssl_ca_certs=/ca.pem"
TLS = "?ssl_ca_certs=/ca.pem&ssl_certfile=/own.pem&ssl_keyfile=/key.pem"


def test_settings_and_driver_take_the_same_options() -> None:
    assert TLS_OPTIONS == OPTIONS


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        (name, scheme)
        for name in ("CACHE", "LIMITS", "EVENT_LOG", "ENGINE")
        for scheme in REDIS
        if not (name == "ENGINE" and "cluster" in scheme)  # a broker is none
    ],
)
def test_every_setting_takes_tls_alike(name: str, scheme: str) -> None:
    prefix = "celery+" if name == "ENGINE" else ""
    variable = f"LEADLINE_{name}"
    if not scheme.startswith("rediss"):
        with pytest.raises(SettingsError, match=variable):
            load(environ={variable: f"{prefix}{scheme}://h/0{TLS}"})
        return
    settings = load(environ={variable: f"{prefix}{scheme}://h/0{TLS}"})
    url = {
        "CACHE": settings.cache.url,
        "LIMITS": settings.limits.url,
        "EVENT_LOG": settings.event_log.server,
        "ENGINE": settings.engine.removeprefix("celery+"),
    }[name]
    _, trust = split(url)
    assert trust is not None
    assert (trust.authorities, trust.certificate, trust.key) == ("/ca.pem", "/own.pem", "/key.pem")


@pytest.mark.parametrize(
    "engine",
    [
        *("celery+redis://h/0?x=1", "celery+redis://h/0?ssl_ca_certs=/f", "celery+rediss://h/0?ssl_cert_reqs=none"),
        *("celery+rediss://h/0?tls=1", "celery+redis://a,b/0", "celery+redis://h/x", "celery+redis://h/0#x"),
        *("celery+sentinel://a/m?ssl_ca_certs=/f", "celery+sentinel://a/m?tls=perhaps", "celery+sentinel://a/m?db=x"),
        *(
            "celery+sentinel://a/m?tls=0&ssl_ca_certs=/f",
            "celery+sentinel://a/?db=0",
            "celery+rediss://h/0?ssl_ca_certs=",
        ),
    ],
)
def test_an_engine_that_no_broker_stands_behind_is_refused_at_once(engine: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 kinds raise without a message
        EngineKind().parse(engine, Path("/"))


@pytest.mark.parametrize(
    "engine", [SENTINELS, "celery+redis://h", "celery+rediss://:p@h/3?ssl_ca_certs=/f", "celery+sentinel://a/m?tls=0"]
)
def test_what_settings_let_through_is_an_address(engine: str) -> None:
    assert parse(EngineKind().parse(engine, Path("/"))).nodes


def test_no_password_of_a_broker_is_shown() -> None:
    settings = load(environ={"LEADLINE_ENGINE": SENTINELS})
    shown = {row.name: row.value for row in describe(settings)}["engine"]
    assert shown == "celery+sentinel://********@a,b:1/m?tls=1&sentinel_password=********&ssl_ca_certs=/ca.pem"
    assert {"first-word", "second-word"} <= secrets_of(settings)
    assert {"first-word", "second-word"} <= environment_secrets({"LEADLINE_ENGINE": SENTINELS})
    with pytest.raises(SettingsError) as refused:
        load(environ={"LEADLINE_ENGINE": f"{SENTINELS}&x=1"})
    assert "-word" not in str(refused.value)


def test_masking() -> None:
    assert (
        masked("redis://u:p@h/0 and redis://h/0?PASSWORD=x&a=b")
        == "redis://********@h/0 and redis://h/0?PASSWORD=********&a=b"
    )
    assert passwords("redis://:a%40b@h/0?sentinel_password=c%2F") == {"a%40b", "a@b", "c/"}
    assert passwords("http://[broken") == frozenset()
