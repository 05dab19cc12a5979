"""JSON Web Tokens of an identity provider (RFC 7519, OpenID Connect), behind the same `Authenticator`.

Only asymmetric algorithms of the operator's list are accepted: a token never chooses one that its
key is not for (RFC 8725, 3.1), and no `none` or shared secret gets in.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import jwt
import orjson

from leadline.accounts.keys import PREFIX
from leadline.errors import LeadlineError, ProviderBroken, Unauthenticated, UnknownObject
from leadline.ports.access import Authenticator, Caller, Role
from leadline.ports.accounts import Tenants
from leadline.resilience import Monotonic
from leadline.wire.http import Http, Request

MOST_TOKEN: Final = 16 << 10
"""Characters of a token: more never comes in a header."""

_REFUSED: Final = "the token is not accepted"
_FETCH_SECONDS: Final = 10.0
_RANKS: Final = tuple(Role)


class KeySource(Protocol):
    """Where an issuer's public keys are."""

    async def keys(self, *, unknown: bool) -> Sequence[jwt.PyJWK]:
        """Return the keys; `unknown` says that a token names one that was not among them."""
        ...


class JwksSource:
    """`KeySource` at an address of the operator's (RFC 7517), kept for `fresh` seconds.

    A key that is not known makes it ask again, at most once in `pause` seconds, so that tokens
    with invented keys cannot make it ask without end. While the issuer is away the keys stay.
    """

    def __init__(
        self, http: Http, url: str, *, fresh: float = 3600.0, pause: float = 30.0, monotonic: Monotonic = time.monotonic
    ) -> None:
        self._http = http
        self._url = url
        self._fresh = fresh
        self._pause = pause
        self._monotonic = monotonic
        self._keys: tuple[jwt.PyJWK, ...] = ()
        self._failure: LeadlineError | None = None
        self._asked_at: float | None = None
        self._lock = asyncio.Lock()  # one caller asks, the others wait for its answer

    async def keys(self, *, unknown: bool) -> Sequence[jwt.PyJWK]:
        """See `KeySource.keys`. Raises `ProviderUnavailable`, `ProviderBroken` before the first good answer."""
        if not self._current(unknown=unknown):
            async with self._lock:
                if not self._current(unknown=unknown):
                    await self._refresh()
        if self._failure is not None and not self._keys:
            raise self._failure
        return self._keys

    def _current(self, *, unknown: bool) -> bool:
        if self._asked_at is None:
            return False
        age = self._monotonic() - self._asked_at
        return age < self._pause or (bool(self._keys) and not unknown and age < self._fresh)

    async def _refresh(self) -> None:
        try:
            reply = await self._http.send(Request(url=self._url), deadline=_FETCH_SECONDS)
            if reply.status != 200:
                raise ProviderBroken(f"the issuer's keys are not at {self._url}: it answers {reply.status}")
            self._keys = _parsed(reply.body)
            self._failure = None
        except LeadlineError as error:
            self._failure = error
        self._asked_at = self._monotonic()


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRules:
    """What a token must say. `leeway` in seconds for clocks that differ."""

    issuer: str
    audience: str
    algorithms: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
    tenant_claim: str = "tenant"
    role_claim: str = "role"
    leeway: float = 30.0


class JwtAuthenticator:
    """`Authenticator` by tokens. The tenant that a token names must be there already."""

    def __init__(self, rules: TokenRules, source: KeySource, tenants: Tenants) -> None:
        self._rules = rules
        self._source = source
        self._tenants = tenants

    async def authenticate(self, credential: str) -> Caller:
        """See `Authenticator.authenticate`."""
        if len(credential) > MOST_TOKEN:
            raise Unauthenticated(_REFUSED)
        try:
            header = jwt.get_unverified_header(credential)
            key = await self._key(header)
            claims = self._claims(credential, key)
        except (jwt.PyJWTError, RecursionError) as error:
            raise Unauthenticated(_REFUSED) from error
        tenant = claims.get(self._rules.tenant_claim)
        if not isinstance(tenant, str):
            raise Unauthenticated(_REFUSED)
        await self._check_tenant(tenant)
        who = hashlib.sha256(f"{self._rules.issuer}\0{claims['sub']}".encode()).hexdigest()[:16]
        return Caller(
            tenant=tenant, key=f"jwt:{who}", role=_role(claims.get(self._rules.role_claim)), name=_name(claims)
        )

    async def _key(self, header: Mapping[str, Any]) -> jwt.PyJWK:
        """Return the issuer's key that the token names."""
        wanted = header.get("kid")
        for unknown in (False, True):
            keys = await self._source.keys(unknown=unknown)
            fitting = [key for key in keys if wanted is None or key.key_id == wanted]
            if len(fitting) == 1:
                return fitting[0]
        raise Unauthenticated(_REFUSED)

    def _claims(self, token: str, key: jwt.PyJWK) -> Mapping[str, Any]:
        rules = self._rules
        # A key that says what it is for is used for nothing else.
        algorithms = [name for name in rules.algorithms if name == key.algorithm_name]
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=algorithms,
            audience=rules.audience,
            issuer=rules.issuer,
            leeway=rules.leeway,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
        return claims

    async def _check_tenant(self, tenant: str) -> None:
        try:
            found = await self._tenants.get(tenant)
        except UnknownObject as error:
            raise Unauthenticated(_REFUSED) from error
        if found.disabled_at is not None:
            raise Unauthenticated(_REFUSED)


class EitherAuthenticator:
    """`Authenticator` by key or by token: the form of a credential says which."""

    def __init__(self, keys: Authenticator, tokens: Authenticator | None) -> None:
        self._keys = keys
        self._tokens = tokens

    async def authenticate(self, credential: str) -> Caller:
        """See `Authenticator.authenticate`."""
        if self._tokens is None or credential.startswith(PREFIX):
            return await self._keys.authenticate(credential)
        return await self._tokens.authenticate(credential)


def _parsed(body: bytes) -> tuple[jwt.PyJWK, ...]:
    """Return the keys for signatures that this program understands; others are passed over."""
    try:
        found = orjson.loads(body)["keys"]
        told = [one for one in found if isinstance(one, dict) and one.get("use", "sig") == "sig"]
    except (orjson.JSONDecodeError, TypeError, KeyError) as error:
        raise ProviderBroken("the issuer's keys are no JSON Web Key Set") from error
    keys = []
    for one in told:
        if one.get("kty") == "oct":  # a shared secret in public is none
            continue
        try:
            keys.append(jwt.PyJWK(one))
        except jwt.PyJWTError:
            continue
    if not keys:
        raise ProviderBroken("the issuer names no key that can be used")
    return tuple(keys)


def _role(claim: object) -> Role:
    """Return the highest role that a claim names. Raises `Unauthenticated` for none."""
    named = claim if isinstance(claim, list) else [claim]
    ranks = [_RANKS.index(role) for role in _RANKS if role in named]
    if not ranks:
        raise Unauthenticated(_REFUSED)
    return _RANKS[max(ranks)]


def _name(claims: Mapping[str, Any]) -> str:
    """Return what the token calls its owner, for listings."""
    name = claims.get("preferred_username") or claims.get("name") or ""
    return name[:200] if isinstance(name, str) and name.isprintable() else ""
