"""Settings of the service's tenants: how they sign in, what is let in, what their secrets are encrypted with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leadline.settings.kinds import Key, Number, OrNone, Secret, Server, Text, Whole, setting
from leadline.settings.web import Keys, Words

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthSettings:
    """Tokens (JWT) of an identity provider, beside Leadline's own keys. Without an issuer there are none."""

    jwt_issuer: str | None = setting(
        None, OrNone(Text()), "What tokens must name as their issuer (`iss`). `none`: only Leadline's own keys count."
    )
    jwt_audience: str | None = setting(None, OrNone(Text()), "What tokens must be made for (`aud`).")
    jwks_url: str | None = setting(
        None, OrNone(Server()), "Address of the issuer's public keys, a JSON Web Key Set. It is trusted."
    )
    jwt_algorithms: tuple[str, ...] = setting(
        ("RS256", "ES256", "EdDSA"), Words(ALGORITHMS), "Signatures that are accepted; shared secrets never are."
    )
    tenant_claim: str = setting("tenant", Text(), "The claim that names the tenant, which must be there already.")
    role_claim: str = setting(
        "role", Text(), "The claim that names `reader`, `researcher` or `admin`; of a list, the highest counts."
    )
    leeway_seconds: float = setting(30.0, Number(0, 300), "How far the issuer's clock may differ, in seconds.")


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretsSettings:
    """What tenants' keys at providers and secrets of webhooks are encrypted with."""

    key: Secret | None = setting(  # noqa: RUF009 makes a dataclass field
        None,
        OrNone(Key()),
        "32 random bytes in base64 (`openssl rand -base64 32`). Without it no such secret can be kept.",
    )
    old_keys: tuple[Secret, ...] = setting(
        (), Keys(), "Keys that were set before; they still open what they encrypted, until `leadline secrets rotate`."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class AdmissionSettings:
    """What the service lets in; docs/limits.md tells which part asks for which limit."""

    key_rate: float | None = setting(20.0, OrNone(Number(0, above=True)), "Requests a second of one key.")
    key_burst: int = setting(60, Whole(1), "Requests of one key that may come at once after a pause.")
    rate: float | None = setting(500.0, OrNone(Number(0, above=True)), "Requests a second of all keys together.")
    burst: int = setting(1_000, Whole(1), "Requests of all keys that may come at once after a pause.")
    question_characters: int = setting(20_000, Whole(1), "Characters of one question.")
    key_runs: int | None = setting(200, OrNone(Whole(1)), "Unended runs of one key, running or waiting.")
    key_waiting: int | None = setting(100, OrNone(Whole(1)), "Runs of one key that wait for a worker.")
    runs: int | None = setting(5_000, OrNone(Whole(1)), "Unended runs of all keys together.")
    waiting: int | None = setting(2_000, OrNone(Whole(1)), "Runs of all keys together that wait for a worker.")
    tokens_per_day: int | None = setting(
        None, OrNone(Whole(1)), "Tokens that a tenant may use in a day (UTC), unless it has a budget of its own."
    )
    usd_per_day: float | None = setting(
        None, OrNone(Number(0, above=True)), "US dollars that a tenant may use in a day (UTC), as before."
    )
    run_share: float = setting(
        0.25,
        Number(0, 1, above=True),
        "Share of a tenant's day that a run gets at most which was asked without tokens or dollars of its own.",
    )
