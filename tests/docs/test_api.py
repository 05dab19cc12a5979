"""The page about the HTTP API is what the service says of itself."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

from leadline.service.app import create_app
from leadline.service.door import COOKIE, PASS
from leadline.service.problems import STATUSES
from leadline.settings import Settings, items

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_the_documents() -> None:
    made: dict[str, Any] = runpy.run_path(str(ROOT / "scripts" / "api.py"))
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert page == made["page"](), "run scripts/api.py"


def test_the_page_about_the_service_names_what_there_is() -> None:
    page = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
    for name in items():
        if name.startswith("service."):
            assert f"`{name}`" in page, name
    paths = set(create_app(Settings()).openapi()["paths"])
    named = set(re.findall(r"`(?:GET|POST|PUT|DELETE) (/[^` ?]*)", page)) - {"/internal/auth"}
    assert named <= paths, named - paths
    assert COOKIE in page
    assert PASS in page


def test_every_status_of_a_failure_is_one_that_routes_tell_of() -> None:
    from leadline.service.routing import TOLD  # noqa: PLC0415 beside what it is compared with

    assert set(STATUSES.values()) <= set(TOLD)
