"""Units for systemd: Leadline's own processes on a machine whose stores are there already, hardened.

What a directive does: systemd.exec(5). `systemd-analyze security` judges the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leadline.ops.manifests.parts import MIGRATE, TOOL_PORTS

PROGRAM: Final = "/opt/leadline/bin/leadline"
USER: Final = "leadline"
TOOLS_USER: Final = "leadline-tools"
"""Tools read what strangers wrote and run what models write: they are a user without the others' secrets."""
HEAD: Final = "# Written by Leadline (leadline.ops.manifests); change the values there, or with: systemctl edit NAME\n"

_Lines = tuple[tuple[str, str], ...]

_HARDENED: Final[_Lines] = (
    ("NoNewPrivileges", "yes"),
    ("CapabilityBoundingSet", ""),
    ("AmbientCapabilities", ""),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectControlGroups", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("RestrictRealtime", "yes"),
    ("LockPersonality", "yes"),
    ("RemoveIPC", "yes"),
    ("SystemCallArchitectures", "native"),
    ("UMask", "0077"),
)
_ALONE: Final[_Lines] = (
    ("RestrictNamespaces", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectProc", "invisible"),
    ("ProcSubset", "pid"),
    ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
    ("SystemCallFilter", "@system-service"),
    # Landlock confines the processes that read documents.
    ("SystemCallFilter", "landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp"),
    ("SystemCallFilter", "~@privileged"),
    ("SystemCallErrorNumber", "EPERM"),
)
# Programs of a model run in namespaces of their own, which the sandbox makes; nothing here reaches the internet.
# What covers a piece of /proc is left out: the kernel then refuses a namespace its own /proc, and bubblewrap with it.
_SANDBOX: Final[_Lines] = (
    ("RestrictNamespaces", "user mnt pid net ipc uts cgroup"),
    ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX AF_NETLINK"),
    ("SystemCallFilter", "@system-service @mount"),
    ("SystemCallFilter", "landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp pivot_root"),
    ("SystemCallErrorNumber", "EPERM"),
    ("IPAddressDeny", "any"),
    ("IPAddressAllow", "localhost"),
)


_RELOAD: Final = ("ExecReload", "/bin/kill -HUP $MAINPID")
"""Model servers of the settings file are taken anew; the environment stays what it was at the start."""


def systemd_files() -> Mapping[str, str]:
    """Return the text of each unit, by its name; instances are ports (`leadline-service@8000`) or numbers."""
    tools = tuple(name for name, _ in TOOL_PORTS)
    serves = ("serve", "--port", "%i", "--notice", "5")
    files = {
        "leadline.target": _target(tools),
        "leadline-migrate.service": _migrate(),
        "leadline-service@.service": _unit("service on port %i", serves, memory="2G", more=(_RELOAD, *_ALONE)),
        # The instance is the port of its metrics.
        "leadline-worker@.service": _unit(
            "worker with metrics on port %i",
            ("worker", "--metrics-port", "%i"),
            memory="4G",
            more=(_RELOAD, *_ALONE),
            stop=90,
        ),
    }
    for name in tools:
        memory, more = ("4G", _SANDBOX) if name == "python" else ("2G", _ALONE)
        # Keys at providers, which one tool alone has a use for; there need be none.
        keys = ("EnvironmentFile", f"-/etc/leadline/tool-{name}.env")
        files[f"leadline-tool-{name}.service"] = _unit(
            f"tool {name}", ("serve-tool", name, "--notice", "5"), memory=memory, more=(keys, *more), user=TOOLS_USER
        )
    return files


def _section(name: str, lines: _Lines) -> str:
    return f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in lines)


def _target(tools: tuple[str, ...]) -> str:
    parts = [f"leadline-service@{port}.service" for port in (8000, 8010)]
    parts += [f"leadline-worker@{port}.service" for port in (9101, 9102)]
    parts += [f"leadline-tool-{name}.service" for name in tools]
    unit = (("Description", "Leadline: services, workers and tools"), ("Wants", " ".join(parts)))
    return HEAD + _section("Unit", unit) + "\n" + _section("Install", (("WantedBy", "multi-user.target"),))


def _migrate() -> str:
    unit = (
        ("Description", "Leadline: bring the tables to this version"),
        ("After", "network-online.target postgresql.service"),
        ("Wants", "network-online.target"),
        # So that a restart of the target, with another version, changes the tables first.
        ("PartOf", "leadline.target"),
        ("StartLimitIntervalSec", "0"),
    )
    again = (("Restart", "on-failure"), ("RestartSec", "5s"))  # a database may be up later than this machine
    service = (
        *(("Type", "oneshot"), ("RemainAfterExit", "yes"), *again),
        *_process(MIGRATE, memory="1G"),
        *_HARDENED,
        *_ALONE,
    )
    return HEAD + _section("Unit", unit) + "\n" + _section("Service", service)


def _unit(what: str, words: tuple[str, ...], *, memory: str, more: _Lines, stop: int = 60, user: str = USER) -> str:
    # Wanted, not required: what starts before the tables are there ends, and is started again, as long as it takes.
    # Tools have nothing to do with tables.
    first = "" if user == TOOLS_USER else " leadline-migrate.service"
    servers = "redis-server.service" if user == TOOLS_USER else "postgresql.service redis-server.service"
    unit = (
        ("Description", f"Leadline: {what}"),
        ("After", f"network-online.target{first} {servers}"),
        ("Wants", f"network-online.target{first}"),
        ("PartOf", "leadline.target"),
        ("StartLimitIntervalSec", "0"),
    )
    service = (
        ("Type", "exec"),
        *_process(words, memory=memory, user=user),
        # SIGTERM to the first process alone: it tells its own children.
        ("KillMode", "mixed"),
        ("TimeoutStopSec", f"{stop}s"),
        ("Restart", "always"),
        ("RestartSec", "2s"),
        *_HARDENED,
        *more,
    )
    install = (("WantedBy", "leadline.target"),)
    return HEAD + "\n".join((_section("Unit", unit), _section("Service", service), _section("Install", install)))


def _process(words: tuple[str, ...], *, memory: str, user: str = USER) -> _Lines:
    data = f"/var/lib/{user}"
    # Homes are closed (`ProtectHome`): the settings file is looked for beside the environment's.
    config = "/etc" if user == USER else f"/etc/{user}"
    return (
        ("ExecStart", " ".join((PROGRAM, *words))),
        ("EnvironmentFile", f"/etc/leadline/{user.removeprefix('leadline-')}.env"),
        ("Environment", f"LEADLINE_DATA_DIR={data} LEADLINE_LOG__FORMAT=json XDG_CONFIG_HOME={config}"),
        ("User", user),
        ("Group", user),
        ("StateDirectory", user),
        ("StateDirectoryMode", "0700"),
        ("WorkingDirectory", data),
        ("MemoryMax", memory),
        ("TasksMax", "512"),
        ("LimitNOFILE", "65536"),
    )
