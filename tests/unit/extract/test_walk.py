from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from tests.support.rights import as_anybody

from leadline.errors import MissingPath
from leadline.extract.walk import Walk, walk
from leadline.extract.walk_rules import Skip, is_secret


def make(root: Path, *names: str, text: str = "words") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def found(result: Walk) -> list[str]:
    return [file.relative for file in result.files]


def test_files_come_sorted_with_their_facts(tmp_path: Path) -> None:
    make(tmp_path, "b.txt", "a/z.md", "a/b/c.html", "中文.txt")
    result = walk([tmp_path])
    assert found(result) == ["a/b/c.html", "a/z.md", "b.txt", "中文.txt"]
    first = result.files[0]
    facts = first.path.stat()
    assert (first.root, first.path) == (tmp_path, tmp_path / "a/b/c.html")
    assert (first.size, first.mtime_ns, first.inode) == (5, facts.st_mtime_ns, facts.st_ino)
    assert first.ctime_ns == facts.st_ctime_ns
    assert result == walk([str(tmp_path)])


def test_what_is_left_out_is_counted_with_examples(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", ".hidden", ".git/config", "id_rsa", "server.key", "photo.JPG", "node_modules/x/index.js")
    make(tmp_path, "empty.txt", text="")
    make(tmp_path, "big.txt", text="x" * 100)
    os.mkfifo(tmp_path / "pipe")
    result = walk([tmp_path], max_file_bytes=50)
    assert found(result) == ["a.txt"]
    assert {entry.reason: entry.count for entry in result.skipped} == {
        Skip.HIDDEN: 2,
        Skip.SECRET: 2,
        Skip.BINARY: 1,
        Skip.TOOLS: 1,
        Skip.EMPTY: 1,
        Skip.LARGE: 1,
        Skip.SPECIAL: 1,
    }
    assert result.count(Skip.HIDDEN) == 2
    secret = next(entry for entry in result.skipped if entry.reason == Skip.SECRET)
    assert secret.examples == (str(tmp_path / "id_rsa"), str(tmp_path / "server.key"))


@pytest.mark.parametrize(
    "name",
    [".env", ".env.local", "prod.env", "id_ed25519", "id_rsa.pub", "CERT.PEM", "a.p12", "vault.kdbx", "known_hosts",
     "credentials", "credentials.json", "aws_credentials.txt", ".netrc", "terraform.tfstate"],
)  # fmt: skip
def test_keys_and_passwords_are_known_by_name(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["keynote.txt", "environment.md", "key.txt", "secretary.pdf", "authors"])
def test_ordinary_names_are_no_secrets(name: str) -> None:
    assert not is_secret(name)


def test_links_are_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    make(outside, "secret.txt")
    make(root, "a/real.txt")
    (root / "out").symlink_to(outside)
    (root / "out.txt").symlink_to(outside / "secret.txt")
    (root / "cycle").symlink_to(root)
    (root / "a" / "again.txt").symlink_to(root / "a" / "real.txt")
    (root / "gone.txt").symlink_to(root / "nothing")
    result = walk([root])
    assert found(result) == ["a/real.txt"]
    assert result.count(Skip.LINK_OUTSIDE) == 2
    assert result.count(Skip.LINK_INSIDE) == 2
    assert result.count(Skip.LINK_BROKEN) == 1


def test_a_sibling_with_the_roots_name_as_prefix_is_outside(tmp_path: Path) -> None:
    make(tmp_path, "docs/a.txt", "docs-private/b.txt")
    (tmp_path / "docs" / "b").symlink_to(tmp_path / "docs-private")
    assert walk([tmp_path / "docs"]).count(Skip.LINK_OUTSIDE) == 1


def test_ignore_files_hold_below_their_folder_and_the_inner_one_decides(tmp_path: Path) -> None:
    make(
        tmp_path, "a.log", "keep.log", "build/x.txt", "sub/a.log", "sub/deep/b.tmpx", "b.tmpx", "top.txt", "sub/top.txt"
    )
    (tmp_path / ".gitignore").write_text("# comment\n*.log\n!keep.log\nbuild/\n/top.txt\n", "utf-8")
    (tmp_path / "sub" / ".ignore").write_text("!a.log\n*.tmpx\n", "utf-8")
    result = walk([tmp_path])
    assert found(result) == ["b.tmpx", "keep.log", "sub/a.log", "sub/top.txt"]
    assert result.count(Skip.IGNORED) == 4


def test_a_damaged_ignore_file_ignores_nothing(tmp_path: Path) -> None:
    make(tmp_path, "a.txt")
    (tmp_path / ".gitignore").write_bytes(b"\xff\xfe\x00[z-a]\n!!\n\\\n")
    assert "a.txt" in found(walk([tmp_path]))


def test_one_file_may_be_a_root_even_if_hidden(tmp_path: Path) -> None:
    make(tmp_path, ".notes.txt", "id_rsa")
    result = walk([tmp_path / ".notes.txt", tmp_path / "id_rsa"])
    assert found(result) == [".notes.txt"]
    assert result.count(Skip.SECRET) == 1


def test_overlapping_roots_give_a_file_once(tmp_path: Path) -> None:
    make(tmp_path, "a/b.txt", "c.txt")
    result = walk([tmp_path, tmp_path / "a", tmp_path / "c.txt"])
    assert found(result) == ["a/b.txt", "c.txt"]
    assert result.count(Skip.TWICE) == 2


def test_a_missing_root_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingPath, match="No such file"):
        walk([tmp_path / "nothing"])
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(MissingPath):
        walk([tmp_path / "loop"])


def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "closed/b.txt", "c.txt")
    (tmp_path / "closed").chmod(0)
    (tmp_path / "c.txt").chmod(0)
    try:
        result = as_anybody(lambda: walk([tmp_path]))
        assert found(result) == ["a.txt"]
        assert result.count(Skip.UNREADABLE) == 2
        with pytest.raises(MissingPath, match="no permission"):
            as_anybody(lambda: walk([tmp_path / "closed"]))
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_name_that_is_no_text_is_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a.txt")
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.txt"))).write_text("x", "utf-8")
    result = walk([tmp_path])
    assert found(result) == ["a.txt"]
    assert result.count(Skip.NAME) == 1
    result.skipped[0].examples[0].encode()


def test_sockets_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert walk([tmp_path]).count(Skip.SPECIAL) == 1


def test_the_number_of_files_is_bounded(tmp_path: Path) -> None:
    make(tmp_path, *(f"{folder}/{name}.txt" for folder in "abc" for name in "xyz"))
    result = walk([tmp_path], max_files=4)
    assert found(result) == ["a/x.txt", "a/y.txt", "a/z.txt", "b/x.txt"]
    assert result.count(Skip.LIMIT) >= 1
