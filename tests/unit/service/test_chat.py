"""What a chat's stream tells of a run while it works."""

from __future__ import annotations

import pytest

from leadline.domain import Json
from leadline.events import ToolAsked
from leadline.service.chat import told


@pytest.mark.parametrize(
    ("tool", "arguments", "line"),
    [
        ("visit", {"url": "document:c0ffee/trieste%201960.md", "goal": "depth"}, "Reading: trieste 1960.md"),
        ("visit", {"url": ["document:c1/a/b.md", "https://a.test/x"]}, "Reading: a/b.md; https://a.test/x"),
        ("visit", {"url": "document:c1/\u202eexe.md"}, "Reading: exe.md"),
        ("search", {"query": ["document: what is it?", "Trieste"]}, "Searching: document: what is it?; Trieste"),
        ("parse_file", {"files": ["deck.pdf"]}, "parse_file: deck.pdf"),
    ],
)
def test_a_document_is_called_by_its_name(tool: str, arguments: dict[str, Json], line: str) -> None:
    assert told(ToolAsked(call="c", tool=tool, arguments=arguments, request="r"), "en") == f"{line}\n"
