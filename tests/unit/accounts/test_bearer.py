"""Tokens of an identity provider: only what its keys signed, for us, now, for a tenant that is there."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from leadline.accounts.bearer import MOST_TOKEN, JwksSource, JwtAuthenticator, TokenRules
from leadline.errors import LeadlineError, ProviderBroken, ProviderUnavailable, Unauthenticated, UnknownObject
from leadline.ports.access import Role
from leadline.ports.accounts import Tenant
from leadline.resilience import SystemClock
from leadline.wire.http import Reply, Request

RULES = TokenRules(issuer="https://issuer.example", audience="leadline", leeway=5.0)
NOW = int(SystemClock().now())
GOOD = {
    "iss": RULES.issuer,
    "aud": "leadline",
    "sub": "ann",
    "exp": NOW + 86_400,  # the module is loaded long before its tests run
    "tenant": "acme",
    "role": "researcher",
    "name": "Ann",
}


@cache
def rsa_key(_name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public(key: PrivateKeyTypes, kid: str, algorithm: str) -> dict[str, Any]:
    made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key())
    return {**json.loads(made), "kid": kid, "use": "sig", "alg": algorithm}


@dataclass
class Issuer:
    """`Http` to an issuer: its keys, or its failure."""

    keys: list[dict[str, Any]] = field(default_factory=list)
    failure: LeadlineError | None = None
    status: int = 200
    asked: int = 0

    async def send(self, request: Request, *, deadline: float) -> Reply:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return Reply(status=self.status, headers={}, body=json.dumps({"keys": self.keys}).encode())


class Known:
    """`Tenants` of which `acme` is there and `closed` is disabled."""

    async def get(self, tenant: str) -> Tenant:
        if tenant not in {"acme", "closed"}:
            raise UnknownObject(tenant)
        return Tenant(id=tenant, name=tenant, created_at=0.0, disabled_at=1.0 if tenant == "closed" else None)


class Turned:
    at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(keys=[public(rsa_key("one"), "one", "RS256"), public(ec_key(), "two", "ES256")])


@pytest.fixture
def clock() -> Turned:
    return Turned()


@pytest.fixture
def authenticator(issuer: Issuer, clock: Turned) -> JwtAuthenticator:
    source = JwksSource(issuer, "https://issuer.example/keys", monotonic=clock)
    return JwtAuthenticator(RULES, source, Known())  # type: ignore[arg-type]  # the one method that is used


def token(
    claims: dict[str, Any] = GOOD,
    *,
    kid: str | None = "one",
    name: str = "one",
    algorithm: str = "RS256",
    critical: str | None = None,
) -> str:
    headers: dict[str, Any] = {} if kid is None else {"kid": kid}
    headers |= {} if critical is None else {"crit": [critical], critical: 1}
    key = ec_key() if algorithm == "ES256" else rsa_key(name)
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, key, algorithm=algorithm, headers=headers)


async def test_a_good_token_tells_who_it_is(authenticator: JwtAuthenticator) -> None:
    caller = await authenticator.authenticate(token())
    assert (caller.tenant, caller.role, caller.name, caller.scopes) == ("acme", Role.RESEARCHER, "Ann", None)
    assert caller.key.startswith("jwt:")
    assert await authenticator.authenticate(token(kid="two", algorithm="ES256")) == caller
    other = await authenticator.authenticate(token(GOOD | {"sub": "bob"}))
    assert other.key != caller.key


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"exp": NOW - 60},
        {"exp": None},
        {"nbf": NOW + 86_400},
        {"sub": None},
        {"tenant": None},
        {"tenant": "nobody"},
        {"tenant": "closed"},
        {"tenant": ["acme"]},
        {"role": None},
        {"role": "root"},
        {"role": ["root"]},
        {"role": {"admin": True}},
    ],
)
async def test_a_wrong_claim_is_refused(authenticator: JwtAuthenticator, change: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(token(GOOD | change))


async def test_of_several_roles_the_highest_counts(authenticator: JwtAuthenticator) -> None:
    caller = await authenticator.authenticate(token(GOOD | {"role": ["reader", "admin", "other"]}))
    assert caller.role is Role.ADMIN


def unsigned(algorithm: str) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": algorithm, "kid": "one", "typ": "JWT"}, GOOD)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), ""])


def by_public_key() -> str:
    """Sign with the public key as if it were a shared secret: the classic confusion of algorithms."""
    import hashlib  # noqa: PLC0415 only this forgery needs them
    import hmac  # noqa: PLC0415 as above

    pem = (
        rsa_key("one")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    told = unsigned("HS256").rstrip(".")
    signed = hmac.new(pem, told.encode(), hashlib.sha256).digest()
    return f"{told}.{base64.urlsafe_b64encode(signed).decode().rstrip('=')}"


@pytest.mark.parametrize(
    "forged",
    [
        lambda: unsigned("none"),
        lambda: unsigned("RS256"),
        by_public_key,
        lambda: token(name="forger"),
        lambda: token(kid="two"),
        lambda: token(kid="unknown"),
        lambda: token(kid=None),
        lambda: token()[:-4],
        lambda: token(algorithm="RS512"),
        lambda: token(critical="made-up"),
        lambda: "a.b.c",
        lambda: "",
        lambda: "ü.ü.ü",
        lambda: "x" * (MOST_TOKEN + 1),
        lambda: token(GOOD | {"name": "x" * MOST_TOKEN}),
    ],
)
async def test_a_forgery_is_refused(authenticator: JwtAuthenticator, forged: Callable[[], str]) -> None:
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(forged())


async def test_keys_are_asked_for_seldom(authenticator: JwtAuthenticator, issuer: Issuer, clock: Turned) -> None:
    for _ in range(3):
        await authenticator.authenticate(token())
    for _ in range(3):  # invented names of keys
        with pytest.raises(Unauthenticated):
            await authenticator.authenticate(token(kid="unknown"))
    assert issuer.asked == 1
    clock.at += 31
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(token(kid="unknown"))
    assert issuer.asked == 2


async def test_a_new_key_is_found_and_an_old_one_goes(
    authenticator: JwtAuthenticator, issuer: Issuer, clock: Turned
) -> None:
    await authenticator.authenticate(token())
    issuer.keys = [public(rsa_key("three"), "three", "RS256")]
    clock.at += 31
    await authenticator.authenticate(token(kid="three", name="three"))
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(token())


async def test_while_the_issuer_is_away_its_keys_stay(
    authenticator: JwtAuthenticator, issuer: Issuer, clock: Turned
) -> None:
    await authenticator.authenticate(token())
    issuer.failure = ProviderUnavailable("away")
    clock.at += 4000
    await authenticator.authenticate(token())


async def test_an_issuer_that_was_never_there_is_no_refusal(
    authenticator: JwtAuthenticator, issuer: Issuer, clock: Turned
) -> None:
    issuer.failure = ProviderUnavailable("away")
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            await authenticator.authenticate(token())
    assert issuer.asked == 1
    issuer.failure = None
    clock.at += 31
    await authenticator.authenticate(token())


@pytest.mark.parametrize(
    "issuer",
    [
        Issuer(keys=[]),
        Issuer(status=302, keys=[{"kty": "RSA"}]),
        Issuer(keys=[{"kty": "oct", "k": "c2VjcmV0", "kid": "one", "alg": "HS256"}]),
        Issuer(keys=[{"kty": "RSA", "kid": "one", "use": "enc"}]),
    ],
)
async def test_what_is_no_key_set_is_none(authenticator: JwtAuthenticator, issuer: Issuer) -> None:
    with pytest.raises(ProviderBroken):
        await authenticator.authenticate(token())


async def test_an_algorithm_that_the_operator_did_not_list_is_refused(issuer: Issuer, clock: Turned) -> None:
    source = JwksSource(issuer, "https://issuer.example/keys", monotonic=clock)
    rules = replace(RULES, algorithms=("ES256",))
    with pytest.raises(Unauthenticated):
        await JwtAuthenticator(rules, source, Known()).authenticate(token())  # type: ignore[arg-type]  # as above
