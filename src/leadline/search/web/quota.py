"""What services that search the web say of a key without a search: that it is accepted, and what is left of it.

Only these tell it for nothing: Serper (`GET /account`), SerpApi (`GET /account.json`,
https://serpapi.com/account-api) and Tavily (`GET /usage`, https://docs.tavily.com).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from leadline.wire.http import Reply, Request
from leadline.wire.service import json_object


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """What a key may still do; `left` in requests or credits, `None` where its service does not tell."""

    left: int | None = None
    of: int | None = None


_ADDRESSES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "serper": ("https://google.serper.dev", "/account"),
        "serpapi": ("https://serpapi.com", "/account.json"),
        "tavily": ("https://api.tavily.com", "/usage"),
    }
)


def account_request(name: str, key: str, *, base_url: str | None = None) -> Request | None:
    """Return what asks a service about a key and costs nothing, `None` where it has no such thing."""
    if name not in _ADDRESSES:
        return None
    public, path = _ADDRESSES[name]
    url = f"{(base_url or public).rstrip('/')}{path}"
    if name == "serper":
        return Request(url=url, headers={"X-API-KEY": key})
    if name == "serpapi":
        return Request(url=url, params={"api_key": key})
    return Request(url=url, headers={"Authorization": f"Bearer {key}"})


def quota_of(name: str, reply: Reply) -> Quota:
    """Return what a service's account says. Raises `ProviderBroken` for what is no JSON."""
    body = json_object(name, reply)
    if name == "serper":
        return Quota(left=_whole(body, "balance"))
    if name == "serpapi":
        left = _whole(body, "total_searches_left")
        return Quota(left=_whole(body, "plan_searches_left") if left is None else left)
    plan, key = _table(body, "account"), _table(body, "key")
    limits = [
        (_whole(plan, "plan_usage"), _whole(plan, "plan_limit")),
        (_whole(key, "usage"), _whole(key, "limit")),
    ]
    known = [Quota(left=max(0, most - used), of=most) for used, most in limits if used is not None and most is not None]
    return min(known, key=lambda quota: quota.left or 0, default=Quota())


def _table(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def _whole(body: Mapping[str, Any], name: str) -> int | None:
    found = body.get(name)
    return int(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
