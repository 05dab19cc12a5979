"""The guard of the operator's own tool server: that host and port, and nothing else."""

from __future__ import annotations

import pytest

from leadline.errors import Forbidden
from leadline.fetch.one import OneGuard


def test_only_the_server_that_was_set_is_reached() -> None:
    guard = OneGuard("http://127.0.0.1:9123/mcp")
    assert guard.target("http://127.0.0.1:9123/other").port == 9123
    for url in (
        "http://127.0.0.1:9124/mcp",
        "http://127.0.0.2:9123/mcp",
        "http://localhost:9123/mcp",
        "https://example.org/",
        "http://169.254.169.254/",
    ):
        with pytest.raises(Forbidden):
            guard.target(url)


def test_cloud_metadata_is_never_reached_even_where_it_was_set() -> None:
    with pytest.raises(Forbidden, match="metadata"):
        OneGuard("http://169.254.169.254/").target("http://169.254.169.254/")
