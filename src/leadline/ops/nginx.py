"""The configuration of an nginx before several services: TLS, HTTP/2, limits, streams, one check of keys.

What each line is for stands beside it in the file itself. Addresses are limited here, by how often
they ask; keys, tenants and budgets are limited by the service, which nginx asks of every request
of the API (`/internal/auth`). The pass that comes back keeps the service from counting it twice.
Directives: https://nginx.org/en/docs/dirindex.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from leadline import codec
from leadline.errors import SettingsError

_PLACE: Final = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):\d{1,5}")
_NAME: Final = re.compile(r"[A-Za-z0-9._*-]+")
_CONNECTIONS: Final = 2048
"""Of clients at a time, for each of nginx' workers."""

_PATH: Final = re.compile(r"/[A-Za-z0-9._/@+-]*")

_LOG: Final = (
    '{"at":"$time_iso8601","address":"$remote_addr","request":"$leadline_request","tenant":"$leadline_tenant",'
    '"key":"$leadline_key","method":"$request_method","path":"$leadline_path","status":$status,"bytes":$body_bytes_sent,'
    '"seconds":$request_time,"upstream":"$upstream_addr","upstream_seconds":"$upstream_response_time",'
    '"protocol":"$server_protocol","agent":"$http_user_agent"}'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Balancer:
    """What an nginx is to do.

    services: `host:port` of each. certificate, key: PEM files. folder: where temporary files lie, which
    nginx' workers must be able to enter, and pid and logs that have no place of their own. port: of TLS;
    `plain_port` only sends to it, `None`: there is none. rate, burst: requests a second of one address, and
    how many more at once. body: MiB of one request. resolver: the server of names that is asked again every
    few seconds for who is behind the services' names, which may be several; it takes nginx 1.27.3.
    """

    services: Sequence[str]
    certificate: PurePosixPath
    key: PurePosixPath
    folder: PurePosixPath
    host: str = "0.0.0.0"  # noqa: S104 a balancer is there for everybody
    port: int = 443
    plain_port: int | None = 80
    server_name: str = "_"
    rate: int = 20
    burst: int = 40
    body: int = 64
    workers: str = "auto"
    pid: PurePosixPath | None = None
    access_log: PurePosixPath | None = None
    error_log: PurePosixPath | None = None
    resolver: str | None = None

    def __post_init__(self) -> None:
        """Refuse what would end a directive early. Raises `SettingsError`."""
        wrong = [place for place in self.services if not _PLACE.fullmatch(place)]
        given = (self.certificate, self.key, self.folder, self.pid, self.access_log, self.error_log)
        paths = [str(path) for path in given if path is not None and not _PATH.fullmatch(str(path))]
        names = [name for name in (self.server_name, self.workers, self.resolver or "_") if not _NAME.fullmatch(name)]
        if not self.services or wrong or paths or names:
            raise SettingsError(
                f"not fit for a configuration of nginx: {(wrong or paths or names or ['no service'])[0]!r}"
            )


def nginx_conf(balancer: Balancer) -> str:
    """Return the whole configuration file."""
    listen = f"[{balancer.host}]" if ":" in balancer.host else balancer.host
    return "\n".join([*_top(balancer), *_plain(balancer, listen), *_secure(balancer, listen), "}", ""])


def _top(balancer: Balancer) -> list[str]:
    folder = balancer.folder
    temporary = [
        f"    {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    ]
    again = "" if balancer.resolver is None else " resolve"
    servers = [f"        server {place} max_fails=2 fail_timeout=5s{again};" for place in balancer.services]
    return [
        "# Written by Leadline (leadline.ops.nginx); change the values there.",
        f"worker_processes {balancer.workers};",
        "# A request has two connections, its client's and its service's.",
        f"worker_rlimit_nofile {2 * _CONNECTIONS + 512};",
        f"pid {balancer.pid or folder / 'nginx.pid'};",
        f"error_log {balancer.error_log or folder / 'error.log'} warn;",
        f"events {{ worker_connections {2 * _CONNECTIONS}; }}",
        "http {",
        *temporary,
        "    server_tokens off;",
        "    default_type application/octet-stream;",
        f"    log_format leadline escape=json '{_LOG}';",
        f"    access_log {balancer.access_log or folder / 'access.log'} leadline;",
        "",
        "    # One address may not ask faster than this, whatever its keys are.",
        f"    limit_req_zone $binary_remote_addr zone=address:10m rate={balancer.rate}r/s;",
        "    limit_req_status 429;",
        "",
        "    # A client's own id is kept where it is fit to be logged; the service checks it again.",
        "    map $http_x_request_id $leadline_request {",
        "        default $request_id;",
        '        "~^[A-Za-z0-9._-]{1,64}$" $http_x_request_id;',
        "    }",
        "",
        "    # What was asked for, without what follows a question mark.",
        "    map $request_uri $leadline_path {",
        "        default $uri;",
        '        "~^(?<asked>[^?]*)" $asked;',
        "    }",
        "",
        *([] if balancer.resolver is None else [f"    resolver {balancer.resolver} valid=5s ipv6=off;", ""]),
        "    upstream leadline {",
        "        zone leadline 64k;",
        "        least_conn;",
        *servers,
        "        keepalive 32;",
        "    }",
        "",
    ]


def _plain(balancer: Balancer, listen: str) -> list[str]:
    if balancer.plain_port is None:
        return []
    port = "" if balancer.port == 443 else f":{balancer.port}"
    return [
        "    server {",
        f"        listen {listen}:{balancer.plain_port};",
        f"        server_name {balancer.server_name};",
        f"        return 308 https://$host{port}$request_uri;",
        "    }",
        "",
    ]


def _secure(balancer: Balancer, listen: str) -> list[str]:
    return [
        "    server {",
        f"        listen {listen}:{balancer.port} ssl http2;",
        f"        server_name {balancer.server_name};",
        f"        ssl_certificate {balancer.certificate};",
        f"        ssl_certificate_key {balancer.key};",
        "        ssl_protocols TLSv1.2 TLSv1.3;",
        "        ssl_session_cache shared:tls:10m;",
        "        ssl_session_tickets off;",
        '        add_header Strict-Transport-Security "max-age=31536000" always;',
        f"        client_max_body_size {balancer.body}m;",
        "        # A client that reads slowly slows the service down, and fills nothing here.",
        "        proxy_max_temp_file_size 8m;",
        "        client_body_timeout 30s;",
        "        client_header_timeout 15s;",
        "        keepalive_timeout 65s;",
        "",
        "        # Filled by the check of keys; empty where none is asked for.",
        '        set $leadline_tenant "";',
        '        set $leadline_key "";',
        '        set $leadline_pass "";',
        "",
        *_proxy("        "),
        "        # Another service is tried only where the first one has not seen the request, or it changes nothing.",
        "        proxy_next_upstream error timeout http_502 http_503;",
        "        proxy_next_upstream_tries 2;",
        "        proxy_connect_timeout 2s;",
        "        proxy_read_timeout 120s;",
        "",
        *_answers(),
        *_locations(f"            limit_req zone=address burst={balancer.burst} nodelay;"),
        "    }",
    ]


def _answers() -> list[str]:
    """Return what is answered without a service, or asked of one beforehand."""
    return [
        "        location = /leadline-check {",
        "            internal;",
        "            proxy_pass http://leadline/internal/auth;",
        "            proxy_pass_request_body off;",
        *_headers("            ", ('Content-Length ""',)),
        "        }",
        "        # What only this machine and the monitoring may see.",
        "        location /internal/ { return 404; }",
        "        location = /metrics { return 404; }",
        "        location = /leadline-refused {",
        "            internal;",
        "            default_type application/problem+json;",
        "            add_header Retry-After $leadline_after always;",
        "            if ($leadline_status = 429) {",
        f"                return 429 '{_problem(429, 'too many requests', 'limited')}';",
        "            }",
        "            if ($leadline_status = 503) {",
        f"                return 503 '{_problem(503, 'service unavailable', 'limited')}';",
        "            }",
        f"            return 403 '{_problem(403, 'not permitted', 'not_permitted')}';",
        "        }",
        "        location = /leadline-away {",
        "            internal;",
        "            default_type application/problem+json;",
        "            add_header Retry-After 5 always;",
        f"            return 503 '{_problem(503, 'service unavailable', 'unavailable')}';",
        "        }",
        "        location = /leadline-slower {",
        "            internal;",
        "            default_type application/problem+json;",
        "            add_header Retry-After 1 always;",
        f"            return 429 '{_problem(429, 'too many requests', 'address_rate')}';",
        "        }",
        "        location = /leadline-unknown {",
        "            internal;",
        "            default_type application/problem+json;",
        "            add_header WWW-Authenticate Bearer always;",
        f"            return 401 '{_problem(401, 'unauthenticated', 'unauthenticated')}';",
        "        }",
    ]


def _locations(limit: str) -> list[str]:
    """Return what goes to a service: `limit` stands in each."""
    return [
        "        # Events: as they come, for as long as a run lasts.",
        "        location ~ ^/v1/research/[^/]+/events$ {",
        *_checked(limit),
        "            proxy_buffering off;",
        "            proxy_cache off;",
        "            gzip off;",
        "            proxy_read_timeout 1h;",
        "            proxy_pass http://leadline;",
        "        }",
        "        # Answers of the OpenAI-compatible API and of MCP may stream as well.",
        "        location ~ ^/(v1/chat/completions|mcp)$ {",
        *_checked(limit),
        "            proxy_buffering off;",
        "            gzip off;",
        "            proxy_read_timeout 1h;",
        "            proxy_pass http://leadline;",
        "        }",
        "        # Documents pass piece by piece, and are not kept here first.",
        "        location ~ ^/v1/corpora/[^/]+/documents/ {",
        *_checked(limit),
        "            proxy_request_buffering off;",
        "            proxy_pass http://leadline;",
        "        }",
        "        # Whoever has a link to a report has no key: the service looks at its token, and counts by it.",
        "        location /v1/shared/ {",
        *_open(limit),
        "        }",
        "        location /v1/ {",
        *_checked(limit),
        "            proxy_pass http://leadline;",
        "        }",
        "        # The pages, shared reports, and the health that a balancer above asks for.",
        "        location / {",
        *_open(limit),
        "        }",
    ]


def _open(limit: str) -> list[str]:
    """Return the lines of a location that asks nobody for a key."""
    return [
        limit,
        "            client_max_body_size 64k;",  # strangers' bodies are not kept here
        "            error_page 429 = /leadline-slower;",
        "            proxy_pass http://leadline;",
    ]


def _checked(limit: str) -> list[str]:
    """Return the lines of a location whose requests the service lets in first."""
    return [
        limit,
        "            auth_request /leadline-check;",
        "            auth_request_set $leadline_pass $upstream_http_x_leadline_pass;",
        "            auth_request_set $leadline_tenant $upstream_http_x_leadline_tenant;",
        "            auth_request_set $leadline_key $upstream_http_x_leadline_key;",
        "            auth_request_set $leadline_status $upstream_http_x_leadline_status;",
        "            auth_request_set $leadline_after $upstream_http_retry_after;",
        "            error_page 429 = /leadline-slower;",
        "            error_page 401 = /leadline-unknown;",
        "            error_page 403 = /leadline-refused;",
        "            error_page 500 = /leadline-away;",  # nobody said in time whether it may be let in
    ]


def _proxy(indent: str) -> list[str]:
    return [f"{indent}proxy_http_version 1.1;", *_headers(indent)]


def _headers(indent: str, more: Sequence[str] = ()) -> list[str]:
    """Return what goes to the service: a location that sets one header loses all that it would inherit."""
    sent = (
        'Connection ""',
        "Host $host",
        "X-Request-Id $leadline_request",
        "X-Forwarded-For $remote_addr",
        "X-Forwarded-Proto $scheme",
        "X-Leadline-Pass $leadline_pass",
        *more,
    )
    return [f"{indent}proxy_set_header {header};" for header in sent]


def _problem(status: int, title: str, code: str) -> str:
    body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": "refused at the door"}
    return codec.encode(body).decode()
