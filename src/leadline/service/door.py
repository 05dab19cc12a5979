"""Who asks, and is it let in: what every request passes before anything is read of it."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from leadline.errors import NotPermitted, Unauthenticated
from leadline.ports.access import LOCAL, Action, Caller, Role
from leadline.ports.admission import Admitted, Refused, Wanted, Wish
from leadline.service.asgi import Scope, header
from leadline.settings import Settings
from leadline.wire.hosts import is_own_host
from leadline.wiring.accounts import Accounts, Gate, has_keys

NOBODY: Final = Caller(tenant=LOCAL, key="local", role=Role.ADMIN, name="this machine")
"""Whoever asks a service of this machine that has no keys yet: the machine's own user."""

COOKIE: Final = "__Host-leadline"
"""Where a browser keeps its key; only over TLS, and never readable for a page."""

CSRF: Final = "X-Leadline-CSRF"
"""What a page that writes with the browser's key shows: that it could read what the service told it."""

PASS: Final = "X-Leadline-Pass"  # noqa: S105 the name of a header
"""What `/internal/auth` gives a balancer for the request that it asked about."""

PASS_SECONDS: Final = 30.0
_FORWARDED: Final = ("x-forwarded-for", "forwarded", "x-real-ip", "via")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Limited(Exception):
    """A limit refuses: the status to answer, the limit's name, and when to try again, where that helps."""

    def __init__(self, message: str, *, status: int, code: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after


class Door:
    """Tells callers by their credentials, and asks what lets them in.

    `local`: only this machine is listened to. `now` is Unix time.
    """

    def __init__(
        self, *, accounts: Accounts, gate: Gate, settings: Settings, local: bool, now: Callable[[], float]
    ) -> None:
        self._accounts = accounts
        self._gate = gate
        self._local = local
        self._now = now
        self._keyed = settings.auth.jwt_issuer is not None
        self._proxies = tuple(ipaddress.ip_network(net) for net in settings.service.proxies)
        key = settings.secrets.key
        # Processes that share the key of secrets believe each other's passes; others count once more.
        seed = key.reveal().encode() if key else secrets.token_bytes(32)
        self._secret = hashlib.blake2b(seed, person=b"leadline.pass/1", digest_size=32).digest()

    async def caller(self, scope: Scope) -> Caller:
        """Return who asks.

        Raises `Unauthenticated`; `NotPermitted` where a page of another origin makes a browser
        write with a credential that the browser adds by itself.
        """
        given = bearer(scope)
        if given:
            return await self._gate.authenticator.authenticate(given)
        self.check_origin(scope)
        kept = cookie(scope)
        if kept:
            _check_csrf(scope, kept)
            return await self._gate.authenticator.authenticate(kept)
        if self._local and _is_direct(scope) and not await self.keyed():
            return NOBODY
        raise Unauthenticated("a key is needed: `Authorization: Bearer ll_...`")

    async def authenticate(self, credential: str) -> Caller:
        """Return whose credential it is. Raises `Unauthenticated`."""
        return await self._gate.authenticator.authenticate(credential)

    def check_origin(self, scope: Scope) -> None:
        """Refuse to write for a page of another origin. Raises `NotPermitted`."""
        if scope["method"] not in _SAFE and not same_origin(scope):
            raise NotPermitted("a page of another origin may not write here")

    async def let_in(self, scope: Scope, caller: Caller) -> None:
        """Count a request, unless its balancer had it counted. Raises `Limited`."""
        if not self._has_pass(scope, caller):
            await self.admit(Wish(tenant=caller.tenant, key=caller.key, wanted=Wanted.REQUEST))

    async def admit(self, wish: Wish) -> Admitted:
        """Let something in. Raises `Limited`."""
        answer = await self._gate.admission.admit(wish)
        if isinstance(answer, Refused):
            raise Limited(answer.message, status=answer.status, code=str(answer.limit), retry_after=answer.retry_after)
        return answer

    async def reconcile(self) -> None:
        """See `Admission.reconcile`."""
        await self._gate.admission.reconcile()

    async def keyed(self) -> bool:
        """Return whether keys or tokens are there, so that nobody is let in without; once so, it stays so."""
        self._keyed = self._keyed or await has_keys(self._accounts)
        return self._keyed

    def pass_for(self, scope: Scope, caller: Caller) -> str | None:
        """Return what shows, for half a minute, that a request of this caller was counted.

        `None` for who is no trusted balancer: with it, one counted request would let in any number.
        """
        if not self._by_balancer(scope):
            return None
        until = str(int(self._now() + PASS_SECONDS))
        return f"{until}.{self._mac(until, caller)}"

    def source(self, scope: Scope) -> str:
        """Return the address of the client: the connection's, or what a trusted balancer says."""
        client = scope.get("client")
        address = str(client[0]) if client else "unknown"
        for told in reversed(header(scope, "x-forwarded-for").split(",")):
            if not self._trusted(address) or not _is_address(told.strip()):
                break
            address = told.strip()
        return address

    def secure(self, scope: Scope) -> bool:
        """Return whether the client came by TLS, by the word of a trusted balancer too."""
        if self._by_balancer(scope):
            return header(scope, "x-forwarded-proto").strip().lower() == "https" or scope.get("scheme") == "https"
        return scope.get("scheme") == "https"

    def _has_pass(self, scope: Scope, caller: Caller) -> bool:
        if not self._by_balancer(scope):
            return False
        until, _, mac = header(scope, PASS).partition(".")
        if not (until.isascii() and until.isdigit() and len(until) <= 12) or int(until) < self._now():
            return False
        return hmac.compare_digest(mac.encode("latin-1", "replace"), self._mac(until, caller).encode())

    def _mac(self, until: str, caller: Caller) -> str:
        return hmac.new(self._secret, f"{until}\n{caller.tenant}\n{caller.key}".encode(), "sha256").hexdigest()

    def _by_balancer(self, scope: Scope) -> bool:
        client = scope.get("client")
        return client is not None and self._trusted(str(client[0]))

    def _trusted(self, address: str) -> bool:
        return (
            bool(self._proxies)
            and _is_address(address)
            and any(ipaddress.ip_address(address) in network for network in self._proxies)
        )


def check_permitted(caller: Caller, action: Action) -> None:
    """Raise `NotPermitted` where the caller may not do so."""
    if not caller.may(action):
        who = f"a {caller.role}" if caller.scopes is None else "the scopes of this key"
        raise NotPermitted(f"{who} may not: {action}")


def bearer(scope: Scope) -> str:
    """Return the credential of `Authorization: Bearer ...`, `""` where there is none."""
    scheme, _, rest = header(scope, "authorization").partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else ""


def cookie(scope: Scope) -> str:
    """Return the credential that a browser keeps, `""` where there is none."""
    try:
        found = SimpleCookie(header(scope, "cookie")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def csrf_of(credential: str) -> str:
    """Return what shows that a page knows which key its browser keeps; the same at every process."""
    return hmac.new(credential.encode(), b"leadline.csrf/1", "sha256").hexdigest()


def same_origin(scope: Scope) -> bool:
    """Whether a browser says that a page of this very service asks; other programs say nothing, and may."""
    if header(scope, "sec-fetch-site") not in {"", "same-origin", "none"}:
        return False
    origin = header(scope, "origin")
    return not origin or urlsplit(origin).netloc.lower() == header(scope, "host").lower()


def _check_csrf(scope: Scope, credential: str) -> None:
    given = header(scope, CSRF.lower())
    if scope["method"] not in _SAFE and not hmac.compare_digest(given.encode(), csrf_of(credential).encode()):
        raise NotPermitted(f"a page that writes sends `{CSRF}`, as `GET /ui/session` tells it")


def _is_direct(scope: Scope) -> bool:
    """Whether nobody stands between the client and this process, and the client calls it by this machine's name."""
    return is_own_host(header(scope, "host")) and not any(header(scope, name) for name in _FORWARDED)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
