"""What an address of a Redis says beside its host: over TLS, whom to believe and what to show; one notion for all."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from leadline.errors import SettingsError

AUTHORITIES: Final = "ssl_ca_certs"
CERTIFICATE: Final = "ssl_certfile"
KEY: Final = "ssl_keyfile"
OPTIONS: Final = frozenset({AUTHORITIES, CERTIFICATE, KEY})


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """Files in PEM: authorities believed beside the system's own; our certificate and its key, for who asks for one.

    That the server's certificate holds, and is for its host, is always checked.
    """

    authorities: str | None = None
    certificate: str | None = None
    key: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Trust:
        """Return what the options of an address say. Raises `ValueError` for a key without its certificate."""
        certificate, key = options.get(CERTIFICATE), options.get(KEY)
        if key is not None and certificate is None:
            raise ValueError(f"{KEY} without {CERTIFICATE}")
        return cls(authorities=options.get(AUTHORITIES), certificate=certificate, key=key)

    def check(self) -> None:
        """Read the files. Raises `SettingsError` for one that cannot be used, before anybody connects."""
        context = ssl.create_default_context()
        if self.authorities is not None:
            try:
                context.load_verify_locations(self.authorities)
            except OSError as error:  # an error of ssl is one, too
                raise _unusable(AUTHORITIES, self.authorities, error) from error
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key)
            except OSError as error:
                raise _unusable(CERTIFICATE, self.certificate, error) from error

    def arguments(self) -> dict[str, Any]:
        """Return redis-py's arguments of a connection."""
        found: dict[str, Any] = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
        files = {AUTHORITIES: self.authorities, CERTIFICATE: self.certificate, KEY: self.key}
        return found | {name: path for name, path in files.items() if path is not None}


def split(url: str) -> tuple[str, Trust | None]:
    """Return an address without its options, and what they say; `None` without TLS. Raises `ValueError`."""
    parts = urlsplit(url)
    given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    options = dict(given)
    secure = parts.scheme.partition("+")[0] == "rediss"
    unknown = sorted(name for name, value in given if name not in OPTIONS or not value)
    if unknown:
        raise ValueError(f"its options are {', '.join(sorted(OPTIONS))}, each a file; not {', '.join(unknown)}")
    if options and not secure:
        raise ValueError(f"{', '.join(sorted(options))} is for TLS: its address begins with rediss://")
    return _plain(parts), Trust.of(options) if secure else None


def _plain(parts: SplitResult) -> str:
    return parts._replace(query="").geturl()


def _unusable(option: str, path: str, error: OSError) -> SettingsError:
    said = error.strerror if not isinstance(error, ssl.SSLError) and error.strerror else "it holds none in PEM"
    return SettingsError(f"the file of `{option}` in the address of a Redis cannot be used, {path}: {said}")
