"""What is sent along: our name, the operator's own headers for single hosts, validators."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from leadline.errors import Forbidden, SettingsError
from leadline.fetch.urls import Target, parse

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# They frame the message or route it: the client's own affair.
_OURS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Validators and what tells a cache how long a page holds; all else of a response is dropped.
_KEPT: Final = (
    "age",
    "cache-control",
    "content-disposition",
    "content-language",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
    "vary",
    "x-robots-tag",
)
_MOST_VALUE: Final = 1_000
_BASE: Final = MappingProxyType(
    {
        "Accept": "text/html,application/xhtml+xml,application/pdf,text/plain;q=0.9,*/*;q=0.5",
        "Accept-Encoding": "gzip, deflate, br",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Validators:
    """What an earlier answer said about itself, for asking whether it still holds."""

    etag: str | None = None
    last_modified: str | None = None

    @classmethod
    def of_mark(cls, mark: str) -> Validators:
        """Return what `mark` holds."""
        etag, _, last_modified = mark.partition("\n")
        return cls(etag=etag or None, last_modified=last_modified or None)

    @property
    def mark(self) -> str:
        """Both as one text, empty where there is neither."""
        return f"{self.etag or ''}\n{self.last_modified or ''}".rstrip("\n")

    def headers(self) -> dict[str, str]:
        """Return the request headers; what could not be one is left out."""
        wanted = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in wanted.items() if value and _VALUE.fullmatch(value)}


class RequestHeaders:
    """The headers of requests.

    `agent` is the whole User-Agent. `per_host` maps a host (for https alone), or an origin such
    as `http://intranet.example:8080`, to headers of the operator's own: they are sent there and
    nowhere else, whatever redirects. Raises `SettingsError` for what can be no header.
    """

    def __init__(self, *, agent: str, per_host: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._base = {**_BASE, "User-Agent": agent}
        self._per_origin = {_origin(key): _checked(key, headers) for key, headers in (per_host or {}).items()}

    def personal(self, target: Target) -> bool:
        """Whether headers of the operator's own are sent to `target`."""
        return target.origin in self._per_origin

    def of(self, target: Target, *, validators: Validators | None = None) -> dict[str, str]:
        """Return what is sent to `target`."""
        extra = validators.headers() if validators is not None else {}
        return {**self._base, **self._per_origin.get(target.origin, {}), **extra}


def kept(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the part of response headers that is of use later, lower-case and bounded."""
    found = {name: headers[name][:_MOST_VALUE] for name in _KEPT if name in headers}
    return MappingProxyType(found)


def _origin(key: str) -> str:
    try:
        return parse(key if "://" in key else f"https://{key}").origin
    except Forbidden as error:
        raise SettingsError(f"neither a host nor an origin: {key}; use for example intranet.example") from error


def _checked(key: str, headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value) or name.lower() in _OURS:
            raise SettingsError(f"not a header that can be set for `{key}`: {name}")
    return dict(headers)
