"""A real Ceph with its S3 gateway, of one machine and in memory: the true server of the long tests."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from socket import socket
from typing import Final

from leadline.blobs.s3_place import Bucket

KEY: Final = "key-of-the-tests"
SECRET: Final = "secret-of-the-tests"
_READY: Final = 240.0

_CONFIGURATION = """
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{ports[0]}/0,v1:127.0.0.1:{ports[1]}/0]
public_network = 127.0.0.0/8
cluster_network = 127.0.0.0/8
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
osd_objectstore = memstore
memstore_device_bytes = 4294967296
rgw_frontends = beast endpoint=127.0.0.1:{ports[2]}
rgw_rados_pool_pg_num_min = 4
keyring = {folder}/keyring
log_file = {folder}/$name.log
run_dir = {folder}
admin_socket = {folder}/$name.asok
pid_file = {folder}/$name.pid
mon_data = {folder}/mon
osd_data = {folder}/osd
mgr_data = {folder}/mgr
rgw_data = {folder}/rgw
"""


class Ceph:
    """A running cluster with a gateway."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.fsid = str(uuid.uuid4())
        self._ports = [_free_port() for _ in range(3)]
        self.endpoint = f"http://127.0.0.1:{self._ports[2]}"

    def start(self) -> None:
        """Make the cluster, start its parts, and wait until the gateway answers."""
        folder = self._folder
        for name in ("mon", "osd", "mgr", "rgw"):
            (folder / name).mkdir()
        settings = _CONFIGURATION.format(fsid=self.fsid, ports=self._ports, folder=folder)
        (folder / "ceph.conf").write_text(settings)
        self._keys()
        places = f"[v2:127.0.0.1:{self._ports[0]},v1:127.0.0.1:{self._ports[1]}]"
        self.run("monmaptool", "--create", "--fsid", self.fsid, "--addv", "a", places, "monmap", configured=False)
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", "keyring")
        self._serve("ceph-mon", "-i", "a")
        self._serve("ceph-mgr", "-i", "x")
        osd = str(uuid.uuid4())
        self.run("ceph", "osd", "new", osd)
        self.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._serve("ceph-osd", "-i", "0")
        self.admin("user", "create", "--uid=app", "--display-name=app", f"--access-key={KEY}", f"--secret-key={SECRET}")
        self._serve("radosgw", "-n", "client.rgw.a")
        self._wait()

    def bucket(self, prefix: str = "", *, name: str = "tests") -> Bucket:
        """Return how a bucket is reached, below a prefix."""
        return Bucket(name=name, prefix=prefix, endpoint=self.endpoint, access_key=KEY, secret_key=SECRET)

    def admin(self, *words: str) -> str:
        """Return what the gateway's own tool says."""
        return self.run("radosgw-admin", *words)

    def run(self, program: str, *words: str, configured: bool = True) -> str:
        """Return what one of Ceph's programs says."""
        extra = ("-c", "ceph.conf") if configured else ()
        done = subprocess.run(
            [program, *extra, *words], cwd=self._folder, capture_output=True, text=True, check=False, timeout=_READY
        )
        if done.returncode:
            raise RuntimeError(f"{program} {' '.join(words)}: {done.stderr[-2000:]}")
        return done.stdout

    def _keys(self) -> None:
        self.run("ceph-authtool", "--create-keyring", "keyring", configured=False)
        caps = (
            "--cap",
            "mon",
            "allow *",
            "--cap",
            "osd",
            "allow *",
            "--cap",
            "mgr",
            "allow *",
            "--cap",
            "mds",
            "allow *",
        )
        for name in ("mon.", "client.admin", "osd.0", "mgr.x", "client.rgw.a"):
            self.run("ceph-authtool", "keyring", "--gen-key", "-n", name, *caps, configured=False)

    def _serve(self, program: str, *words: str) -> None:
        with (self._folder / "output").open("ab") as output:
            process = subprocess.Popen(
                [program, "-c", "ceph.conf", "-f", *words], cwd=self._folder, stdout=output, stderr=output
            )

        def end() -> None:
            process.kill()
            process.wait()

        self._stack.callback(end)

    def _wait(self) -> None:
        end = time.monotonic() + _READY
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(self.endpoint, timeout=5):  # noqa: S310 an address of our own server
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        raise RuntimeError(f"Ceph's gateway did not start; see {self._folder}")


def make_bucket(ceph: Ceph, name: str) -> None:
    """Make a bucket with a signed request of its own: the product never makes one."""
    from obstore import sign  # noqa: PLC0415 as the product

    address = sign(ceph.bucket(name=name).open(), "PUT", "", timedelta(minutes=5))
    request = urllib.request.Request(address, method="PUT")  # noqa: S310 an address of our own server
    with urllib.request.urlopen(request, timeout=60):  # noqa: S310 as above
        return


def used_bytes(ceph: Ceph, bucket: str) -> int:
    """Return how much the gateway counts in a bucket."""
    stats = json.loads(ceph.admin("bucket", "stats", f"--bucket={bucket}"))
    return sum(part.get("size", 0) for part in stats.get("usage", {}).values())


def _free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_ceph() -> Iterator[Ceph]:
    """Yield a cluster that runs; it and what it held are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ceph-", ignore_cleanup_errors=True) as name, ExitStack() as stack:
        folder = Path(name)
        ceph = Ceph(folder, stack)
        ceph.start()
        yield ceph
