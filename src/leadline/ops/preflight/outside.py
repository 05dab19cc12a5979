"""Items that are seen from outside, by requests as users make them: TLS, keys, limits, the access log."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Final

from leadline.errors import ServiceUnavailable
from leadline.ops.preflight.item import Ground, Standing, done, missing
from leadline.ops.preflight.site import Seen

LEAST_DAYS: Final = 14
_AT_ONCE: Final = 40
_TAIL: Final = 1 << 20
_LOG_SECONDS: Final = 5.0
_UNSET: Final = "`preflight.url` is not set: name the service as its users reach it"
_COMMAND: Final = "leadline preflight --url https://..."


async def tls(ground: Ground) -> Standing:
    """See that the service is reached over TLS, with a certificate that clients accept and that lasts."""
    url = ground.settings.preflight.url
    if url is None:
        return missing(_UNSET, _COMMAND)
    if not url.startswith("https://"):
        return missing(f"{url} is not https: keys and questions would travel readable", _COMMAND)
    shown = f"openssl s_client -connect {_place(url)} </dev/null | openssl x509 -noout -issuer -dates"
    try:
        ends = await ground.site.certificate_ends(url)
    except ServiceUnavailable as error:
        return missing(str(error), shown)
    days = (ends.timestamp() - ground.clock.now()) / 86_400
    if days < LEAST_DAYS:
        return missing(f"the certificate of {url} ends in {days:.0f} days", shown)
    return done(f"{url}: accepted, for {days:.0f} days more")


async def auth_required(ground: Ground) -> Standing:
    """See that nobody is let in without a key, with a wrong one, or to the metrics."""
    url = ground.settings.preflight.url
    if url is None:
        return missing(_UNSET, _COMMAND)
    wrong = f"ll_{secrets.token_hex(4)}_{secrets.token_urlsafe(24)}"
    tried = {
        "without a key": await ground.site.ask(f"{url}/v1/research"),
        "with a wrong key": await ground.site.ask(f"{url}/v1/research", key=wrong),
    }
    for how, seen in tried.items():
        if seen.status not in {401, 403}:
            return missing(
                f"{url}/v1/research answers {seen.status} {how}, not 401", "leadline keys create --name NAME"
            )
    metrics = await ground.site.ask(f"{url}/metrics")
    if metrics.status == 200:
        return missing(f"{url}/metrics is open to everybody", "see deploy/nginx")
    return done("401 without a key and with a wrong one, no metrics")


async def limits_answer(ground: Ground) -> Standing:
    """See that whoever asks too often is told so, and when to come back."""
    preflight, server = ground.settings.preflight, ground.settings.server
    if preflight.url is None:
        return missing(_UNSET, _COMMAND)
    key = server.key.reveal() if server.key else ""
    url = f"{preflight.url}/v1/usage"
    _ = await ground.site.ask(url, key=key)  # whether it can be reached at all
    sent = 1
    while sent < preflight.requests:
        count = min(_AT_ONCE, preflight.requests - sent)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(_asked(ground, url, key), name="preflight 429") for _ in range(count)]
        sent += count
        refused = [seen for task in asked if (seen := task.result()) is not None and seen.status == 429]
        if refused:
            return _refused(refused[0], sent)
    return missing(f"{sent} requests as fast as possible, and none was answered with 429", "leadline settings")


async def _asked(ground: Ground, url: str, key: str) -> Seen | None:
    """Return an answer, `None` where there was none: a balancer may as well refuse the connection."""
    try:
        return await ground.site.ask(url, key=key)
    except ServiceUnavailable:
        return None


def _refused(seen: Seen, sent: int) -> Standing:
    after = seen.headers.get("retry-after", "")
    if not after:
        return missing("a request too many is answered with 429, but without Retry-After", "leadline settings")
    return done(f"429 within {sent} requests, Retry-After: {after}")


async def access_log(ground: Ground) -> Standing:
    """See that a request of ours appears in the access log."""
    preflight = ground.settings.preflight
    if preflight.access_log is None or preflight.url is None:
        unset = "`preflight.access_log`" if preflight.url is not None else "`preflight.url`"
        return missing(f"{unset} is not set", "leadline preflight --url https://... --access-log FILE")
    mark = f"preflight-{secrets.token_hex(12)}"
    _ = await ground.site.ask(f"{preflight.url}/v1/research", headers={"X-Request-Id": mark})
    for _ in range(int(_LOG_SECONDS / 0.1)):
        try:
            written = await asyncio.to_thread(_written, preflight.access_log, mark)
        except OSError as error:
            return missing(f"{preflight.access_log}: {error.strerror}", "leadline preflight --access-log FILE")
        if written:
            return done(f"our request stands in {preflight.access_log}")
        await asyncio.sleep(0.1)
    return missing(f"our request does not stand in {preflight.access_log}", f"tail {preflight.access_log}")


def _written(path: Path, mark: str) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        return mark.encode() in file.read()


def _place(url: str) -> str:
    place = url.removeprefix("https://").partition("/")[0]
    return place if ":" in place else f"{place}:443"
