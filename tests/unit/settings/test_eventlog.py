"""Addresses of bodies and of the event log."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadline.errors import SettingsError
from leadline.settings import LogPlace, describe, load
from leadline.settings.eventlog import LogUrl
from leadline.settings.s3 import BlobsUrl, bucket_of

HERE = Path("/")


def log(url: str) -> LogPlace:
    return LogUrl().parse(url, HERE)


def test_a_topic_of_kafka() -> None:
    place = log("kafkas://us%40er:pa%2Fss@b1:9092,b2.example.org:9093/lead-line?mechanism=PLAIN&ca=/etc/ca.pem")
    assert (place.brokers, place.topic) == ("b1:9092,b2.example.org:9093", "lead-line")
    assert (place.user, place.password) == ("us@er", "pa/ss")
    assert (place.option("mechanism"), place.option("ca")) == ("PLAIN", "/etc/ca.pem")
    assert place.name == log("kafka://other:1/lead-line").name == "kafka:lead-line"
    plain = log("kafka://b1/t")
    assert (plain.brokers, plain.user, plain.password) == ("b1", None, None)


def test_a_stream_of_a_redis() -> None:
    place = log("rediss://:word@host:6380/3?stream=events")
    assert (place.server, place.stream) == ("rediss://:word@host:6380/3", "events")
    assert log("redis://host").stream == "leadline"
    assert place.name == "redis:events"
    secure = log("rediss://h/0?ssl_ca_certs=/etc/a%20b.pem&stream=events")
    assert (secure.server, secure.stream) == ("rediss://h/0?ssl_ca_certs=/etc/a%20b.pem", "events")


def test_a_file() -> None:
    assert log("jsonl://").path is None
    assert log("jsonl:///var/log/lead%20line.jsonl").path == Path("/var/log/lead line.jsonl")
    assert log("jsonl:///a").name == "jsonl:/a"
    assert log("off") == LogPlace()


@pytest.mark.parametrize(
    "url",
    [
        *("", "on", "jsonl", "jsonl://host/x", "file:///x", "jsonl:///x?a=b", "kafka://", "kafka:///t", "kafka://b"),
        *("kafka://b/t/u", "kafka://b/t?acks=0", "kafka://b,/t", "kafka://b:x/t", "kafka://b/t?mechanism=GSSAPI"),
        *("kafka://b/a b", "redis://", "redis://h:x/0", "redis://h/0?maxlen=3", "redis://h/0?stream=", "kafka://b/t#x"),
        *("redis://h/0?ssl_ca_certs=/f", "rediss://h/0?ssl_cert_reqs=none", "rediss://h/0?ssl_keyfile=/f"),
    ],
)
def test_what_is_no_log(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 kinds raise without a message
        log(url)


@pytest.mark.parametrize(
    ("url", "parsed"),
    [
        ("file://", "file://"),
        ("file:///x", "file:///x"),
        ("s3://my.bucket-1", "s3://my.bucket-1"),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
    ],
)
def test_places_of_bodies(url: str, parsed: str) -> None:
    assert BlobsUrl().parse(url, HERE) == parsed


def test_bucket_and_prefix() -> None:
    assert bucket_of("s3://bucket/a/b") == ("bucket", "a/b")
    assert bucket_of("s3://bucket") == ("bucket", "")


@pytest.mark.parametrize(
    "url", ["s3://", "s3://B/x", "s3://a", "s3://bucket/a//b", "s3://bucket/../x", "s3://u:p@bucket/x", "file://x", "x"]
)
def test_what_is_no_place_of_bodies(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 as above
        BlobsUrl().parse(url, HERE)


def test_no_secret_is_printed() -> None:
    settings = load(
        environ={
            "LEADLINE_EVENT_LOG": "kafkas://app:s3cret@b1:9092/t",
            "LEADLINE_BLOBS": "s3://bucket/x",
            "LEADLINE_S3__ACCESS_KEY": "AKID",
            "LEADLINE_S3__SECRET_KEY": "hidd3n",
        }
    )
    text = repr(settings) + "".join(row.value for row in describe(settings))
    assert "s3cret" not in text
    assert "hidd3n" not in text
    assert "kafkas://********@b1:9092/t" in text


def test_half_a_key_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"`s3\.access_key` is not set"):
        load(environ={"LEADLINE_S3__SECRET_KEY": "x"})
