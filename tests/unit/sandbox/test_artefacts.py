"""Files that come out: by plain name, under caps, typed by their bytes."""

from __future__ import annotations

import pytest

from leadline.sandbox import artefacts
from leadline.sandbox.artefacts import OCTETS
from leadline.sandbox.types import Limits


@pytest.mark.parametrize("name", ["a", "figure-1.png", "data (2).csv", "数据.csv", "a+b=c.txt", "x" * 100])
def test_plain_names(name: str) -> None:
    assert artefacts.is_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".a",
        "-a",
        "a/b",
        "a\\b",
        "a\n",
        "a\0",
        "a.",
        "a ",
        "\u202egnp.a",
        "x" * 101,
        "a:b",
        "a\u200bb",
        "~a",
        "a*",
    ],
)
def test_other_names(name: str) -> None:
    assert not artefacts.is_name(name)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.csv", b"a,b\n", "text/csv"),
        ("a.TXT", "深".encode(), "text/plain"),
        ("a.json", b"[1]", "application/json"),
        ("a.json", b"[1", OCTETS),
        ("a.csv", b"\xff\xfe", OCTETS),
        ("a.txt", b"a\0b", OCTETS),
        ("a.html", b"<script>", OCTETS),
        ("a.svg", b"<svg/>", OCTETS),
        ("a.png", b"not", OCTETS),
        ("csv", b"a", OCTETS),
    ],
)
def test_types_are_by_bytes_and_never_live(name: str, data: bytes, kind: str) -> None:
    (file,), cut = artefacts.typed([(name, data)], Limits())
    assert (file.media_type, file.data, cut) == (kind, data, False)


def test_caps() -> None:
    limits = Limits(files_count=2, file_out=10, files_out=15)
    files, cut = artefacts.typed(
        [("a", bytes(11)), ("b", bytes(10)), ("c", bytes(6)), ("d", bytes(5)), ("e", b"")], limits
    )
    assert ([file.name for file in files], cut) == (["b", "d"], True)
