"""A compose file for one machine with containers: profiles say how much of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Final

from leadline.domain import Json
from leadline.ops.manifests.parts import (
    DATA,
    MIGRATE,
    PORT,
    SECRET_SETTINGS,
    TOOL,
    USER,
    Deployment,
    Part,
    needed_by,
)
from leadline.ops.manifests.providers import CHOICES, all_choices, choices_of
from leadline.ops.monitoring import Named, Targets, alertmanager_files, prometheus_files
from leadline.ops.nginx import Balancer, nginx_conf
from leadline.ops.redis import FORGETS, KEEPS, LIMITS_USER, limits_user
from leadline.ops.yaml import yaml_text

HEAD: Final = "Written by Leadline (leadline.ops.manifests); change the values there. Needs .env: see example.env."
NGINX: Final = "/var/lib/nginx"
MONITORING: Final = "monitoring"
OPERATOR: Final = "operator"

_POSTGRES: Final = "postgres:15"
_REDIS: Final = "redis:7"
_NGINX: Final = "nginx:1.28"
_PROMETHEUS: Final = "prom/prometheus:v2.53.5"
_ALERTMANAGER: Final = "prom/alertmanager:v0.28.1"

_EXAMPLE: Final = """\
# Copy to .env, readable by you alone (chmod 600), and fill in. Secrets: openssl rand -hex 24
POSTGRES_PASSWORD=
REDIS_QUEUE_PASSWORD=
REDIS_CACHE_PASSWORD=
REDIS_LIMITS_PASSWORD=
LEADLINE_TOOLS__KEY=
LEADLINE_METRICS__KEY=
# 32 bytes: openssl rand -base64 32 | tr '+/' '-_'
LEADLINE_SECRETS__KEY=
# Model servers; without them reports are made of quotations.
LEADLINE_MODEL__URLS=
LEADLINE_MODEL__NAME=
LEADLINE_MODEL__API_KEY=
{choices}
# The folder with fullchain.pem and private.pem, and the port of HTTPS.
TLS_FOLDER=./tls
HTTPS_PORT=443
"""

_KEY: Final = "LEADLINE_METRICS__KEY"
_KEYS: Final = "/run/leadline"
"""Where Prometheus finds the key of metrics: in memory."""

_OWN: Final = frozenset({"S3__ACCESS_KEY", "S3__SECRET_KEY", "STORE", "ENGINE", "CACHE", "LIMITS"})


def compose_files(deployment: Deployment) -> Mapping[str, str]:
    """Return the text of each file, by its name beside `compose.yaml`."""
    found = {part.name: Named(part=part.name, port=part.port, least=_replicas(part)) for part in deployment.parts}
    targets = Targets(
        service=(found["service"],),
        worker=(found["worker"],),
        tools=tuple(found[part.name] for part in deployment.parts if part.is_tool),
        vllm=(),
        alertmanager="alertmanager:9093",
        key_file=f"{_KEYS}/metrics",
        runbooks=deployment.runbooks,
    )
    monitoring = {f"prometheus/{name}": text for name, text in prometheus_files(targets).items()}
    monitoring |= {
        f"alertmanager/{name}": text for name, text in alertmanager_files(webhook=deployment.alerts_to).items()
    }
    return {
        "compose.yaml": yaml_text(_document(deployment), head=HEAD),
        "example.env": _example(),
        "nginx.conf": nginx_conf(
            Balancer(
                services=(f"service:{PORT}",),
                certificate=PurePosixPath("/etc/leadline/tls/fullchain.pem"),
                key=PurePosixPath("/etc/leadline/tls/private.pem"),
                folder=PurePosixPath(NGINX),
                port=8443,
                plain_port=None,
                server_name=deployment.host,
                # What is written in a container fills its memory, or is rotated by what keeps its output.
                access_log=PurePosixPath("/dev/stdout"),
                error_log=PurePosixPath("/dev/stderr"),
                # Docker's: replicas come and go, and get other addresses.
                resolver="127.0.0.11",
            )
        ),
        **monitoring,
    }


def _example() -> str:
    """Return the file of settings: with each choice stands who has a use for it."""
    lines = ["# Other models, providers and their keys; several keys of one are separated by commas."]
    told = ""
    for setting in all_choices():
        users = ", ".join(name for name in CHOICES if setting in CHOICES[name] and name != OPERATOR)
        lines += [f"# {users}:"] if users != told else []
        lines.append(f"LEADLINE_{setting}=")
        told = users
    return _EXAMPLE.format(choices="\n".join(lines))


def _document(deployment: Deployment) -> dict[str, Json]:
    services: dict[str, Json] = {
        "postgres": _postgres(),
        "redis-queue": _redis("queue", KEEPS, counts="REDIS_LIMITS_PASSWORD"),
        "redis-cache": _redis("cache", FORGETS),
        "migrate": _migrate(deployment),
        **{part.name: _part(deployment, part) for part in deployment.parts},
        "operator": _operator(deployment),
        "nginx": _nginx(),
        "prometheus": _prometheus(),
        "alertmanager": _alertmanager(),
    }
    volumes: dict[str, Json] = dict.fromkeys(("database", "queue", "bodies", "metrics", "alerts"))
    return {
        "name": "leadline",
        "services": services,
        "networks": {"front": {}, "back": {}, **{name: {"internal": True} for name in ("tools", "stores", "counts")}},
        "volumes": volumes,
    }


def _hardened(*, memory: str, user: str | None = None) -> dict[str, Json]:
    found: dict[str, Json] = {
        "restart": "unless-stopped",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": memory,
        "pids_limit": 512,
        "logging": {"driver": "json-file", "options": {"max-size": "16m", "max-file": "4"}},
    }
    return found | ({"user": user} if user is not None else {})


def _checked(*words: str, start: str = "60s") -> Json:
    test: list[Json] = ["CMD", *words]
    return {"test": test, "interval": "10s", "timeout": "5s", "retries": 3, "start_period": start}


def _postgres() -> Json:
    return _hardened(memory="1g", user="999:999") | {
        "image": _POSTGRES,
        "environment": {
            "POSTGRES_USER": "leadline",
            "POSTGRES_DB": "leadline",
            "POSTGRES_PASSWORD": "${POSTGRES_PASSWORD:?see example.env}",
            "POSTGRES_INITDB_ARGS": "--auth=scram-sha-256",
        },
        "command": ["postgres", "-c", "max_connections=300"],
        "volumes": ["database:/var/lib/postgresql/data"],
        "tmpfs": ["/tmp", "/var/run/postgresql:uid=999,gid=999"],  # noqa: S108 in a container
        "networks": ["stores"],
        "healthcheck": _checked("pg_isready", "-U", "leadline"),
        "stop_signal": "SIGINT",
        "stop_grace_period": "60s",
    }


def _redis(name: str, options: Iterable[tuple[str, str]], *, counts: str | None = None) -> Json:
    """Return a Redis; `counts` is the variable with the password of the user who counts limits there."""
    password = f"REDIS_{name.upper()}_PASSWORD"
    variables = [password, *([counts] if counts is not None else [])]
    # Passwords come by the environment, and leave it by standard input: no list of processes shows them.
    lines = "requirepass %s\\n" + (f"{limits_user('%s')}\\n" if counts is not None else "")
    given = " ".join(f'"$${variable}"' for variable in variables)
    words = " ".join(_quoted(word) for option, value in options for word in (f"--{option}", value))
    start = f"printf '{lines}' {given} | exec redis-server - {words}"
    found = _hardened(memory="768m", user="999:999") | {
        "image": _REDIS,
        "environment": {variable: f"${{{variable}:?see example.env}}" for variable in variables},
        "entrypoint": ["sh", "-c", start],
        "working_dir": "/data",
        "tmpfs": ["/tmp"],  # noqa: S108 in a container
        "networks": ["counts"],
        "healthcheck": _checked("sh", "-c", f'REDISCLI_AUTH="$${password}" redis-cli ping | grep -q PONG', start="5s"),
    }
    return found | ({"volumes": ["queue:/data"]} if name == "queue" else {"tmpfs": ["/tmp", "/data"]})  # noqa: S108 as above


def _quoted(word: str) -> str:
    return word if word and word.replace("-", "").isalnum() else f"'{word}'"


def _variables(deployment: Deployment) -> dict[str, Json]:
    """Return the settings: those of the deployment, and where the stores of this file are."""
    plain = deployment.settings(proxies="172.16.0.0/12")
    left_out = ("LEADLINE_S3__", "LEADLINE_MODEL__")
    found: dict[str, Json] = {name: value for name, value in plain.items() if not name.startswith(left_out)}
    found |= {
        "LEADLINE_STORE": "postgresql://leadline:${POSTGRES_PASSWORD}@postgres/leadline",
        "LEADLINE_ENGINE": "celery+redis://:${REDIS_QUEUE_PASSWORD}@redis-queue:6379/0",
        "LEADLINE_CACHE": "redis://:${REDIS_CACHE_PASSWORD}@redis-cache:6379/0",
        # Counts must not be forgotten to make room, as answers may; and tools, who count too, see no queue.
        "LEADLINE_LIMITS": f"redis://{LIMITS_USER}:${{REDIS_LIMITS_PASSWORD}}@redis-queue:6379/1",
        # One machine: a volume that all share. For several, set a bucket of S3.
        "LEADLINE_BLOBS": f"file://{DATA}/blobs",
        "LEADLINE_MODEL__URLS": "${LEADLINE_MODEL__URLS:-}",
        "LEADLINE_MODEL__NAME": "${LEADLINE_MODEL__NAME:-}",
        "LEADLINE_MODEL__API_KEY": "${LEADLINE_MODEL__API_KEY:-}",
    }
    keys = [f"LEADLINE_{name}" for name in SECRET_SETTINGS if name not in _OWN and not name.startswith("MODEL")]
    return found | {name: f"${{{name}:?see example.env}}" for name in keys}


def _chosen(deployment: Deployment, name: str) -> dict[str, Json]:
    """Return the choices of a part: from `.env`, where they are chosen there."""
    return {
        f"LEADLINE_{setting}": f"${{LEADLINE_{setting}:-{deployment.choices.get(setting, '')}}}"
        for setting in choices_of(name)
    }


def _own(deployment: Deployment, name: str, *, memory: str) -> dict[str, Json]:
    found = _hardened(memory=memory, user=f"{USER}:{USER}") | {
        "image": deployment.image,
        # Children of a process that was killed come to the first one, which must take their ends.
        "init": True,
        "environment": needed_by(name, _variables(deployment)) | _chosen(deployment, name),
    }
    if name.startswith(TOOL):  # it keeps nothing, and bodies of tenants are not for it
        return found | {"tmpfs": ["/tmp", f"{DATA}:uid={USER},gid={USER},mode=0700"]}  # noqa: S108 in a container
    return found | {"tmpfs": ["/tmp"], "volumes": [f"bodies:{DATA}"]}  # noqa: S108 as above


def _migrate(deployment: Deployment) -> Json:
    words: list[Json] = [*MIGRATE]
    return _own(deployment, "migrate", memory="256m") | {
        "build": {"context": "../..", "dockerfile": "deploy/docker/Dockerfile"},
        "command": words,
        "restart": "on-failure",
        "networks": ["stores"],
        "depends_on": {"postgres": {"condition": "service_healthy"}},
    }


def _operator(deployment: Deployment) -> Json:
    """Return what commands run in: `docker compose run --rm operator keys create ...`."""
    found = _own(deployment, OPERATOR, memory="1g")
    # Containers of one machine reach each other over networks of its own: `preflight` asks for no TLS there.
    neighbours = ("postgres", "redis-queue", "redis-cache", *(part.name for part in deployment.parts if part.is_tool))
    environment = needed_by(OPERATOR, _variables(deployment)) | _chosen(deployment, OPERATOR)
    around: dict[str, Json] = {
        "TRUSTED": ",".join(neighbours),
        "PROMETHEUS": "http://prometheus:9090",
        "ALERTMANAGER": "http://alertmanager:9093",
    }
    return found | {
        "environment": environment | {f"LEADLINE_PREFLIGHT__{name}": value for name, value in around.items()},
        "profiles": [OPERATOR],
        "command": ["--help"],
        "restart": "no",
        "networks": ["tools", "stores", "counts", "back", "front"],
    }


def _part(deployment: Deployment, part: Part) -> Json:
    # Who is in the first network alone, as programs of a model are, reaches tools and nobody else.
    networks = ["tools", *(name for name in ("stores", "counts") if name in part.reach)]
    networks += ["back"] if part.reach & {"web", "models"} else []
    networks += ["front"] if part.name == "service" else []
    listed: list[Json] = [*networks]
    words: list[Json] = [*part.words]
    needs: dict[str, Json] = {"migrate": {"condition": "service_completed_successfully"}}
    needs |= {name: {"condition": "service_healthy"} for name in ("redis-queue", "redis-cache")}
    look = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{part.port}/healthz', timeout=4)"
    megabytes = int(part.memory.removesuffix("Mi"))
    return _own(deployment, part.name, memory=f"{megabytes}m") | {
        "command": words,
        "networks": listed,
        "depends_on": needs,
        "healthcheck": _checked("python3", "-c", look),
        "stop_grace_period": f"{part.drain}s",
        "deploy": {"replicas": _replicas(part)},
    }


def _replicas(part: Part) -> int:
    return part.least if part.name in {"service", "worker"} else 1


def _nginx() -> Json:
    return _hardened(memory="256m", user="101:101") | {
        "image": _NGINX,
        "command": ["nginx", "-c", "/etc/leadline/nginx.conf", "-g", "daemon off;"],
        "ports": ["${HTTPS_PORT:-443}:8443"],
        "volumes": [
            "./nginx.conf:/etc/leadline/nginx.conf:ro",
            "${TLS_FOLDER:-./tls}:/etc/leadline/tls:ro",
        ],
        "tmpfs": [f"{NGINX}:uid=101,gid=101,size=128m", "/tmp"],  # noqa: S108 in a container
        "networks": ["front"],
        "depends_on": {"service": {"condition": "service_healthy"}},
        "stop_signal": "SIGQUIT",
        "stop_grace_period": "30s",
    }


def _prometheus() -> Json:
    return _hardened(memory="1g", user="65534:65534") | {
        "image": _PROMETHEUS,
        "profiles": [MONITORING],
        "environment": {_KEY: f"${{{_KEY}:?see example.env}}"},
        # Compose lays no secret from `.env` into a container that is read-only: it lays the file down itself.
        "entrypoint": ["sh", "-c", f'umask 077; printf %s "$${_KEY}" > {_KEYS}/metrics; exec prometheus "$$@"', "sh"],
        "command": [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            "--storage.tsdb.retention.time=15d",
        ],
        "tmpfs": [f"{_KEYS}:uid=65534,gid=65534,mode=0700"],
        "volumes": ["./prometheus:/etc/prometheus:ro", "metrics:/prometheus"],
        "ports": ["127.0.0.1:9090:9090"],
        "networks": ["back", "tools"],
    }


def _alertmanager() -> Json:
    return _hardened(memory="256m", user="65534:65534") | {
        "image": _ALERTMANAGER,
        "profiles": [MONITORING],
        "command": ["--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"],
        "volumes": ["./alertmanager:/etc/alertmanager:ro", "alerts:/alertmanager"],
        "ports": ["127.0.0.1:9093:9093"],
        "networks": ["back"],
    }
