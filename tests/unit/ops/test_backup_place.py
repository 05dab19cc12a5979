"""A folder of backups that somebody else filled: its list of bodies names bodies, and no other files."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from leadline.errors import BackupUnusable
from leadline.ops.backup_place import LIST, Body, Place, line_of

ID = "20260101T000000Z"
HASH = "0123456789abcdef" * 4


def listed(folder: Path, data: bytes) -> list[Body]:
    place = Place.create(folder / "backups", passphrase=None)
    with place.write_part(ID, LIST, {}) as out:
        out.write(data)
    return list(place.bodies(ID))


def test_bodies_are_listed(tmp_path: Path) -> None:
    body = Body("acme", HASH, 7)
    assert listed(tmp_path, line_of(body)) == [body]


@pytest.mark.parametrize("name", ["../../../../etc/hostname", "..", "", f"{HASH}\n", f"/{HASH}", "\0", HASH.upper(), 7])
def test_a_name_that_is_no_hash_is_no_path_either(tmp_path: Path, name: object) -> None:
    with pytest.raises(BackupUnusable, match="a line that is none"):
        listed(tmp_path, orjson.dumps(["acme", name, 7]) + b"\n")


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    with pytest.raises(BackupUnusable, match="does not end"):
        listed(tmp_path, bytes(1 << 24))
