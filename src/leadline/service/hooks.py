"""Sends deliveries to webhooks: signed, several at a time, again until they arrive or are given up.

Headers and signature are those of Standard Webhooks (standardwebhooks.com): HMAC-SHA256 over id,
second and body. Each attempt has a signature of its own second, so a receiver may refuse old ones.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import logging
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from leadline.errors import LeadlineError, LeaseLost, SecretUnreadable, StoreError
from leadline.ports import Clock
from leadline.ports.holdings import Deliveries, Delivery, Webhooks
from leadline.ports.posting import Posted, Posts

log = logging.getLogger("leadline.service")

DELAYS: Final[Sequence[float]] = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds after each failed attempt; after as many and one more a delivery is given up, three days in all."""

AT_ONCE: Final = 16
LEASE: Final = 60.0
"""Seconds for which a process holds a delivery: longer than a post takes, its answer's bookkeeping included."""

LOOK_SECONDS: Final = 1.0
MOST_WAIT: Final = 86_400.0
_GONE: Final = 410


class Sender:
    """Sends what is due; `owner` names this process."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        webhooks: Webhooks,
        posts: Posts,
        clock: Clock,
        random: Random,
        owner: str,
        delays: Sequence[float] = DELAYS,
    ) -> None:
        self._deliveries = deliveries
        self._webhooks = webhooks
        self._posts = posts
        self._clock = clock
        self._random = random
        self._owner = owner
        self._delays = delays
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send whatever is due, until cancelled; who is slow holds up a place, not the others."""
        async with asyncio.TaskGroup() as group:
            while True:
                if not await self._begin(group):
                    await self._clock.sleep(LOOK_SECONDS)
                elif len(self._under_way) >= AT_ONCE:
                    await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)

    async def _begin(self, group: asyncio.TaskGroup) -> int:
        """Take what is due, as far as there are places, and begin to send it; return how many that were."""
        places = AT_ONCE - len(self._under_way)
        try:
            taken = await self._deliveries.claim(self._owner, lease=LEASE, limit=places) if places else ()
        except StoreError as error:
            log.warning("deliveries_not_taken", extra={"reason": str(error)})
            return 0
        for delivery in taken:
            task = group.create_task(self.send(delivery), name=f"delivery {delivery.id}")
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return len(taken)

    async def send(self, delivery: Delivery) -> None:
        """Make one attempt, and write down how it ended."""
        try:
            await self._note(delivery, await self._attempt(delivery))
        except LeaseLost:
            log.info("delivery_taken_over", extra={"delivery": delivery.id})
        except StoreError as error:  # its lease ends by itself
            log.warning("delivery_not_noted", extra={"delivery": delivery.id, "reason": str(error)})

    async def _attempt(self, delivery: Delivery) -> Posted | str:
        """Return the answer, or why there is none."""
        webhook = delivery.webhook
        try:
            secret = await self._webhooks.secret(webhook.tenant, webhook.id)
            headers = signed(delivery.id, delivery.body, secret=secret, at=int(self._clock.now()))
            return await self._posts.post(webhook.url, delivery.body, headers=headers)
        except SecretUnreadable as error:
            log.warning("delivery_not_signed", extra={"delivery": delivery.id, "reason": str(error)})
            return "the service cannot sign it now"
        except StoreError:
            raise
        except LeadlineError as error:
            return f"{error.code}: {error}"
        except Exception:  # the border of a delivery: whatever an address answers, the others are told
            log.exception("delivery_broke", extra={"delivery": delivery.id})
            return "the service failed to send it"

    async def _note(self, delivery: Delivery, ended: Posted | str) -> None:
        status = None if isinstance(ended, str) else ended.status
        if status is not None and 200 <= status < 300:
            await self._deliveries.delivered(delivery, status=status)
            return
        problem = ended if isinstance(ended, str) else f"it answered with status {status}"
        asked = None if isinstance(ended, str) else ended.retry_after
        again = None if status == _GONE else self._wait(delivery.attempts, asked=asked)
        await self._deliveries.failed(delivery, problem=problem, status=status, retry_in=again)

    def _wait(self, failed_before: int, *, asked: float | None) -> float | None:
        """Return the seconds until the next attempt, `None` where none is left."""
        if failed_before >= len(self._delays):
            return None
        delay = self._delays[failed_before]
        # Spread by a tenth: what failed together does not come back together.
        return max(delay + self._random.uniform(0.0, delay / 10), min(asked or 0.0, MOST_WAIT))


def signed(message: str, body: bytes, *, secret: str, at: int) -> Mapping[str, str]:
    """Return the headers of a delivery: its id, the second, and the signature over both and the body."""
    mac = hmac.new(_key(secret), b".".join((message.encode(), str(at).encode(), body)), "sha256").digest()
    return {
        "webhook-id": message,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def _key(secret: str) -> bytes:
    """Return the bytes of a secret: base64 behind its mark, as Standard Webhooks has it."""
    try:
        return base64.b64decode(secret.rpartition("_")[2], validate=True)
    except binascii.Error as error:
        raise LeadlineError("a webhook's secret is no base64: make the webhook anew") from error
