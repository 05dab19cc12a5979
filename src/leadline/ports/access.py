"""Who may do what: roles, the actions that each permits, and whoever makes a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

LOCAL: Final = "local"
"""The tenant of the machine's own user: what the command line does without `--tenant`."""


class Role(StrEnum):
    """What a key is for; each role may do all that the one before it may."""

    READER = "reader"  # reads what its tenant has
    RESEARCHER = "researcher"  # asks questions and keeps documents
    ADMIN = "admin"  # decides who may, and sees what they did


class Action(StrEnum):
    """What a request does; every route of the service names one, and a key may be narrowed to some."""

    RUNS_READ = "runs:read"  # runs, their events, reports, sources and journals
    RUNS_START = "runs:start"  # ask a question, also through the OpenAI-compatible API and MCP
    RUNS_STEER = "runs:steer"  # finish, cancel, approve, answer
    RUNS_DELETE = "runs:delete"  # forget an ended run
    RUNS_SHARE = "runs:share"  # make and revoke read-only links
    CORPORA_READ = "corpora:read"  # list corpora and documents
    CORPORA_WRITE = "corpora:write"  # upload and remove documents
    SCHEDULES_READ = "schedules:read"  # list schedules
    SCHEDULES_WRITE = "schedules:write"  # add, pause and remove schedules
    WEBHOOKS_READ = "webhooks:read"  # list webhooks and their deliveries
    WEBHOOKS_WRITE = "webhooks:write"  # add and remove webhooks
    TOOLS_CALL = "tools:call"  # search, visit, scholar, python
    MODELS_CALL = "models:call"  # the model gateway
    USAGE_READ = "usage:read"  # what the tenant used, day by day
    KEYS_MANAGE = "keys:manage"  # list, make, rotate and revoke keys
    SECRETS_MANAGE = "secrets:manage"  # set and remove the tenant's keys at providers
    AUDIT_READ = "audit:read"  # who did what
    DIAGNOSTICS_READ = "diagnostics:read"  # health of providers and the queue


_READS: Final = frozenset(
    {
        Action.RUNS_READ,
        Action.CORPORA_READ,
        Action.SCHEDULES_READ,
        Action.USAGE_READ,
    }
)
_RESEARCHES: Final = _READS | {
    Action.RUNS_START,
    Action.RUNS_STEER,
    Action.RUNS_DELETE,
    Action.RUNS_SHARE,
    Action.CORPORA_WRITE,
    Action.SCHEDULES_WRITE,
    Action.WEBHOOKS_READ,
    Action.TOOLS_CALL,
    Action.MODELS_CALL,
}

PERMITS: Final[Mapping[Role, frozenset[Action]]] = MappingProxyType(
    {
        Role.READER: _READS,
        Role.RESEARCHER: _RESEARCHES,
        Role.ADMIN: frozenset(Action),
    }
)
"""What each role may do: the one table of it. docs/tenancy.md shows it and a test compares."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Whoever makes a request, once that is proved.

    `key` names the credential in limits and in the audit log: a key's public id, or
    `jwt:` and a hash of issuer and subject. `scopes` narrow the role; `None`: all that it permits.
    """

    tenant: str
    key: str
    role: Role
    name: str = ""
    scopes: frozenset[Action] | None = None

    def may(self, action: Action) -> bool:
        """Return whether role and scopes both permit it."""
        return action in PERMITS[self.role] and (self.scopes is None or action in self.scopes)


class Authenticator(Protocol):
    """Tells who a credential belongs to."""

    async def authenticate(self, credential: str) -> Caller:
        """Return the caller to whom `credential` (a key or a JWT, without `Bearer`) belongs.

        Raises `Unauthenticated` for one that is malformed, unknown, expired, revoked or of a
        disabled tenant, and does not tell which; `StoreUnavailable` where it cannot be looked up,
        `ProviderFailed` where a token's issuer does not say what its keys are.
        """
        ...
