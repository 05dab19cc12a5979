"""`/admin/servers` of the gateway: an operator lists, adds, drains and removes servers while it runs.

What is changed here lasts as long as the process: what is to last longer goes into the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

import orjson

from leadline.codec import encode
from leadline.domain import Json
from leadline.errors import AlreadyThere, SettingsError, UnknownObject, WrongState
from leadline.model.connect import base_url, shown_url
from leadline.model.gateway.http import Receive, Refusal, Scope, Send, TooMuch, header, read_body, respond
from leadline.model.pool.leases import Pool
from leadline.model.pool.types import ServerSpec, ServerView

PATH: Final = "/admin/servers"

MakeSpec: TypeAlias = Callable[[str], ServerSpec]
"""Returns what the pool should know of a server at an address. Raises `SettingsError`."""

_MOST: Final = 64 * 1024
_FIELDS: Final = frozenset({"url", "weight", "concurrency", "force"})
_MOST_WEIGHT: Final = 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Operators:
    """Who may change the servers: `lets_in` decides by address and headers. `make` describes a new one."""

    lets_in: Callable[[str, Mapping[str, str]], bool]
    make: MakeSpec


class Admin:
    """Answers `/admin/servers` for one pool; without `operators` nobody is let in."""

    def __init__(self, pool: Pool, operators: Operators | None) -> None:
        self._pool = pool
        self._operators = operators

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises `Refusal`."""
        make = self._let_in(scope)
        try:
            status, value = await self._done(scope, receive, make)
        except TooMuch as error:
            raise Refusal(413, f"the body has more than {_MOST} bytes", code="too_large") from error
        except UnknownObject as error:
            raise Refusal(404, str(error), code=error.code) from error
        except (AlreadyThere, WrongState) as error:
            raise Refusal(409, str(error), code=error.code) from error
        except SettingsError as error:
            raise Refusal(400, str(error), code="invalid_request") from error
        await respond(send, encode(value), status=status)

    def _let_in(self, scope: Scope) -> MakeSpec:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        client = scope.get("client")
        if self._operators is None:
            raise Refusal(403, "servers are changed by who shows `gateway.admin_key`: none is set", code="no_admin_key")
        if not self._operators.lets_in(str(client[0]) if client else "", headers):
            raise Refusal(401, "the key of `gateway.admin_key` is needed", code="invalid_api_key")
        return self._operators.make

    async def _done(self, scope: Scope, receive: Receive, make: MakeSpec) -> tuple[int, Json]:
        match scope["method"], scope["path"].removeprefix(PATH):
            case "GET", "":
                view = self._pool.view()
                return 200, {"servers": [_shown(server) for server in view.servers], "waiting": view.waiting}
            case "POST", "":
                spec = _spec(await _body(scope, receive), make)
                self._pool.add(spec)
                return 201, self._look(spec.url)
            case "POST", "/drain":
                asked = await _body(scope, receive)
                self._pool.drain(_url(asked), force=_truth(asked))
                return 200, self._look(_url(asked))
            case "DELETE", "":
                query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
                url = _url(query)
                if self._pool.retire(url, force=query.get("force") == "true"):
                    return 200, {"url": shown_url(base_url(url)), "state": "removed"}
                return 202, self._look(url)
            case _, "" | "/drain":
                raise Refusal(405, f"{scope['method']} is not for {scope['path']}", code="method_not_allowed")
        raise Refusal(404, "no such path", code="not_found")

    def _look(self, url: str) -> Json:
        server = self._pool.look(base_url(url))
        return None if server is None else _shown(server)


def state_of(server: ServerView) -> str:
    """Return how a server stands, in a word or three."""
    if server.leaving:
        return "leaving"
    if server.draining:
        return "drained" if not server.in_flight else "draining"
    return "in service" if server.healthy else "out of service"


def _shown(server: ServerView) -> Json:
    return {
        "url": shown_url(server.url),
        "state": state_of(server),
        "in_flight": server.in_flight,
        "load": server.load,
        "sessions": server.sessions,
        "weight": server.weight,
        "concurrency": server.concurrency,
        "last_error": server.last_error or None,
    }


async def _body(scope: Scope, receive: Receive) -> dict[str, Any]:
    """Return a body. A page of a browser may send no JSON to a stranger without asking: other types are refused."""
    if header(scope, b"content-type").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "the body must be application/json", code="invalid_request")
    try:
        value = orjson.loads(await read_body(receive, limit=_MOST))
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "the body is no JSON", code="invalid_json") from error
    if not isinstance(value, dict) or not value.keys() <= _FIELDS:
        raise Refusal(400, f"the body is an object of {', '.join(sorted(_FIELDS))}", code="invalid_request")
    return value


def _url(asked: Mapping[str, Any]) -> str:
    url = asked.get("url")
    if not isinstance(url, str) or not url:
        raise Refusal(400, "`url` is needed: the base URL of a server", code="invalid_request")
    return url


def _truth(asked: Mapping[str, Any]) -> bool:
    return asked.get("force") is True


def _spec(asked: Mapping[str, Any], make: MakeSpec) -> ServerSpec:
    spec = make(_url(asked))
    weight, concurrency = asked.get("weight"), asked.get("concurrency")
    if weight is not None:
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= _MOST_WEIGHT:
            raise Refusal(400, "`weight` is a number above 0", code="invalid_request")
        spec = replace(spec, weight=float(weight))
    if concurrency is not None:
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
            raise Refusal(400, "`concurrency` is a whole number above 0", code="invalid_request")
        spec = replace(spec, concurrency=concurrency)
    return spec
