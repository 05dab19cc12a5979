"""Files of a backup: whatever is written comes back; whatever was changed, cut or moved does not open."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from leadline.errors import BackupUnusable
from leadline.ops.backup_files import PIECE, TEMPORARY, Files, Kdf, check_of

KEY = bytes(range(32))
# Sizes at which pieces begin and end; what cannot be packed keeps its size.
SIZES = [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 17]


def noise(size: int) -> bytes:
    return hashlib.shake_128(b"noise").digest(size)


def written(folder: Path, files: Files, *pieces: bytes, name: str = "a") -> Path:
    with files.write(folder / "file", name=name) as out:
        for piece in pieces:
            out.write(piece)
    return folder / "file"


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "sealed"])
@pytest.mark.parametrize("size", SIZES)
def test_what_was_written_comes_back(tmp_path: Path, key: bytes | None, size: int) -> None:
    files = Files(key)
    path = written(tmp_path, files, noise(size)[: size // 2], noise(size)[size // 2 :])
    assert b"".join(files.read(path, name="a")) == noise(size)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_the_sum_is_of_what_lies_there(tmp_path: Path) -> None:
    with Files(KEY).write(tmp_path / "file", name="a") as out:
        out.write(noise(100_000))
    raw = (tmp_path / "file").read_bytes()
    assert out.sum == (hashlib.sha256(raw).hexdigest(), len(raw))


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_changed_bit_does_not_open(tmp_path_factory: pytest.TempPathFactory, place: int, bit: int) -> None:
    path = written(tmp_path_factory.mktemp("f"), Files(KEY), noise(2 * PIECE + 5))
    raw = bytearray(path.read_bytes())
    raw[place % len(raw)] ^= 1 << bit
    path.write_bytes(raw)
    with pytest.raises(BackupUnusable):
        list(Files(KEY).read(path, name="a"))


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "sealed"])
def test_a_cut_file_does_not_open(tmp_path: Path, key: bytes | None) -> None:
    path = written(tmp_path, Files(key), noise(2 * PIECE + 5))
    raw = path.read_bytes()
    sealed = PIECE + 16
    for length in {0, 1, 15, 16, 16 + sealed - 1, 16 + sealed, 16 + 2 * sealed, len(raw) - 1}:
        path.write_bytes(raw[: min(length, len(raw) - 1)])
        with pytest.raises(BackupUnusable):
            list(Files(key).read(path, name="a"))
    path.write_bytes(raw + raw)
    with pytest.raises(BackupUnusable):
        list(Files(key).read(path, name="a"))


def test_pieces_do_not_change_places(tmp_path: Path) -> None:
    path = written(tmp_path, Files(KEY), noise(3 * PIECE))
    raw = path.read_bytes()
    salt, sealed = raw[:16], PIECE + 16
    first, second = raw[16 : 16 + sealed], raw[16 + sealed : 16 + 2 * sealed]
    path.write_bytes(salt + second + first + raw[16 + 2 * sealed :])
    with pytest.raises(BackupUnusable):
        list(Files(KEY).read(path, name="a"))


def test_a_file_opens_under_its_name_and_key_alone(tmp_path: Path) -> None:
    path = written(tmp_path, Files(KEY), b"text", name="20260101T000000Z/runs.db")
    for files, name in ((Files(KEY), "20260102T000000Z/runs.db"), (Files(bytes(32)), "20260101T000000Z/runs.db")):
        with pytest.raises(BackupUnusable):
            list(files.read(path, name=name))


def test_the_same_text_is_sealed_differently_each_time(tmp_path: Path) -> None:
    first = written(tmp_path, Files(KEY), b"text").read_bytes()
    assert written(tmp_path, Files(KEY), b"text").read_bytes() != first


def test_names_tell_nothing_without_the_key() -> None:
    body = hashlib.sha256(b"known text").hexdigest()
    assert Files().name_of(body) == body
    assert Files(KEY).name_of(body) == Files(KEY).name_of(body) != body
    assert Files(KEY).name_of(body) != Files(bytes(32)).name_of(body)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def cut_off() -> None:
        with Files().write(tmp_path / "file", name="a") as out:
            out.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cut_off()
    assert list(tmp_path.glob(f"{TEMPORARY}*")) == []
    assert not (tmp_path / "file").exists()


def test_the_key_comes_from_passphrase_and_salt() -> None:
    cheap = {"n": 1 << 10, "r": 8, "p": 1}
    key = Kdf(salt=b"s" * 16, **cheap).key("correct horse")
    # RFC 7914, section 12, by the standard library's own scrypt with these costs.
    assert key == hashlib.scrypt(b"correct horse", salt=b"s" * 16, n=1 << 10, r=8, p=1, dklen=32)
    assert key != Kdf(salt=b"t" * 16, **cheap).key("correct horse")
    assert key != Kdf(salt=b"s" * 16, **cheap).key("correct hors")
    assert check_of(key) not in key.hex()


def test_what_unfolds_without_bound_comes_in_pieces(tmp_path: Path) -> None:
    packer = zstandard.ZstdCompressor(level=19).compressobj()
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    path = tmp_path / "file"
    path.write_bytes(packed)
    sizes = [len(piece) for piece in Files().read(path, name="a")]
    assert len(packed) < 1 << 15
    assert (sum(sizes), max(sizes) <= 64 << 20) == (1 << 28, True)
