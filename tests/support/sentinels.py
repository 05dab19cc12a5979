"""A Redis, its replica, and sentinels that let the replica take over."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tests.support.redis import HOST, NONE, Guard, Redis
from tests.support.waiting import until

MASTER: Final = "leadline"


class Sentinels:
    """A running set."""

    def __init__(self, primary: Redis, replica: Redis, sentinels: Sequence[Redis]) -> None:
        self.primary = primary
        self.replica = replica
        self.sentinels = sentinels

    @property
    def engine(self) -> str:
        """Return the setting `engine` that asks the sentinels who is master, with all that servers ask for."""
        return self.address()

    def address(self, *, user: str = "", password: str | None = None, asked: str | None = None) -> str:
        """Return it with another user or password, or another password for the sentinels."""
        guard, own = self.primary.guard, self.sentinels[0].guard.password
        word = guard.password if password is None else password
        signed = f"{user}:{quote(word, safe='')}@" if word else ""
        hosts = ",".join(f"{HOST}:{each.port}" for each in self.sentinels)
        options = [] if guard.tls is None else ["tls=1", f"ssl_ca_certs={guard.tls.file}"]
        if asked or own:
            options.append(f"sentinel_password={quote(asked or own or '', safe='')}")
        query = "?" + "&".join(options) if options else ""
        return f"celery+sentinel://{signed}{hosts}/{MASTER}{query}"

    def master(self) -> int:
        """Return the port of who is master now, as the first sentinel knows it."""
        words = self.sentinels[0].command("SENTINEL", "get-master-addr-by-name", MASTER).split(b"\r\n")
        return int(words[4])

    def took_over(self) -> bool:
        """Tell whether the replica is master, and takes writes."""
        return self.master() == self.replica.port and b"role:master" in self.replica.command("INFO", "replication")


@contextmanager
def running_sentinels(
    folder: Path, *, count: int = 1, guard: Guard = NONE, sentinels: Guard = NONE
) -> Iterator[Sentinels]:
    """Yield a pair of Redis and `count` sentinels, of which more than half decide; they are dead afterwards.

    `guard` holds for the pair, `sentinels` for the sentinels.
    """
    with ExitStack() as stack:

        def started(name: str, *options: str, rules: str = "") -> Redis:
            home = folder / name
            home.mkdir()
            server = _Sentinel(home, rules, guard=sentinels) if rules else Redis(home, options=options, guard=guard)
            stack.callback(server.stop)
            server.start()
            return server

        primary = started("primary")
        replica = started("replica", "--replicaof", HOST, str(primary.port), "--repl-diskless-sync-delay", "0")
        until(lambda: b"master_link_status:up" in replica.command("INFO", "replication"))
        rules = _rules(primary, quorum=count // 2 + 1, among=sentinels.password)
        made = [started(f"sentinel{number}", rules=rules) for number in range(count)]
        for sentinel in made:
            until(lambda one=sentinel: _knows(one, count - 1))  # type: ignore[misc]  # a lambda's default has no type
        yield Sentinels(primary, replica, made)


def _knows(sentinel: Redis, others: int) -> bool:
    told = sentinel.command("SENTINEL", "master", MASTER)
    return b"num-slaves\r\n$1\r\n1" in told and f"num-other-sentinels\r\n$1\r\n{others}".encode() in told


class _Sentinel(Redis):
    """A sentinel: it writes what it learns into its configuration."""

    def __init__(self, folder: Path, rules: str, *, guard: Guard) -> None:
        super().__init__(folder, guard=guard)
        words = " ".join(guard.options(self.port))
        own = "\n".join(line for line in words.split("--") if line and not line.startswith("masterauth"))
        self._file = folder / "sentinel.conf"
        self._file.write_text(f"{own}\nbind {HOST}\ndir {folder}\nlogfile sentinel.log\n{rules}")

    def start(self) -> None:
        self._process = subprocess.Popen(["redis-server", str(self._file), "--sentinel"], cwd=self._folder)
        until(self._answers)


def _rules(primary: Redis, *, quorum: int, among: str | None) -> str:
    rules = [
        f"sentinel monitor {MASTER} {HOST} {primary.port} {quorum}",
        f"sentinel down-after-milliseconds {MASTER} 1000",
        f"sentinel failover-timeout {MASTER} 5000",
    ]
    if primary.guard.password is not None:
        rules.append(f"sentinel auth-pass {MASTER} {primary.guard.password}")
    if among is not None:
        rules.append(f"sentinel sentinel-pass {among}")
    return "\n".join(rules) + "\n"
