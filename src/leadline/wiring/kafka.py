"""Topics of Kafka as the settings name them."""

from __future__ import annotations

from leadline.settings import LogPlace
from leadline.settings.eventlog import KAFKA, MECHANISMS
from leadline.wire.kafka import Topic


def topic_of(place: LogPlace) -> Topic:
    """Return the topic of Kafka that an address names."""
    return Topic(
        brokers=place.brokers,
        name=place.topic,
        tls=place.scheme == KAFKA[1],
        ca=place.option("ca"),
        user=place.user,
        password=place.password,
        mechanism=place.option("mechanism") or MECHANISMS[-1],
    )
