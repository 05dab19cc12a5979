from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.search.addresses import (
    DocumentAddresses,
    FileAddresses,
    addresses,
    corpus_id,
    file_path,
    file_uri,
)

PATHS = st.lists(
    st.binary(min_size=1, max_size=12).filter(
        lambda part: b"/" not in part and b"\0" not in part and part not in {b".", b".."}
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: os.fsdecode(b"/" + b"/".join(parts)))


@given(PATHS)
def test_every_path_comes_back(path: str) -> None:
    uri = file_uri(path)
    assert uri.isascii()
    assert file_path(uri) == path


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b.md", "/a/b.md"),
        ("file:/a/b.md", "/a/b.md"),
        ("FILE://localhost/a/b.md", "/a/b.md"),
        ("file:///a%20b/%E7%BA%BF", "/a b/线"),
        ("file:///a#part", "/a"),
        ("file:///a/../../etc/passwd", "/etc/passwd"),
        ("file://host/a", None),
        ("file:relative", None),
        ("file:///a%00b", None),
        ("https://a/b", None),
        ("file", None),
        ("", None),
    ],
)
def test_only_local_files_have_a_path(uri: str, path: str | None) -> None:
    assert file_path(uri) == path


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_an_address(text: str) -> None:
    for uri in (text, f"file:{text}", f"document:c1/{text}"):
        FileAddresses(["/docs"]).known(uri)
        DocumentAddresses("c1", ["/docs"]).known(uri)


def test_only_what_lies_under_a_root_is_known() -> None:
    known = FileAddresses(["/docs", "/one.md"]).known
    assert known("file:/docs/a%2Emd") == "file:///docs/a.md"
    assert known("file:///one.md") == "file:///one.md"
    assert known("file:///docs/../etc/passwd") is None
    assert known("file:///docs2/a.md") is None


def test_the_root_folder_itself_may_be_a_root() -> None:
    assert FileAddresses(["/"]).known("file:///etc/hosts") == "file:///etc/hosts"
    assert DocumentAddresses("c", ["/"]).uri("/etc/hosts") == "document:c/etc/hosts"


def test_documents_are_named_below_their_root() -> None:
    one = addresses("document", "c1", ["/home/me/docs"])
    assert one.uri("/home/me/docs/sub/线.md") == "document:c1/sub/%E7%BA%BF.md"
    assert one.name("/home/me/docs/sub/线.md") == "sub/线.md"
    assert one.known("document:c2/sub/x.md") is None
    two = addresses("document", "c1", ["/a/docs", "/b/docs", "/b/one.md"])
    assert two.uri("/a/docs/x.md") == "document:c1/docs/x.md"
    assert two.uri("/b/docs/x.md") == "document:c1/docs-2/x.md"
    assert two.uri("/b/one.md") == "document:c1/one.md"


def test_the_id_of_a_corpus_depends_on_its_places_only(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    (tmp_path / "link").symlink_to(first)
    assert corpus_id([first, second]) == corpus_id([str(second), str(first), first])
    assert corpus_id([tmp_path / "link"]) == corpus_id([first])
    assert corpus_id([first]) != corpus_id([second])
    assert corpus_id([first]).isalnum()
